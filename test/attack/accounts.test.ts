/**
 * An account that looks for what another has: every parameter of every action that names a resource
 * gets the other's, and one that does not exist. Answers, messages and the reads of the records
 * must be the same. Two clients of one account ask for its last piece of a quota at the same time.
 *
 * Before: there was one account. Two requests at once could exceed the quotas of security groups,
 * rules, routes, entries of ACLs, NICs, flow logs, VPCs and subnets.
 */
import { randomBytes } from 'node:crypto'
import fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addKeyRoutes } from '../../src/api/accounts/access-keys.ts'
import { addAccountRoutes, type QuotaReport } from '../../src/api/accounts/accounts.ts'
import { createAuthorizer } from '../../src/api/accounts/authorization.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { AccessKey } from '../../src/model/account-records.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { AtollError } from '../../src/model/errors.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { actionNamed, makeWorld, REQUESTS, type World } from '../kit/account-world.ts'
import { known, runApi } from '../kit/api.ts'
import { ALICE, BOB, type Cloud, LIMITS, openCloud, ZONE } from '../kit/api-cloud.ts'
import { signedHeaders } from '../kit/signed.ts'

const POOL = {
  name: 'public',
  ranges: [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.40') }],
  zones: null,
}
let cloud: Cloud
let alice: World
let bob: World
beforeAll(async () => {
  cloud = await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } })
  await cloud.run(actionNamed('CreateDefaultVpc'), {}, BOB)
  alice = await makeWorld(cloud, ALICE, 'alice')
  bob = await makeWorld(cloud, BOB, 'bob')
})
afterAll(() => cloud[Symbol.asyncDispose]())

/** The same kind of id or name, which nobody has. */
function absent(id: string): string {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(id)) return '203.0.113.200'
  if (id.startsWith('AKIA')) return 'AKIACCCCCCCCCCCCCCCC'
  if (!/-[0-9a-f]{17}$/.test(id)) return `${id.slice(0, id.lastIndexOf('-'))}-carol`
  return id.replace(/[0-9a-f]{17}$/, randomBytes(9).toString('hex').slice(1))
}

/** The request with another string in the place of one. */
function replaced(value: unknown, from: string, to: string): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(JSON.stringify(from), JSON.stringify(to)))
}

/** What a call answers, without `id`, and which reads and writes it made. */
async function answerOf(name: string, input: object, id: string) {
  const action = actionNamed(name)
  const calls: string[] = []
  const noted = noting(cloud.store, calls)
  const given = action.changes === true ? { ...input, DryRun: true } : input
  const outcome = await cloud.runAs(noted, action, given, BOB).catch((error: unknown) => {
    if (!(error instanceof AtollError)) throw error
    const { kind, code, message } = error
    return { kind, code, message }
  })
  const text = JSON.stringify(outcome).replaceAll(id, 'ID')
  return { text, calls, outcome }
}

/** The store, which notes the methods of its transactions. */
function noting(store: Store, calls: string[]): ReturnType<typeof withoutReplica> {
  const noted = <T extends object>(tx: T): T =>
    new Proxy(tx, {
      get(target, method) {
        const found: unknown = Reflect.get(target, method)
        if (typeof found === 'function') calls.push(String(method))
        return found
      },
    })
  return withoutReplica({
    ...store,
    change: (work) => store.change((tx) => work(noted(tx))),
    claim: (work) => store.claim((tx) => work(noted(tx))),
    read: (work, options) => store.read((tx) => work(noted(tx)), options),
  })
}

describe('the ids of another account', () => {
  it.each(Object.entries(REQUESTS).filter(([, requests]) => requests.length > 0))(
    'are unknown to %s',
    async (name, requests) => {
      for (const request of requests) {
        const input = request(bob)
        for (const [kind, own] of Object.entries(bob)) {
          if (!JSON.stringify(input).includes(JSON.stringify(own))) continue
          const theirs = alice[kind as keyof World]
          const nobodys = absent(own)
          const [other, none] = [
            await answerOf(name, replaced(input, own, theirs) as object, theirs),
            await answerOf(name, replaced(input, own, nobodys) as object, nobodys),
          ]
          expect(other.text, `${name} with the ${kind} of another`).toBe(none.text)
          // Which addresses are in a pool is no secret.
          if (name !== 'AllocateAddress')
            expect(other.calls, `${name} with the ${kind} of another`).toEqual(none.calls)
        }
      }
    },
  )

  it('are in no list, and no filter finds them', async () => {
    const ids = Object.values(alice)
    // The ends of a pool may be hers.
    const lists = allActions.filter(({ name }) => name !== 'DescribePublicIpv4Pools')
    for (const action of lists.filter(({ filters }) => filters !== undefined)) {
      const input = known((REQUESTS[action.name] ?? [() => ({})])[0])(bob)
      const text = JSON.stringify(
        await cloud.run(action, action.name.startsWith('Get') ? input : {}, BOB).catch(String),
      )
      for (const id of ids) expect(text, action.name).not.toContain(JSON.stringify(id))
    }
  })

  it('are tried in every action that takes any', () => {
    const missing = allActions.filter(
      ({ name, isAbsent }) => isAbsent !== true && !Object.hasOwn(REQUESTS, name) && takesIds(name),
    )
    const why = 'give each a request in REQUESTS of test/kit/account-world.ts'
    expect(
      missing.map(({ name }) => name),
      why,
    ).toEqual([])
  })
})

/** Whether its parameters, besides filters, name resources. */
function takesIds(name: string): boolean {
  return !NAMES_NOTHING.includes(name)
}

/** Their parameters name kinds, zones and types of the cloud, or nothing. */
const NAMES_NOTHING: readonly string[] = [
  ...['DescribeAccountAttributes', 'DescribeAvailabilityZones', 'DescribeIdFormat'],
  ...['DescribeInstanceTypeOfferings', 'DescribeInstanceTypes', 'DescribePublicIpv4Pools'],
  ...['DecodeAuthorizationMessage', 'ListAccountAliases'],
  ...['ListPolicies', 'ListUsers', 'GetSessionToken', 'ListRoles'],
  ...['ListGroups', 'ListInstanceProfiles', 'ListVirtualMFADevices'],
  ...['ListOpenIDConnectProviders', 'ListSAMLProviders', 'ListServerCertificates'],
  ...['DescribeRegions', 'DescribeSpotDatafeedSubscription', 'DescribeTags', 'GetCallerIdentity'],
  ...['GetAllowedImagesSettings', 'GetEbsEncryptionByDefault', 'GetImageBlockPublicAccessState'],
  ...['GetInstanceMetadataDefaults', 'GetSerialConsoleAccessStatus'],
  ...['GetSnapshotBlockPublicAccessState', 'ModifyInstanceMetadataDefaults', 'RegisterImage'],
]

describe('the tokens of another account', () => {
  it('repeat nothing', async () => {
    const run = actionNamed('RunInstances')
    const order = { InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ClientToken: 'same' }
    const first = await cloud.run(run, { ...order, ImageId: alice.image }, ALICE)
    const second = await cloud.run(run, { ...order, ImageId: bob.image }, BOB)
    expect(second['ReservationId']).not.toBe(first['ReservationId'])
    expect(second['OwnerId']).toBe(BOB)
  })
})

describe('a quota', () => {
  const last = async (quotas: object, name: string, requests: readonly object[]) => {
    await using small = await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } })
    await small.store.change((tx) => tx.changeAccount(ALICE, { quotas }))
    const action = actionNamed(name)
    const calls: string[] = []
    const noted = noting(small.store, calls)
    const outcomes = await Promise.allSettled(
      requests.map((request) => small.runAs(noted, action, fill(request, small), ALICE)),
    )
    // On one host, transactions follow each other anyway.
    expect(calls).toContain('takeTurn')
    return outcomes.map((one) =>
      one.status === 'fulfilled' ? 'done' : (one.reason as AtollError).code,
    )
  }
  const fill = (request: object, { vpc, subnet, group, image }: Cloud) =>
    JSON.parse(
      JSON.stringify(request)
        .replaceAll('"VPC"', JSON.stringify(vpc.id))
        .replaceAll('"SUBNET"', JSON.stringify(subnet.id))
        .replaceAll('"GROUP"', JSON.stringify(group.id))
        .replaceAll('"IMAGE"', JSON.stringify(image)),
    )
  const rule = (port: number) => ({
    GroupId: 'GROUP',
    IpPermissions: [
      { IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges: [{ CidrIp: '192.0.2.0/24' }] },
    ],
  })
  const launch = { ImageId: 'IMAGE', InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
  it.each([
    ['instances', { instances: 1 }, 'RunInstances', [launch, launch], 'InstanceLimitExceeded'],
    ['vCPUs', { vcpus: 2 }, 'RunInstances', [launch, launch], 'VcpuLimitExceeded'],
    ['memory', { memoryMiB: 1024 }, 'RunInstances', [launch, launch], 'InstanceLimitExceeded'],
    [
      ...([
        'NICs of instances',
        { networkInterfaces: 1 },
        'RunInstances',
        [launch, launch],
      ] as const),
      'NetworkInterfaceLimitExceeded',
    ],
    [
      ...(['NICs', { networkInterfaces: 1 }, 'CreateNetworkInterface'] as const),
      [{ SubnetId: 'SUBNET' }, { SubnetId: 'SUBNET' }],
      'NetworkInterfaceLimitExceeded',
    ],
    ['addresses', { addresses: 1 }, 'AllocateAddress', [{}, {}], 'AddressLimitExceeded'],
    [
      ...(['VPCs', { vpcs: 2 }, 'CreateVpc'] as const),
      [{ CidrBlock: '10.1.0.0/16' }, { CidrBlock: '10.2.0.0/16' }],
      'VpcLimitExceeded',
    ],
    [
      ...(['subnets', { subnetsPerVpc: 2 }, 'CreateSubnet'] as const),
      [
        { VpcId: 'VPC', CidrBlock: '172.31.64.0/24' },
        { VpcId: 'VPC', CidrBlock: '172.31.65.0/24' },
      ],
      'SubnetLimitExceeded',
    ],
    [
      ...(['groups', { securityGroupsPerVpc: 2 }, 'CreateSecurityGroup'] as const),
      [
        { GroupName: 'a', Description: 'd' },
        { GroupName: 'b', Description: 'd' },
      ],
      'SecurityGroupLimitExceeded',
    ],
    [
      ...(['rules', { rulesPerSecurityGroup: 2 }, 'AuthorizeSecurityGroupIngress'] as const),
      [rule(1), rule(2)],
      'RulesPerSecurityGroupLimitExceeded',
    ],
    [
      ...(['key pairs', { keyPairs: 1 }, 'CreateKeyPair'] as const),
      [
        { KeyName: 'a', KeyType: 'ed25519' },
        { KeyName: 'b', KeyType: 'ed25519' },
      ],
      'KeyPairLimitExceeded',
    ],
  ] as const)(
    'of %s holds for two clients at once',
    async (_what, quotas, name, requests, code) => {
      expect((await last(quotas, name, requests)).toSorted()).toEqual([code, 'done'].toSorted())
    },
  )

  it('limits how many of a launch come, and is told', async () => {
    await using small = await openCloud()
    await small.store.change((tx) =>
      tx.changeAccount(ALICE, { quotas: { instances: 3, addresses: 7 } }),
    )
    const run = actionNamed('RunInstances')
    const order = { ImageId: small.image, InstanceType: 't3.micro' }
    const { Instances } = await small.run(run, { ...order, MinCount: 1, MaxCount: 5 })
    expect(Instances).toHaveLength(3)
    expect(await small.refusal(run, { ...order, MinCount: 1, MaxCount: 1 })).toBe(
      'InstanceLimitExceeded',
    )
    const { AccountAttributes } = await small.run(actionNamed('DescribeAccountAttributes'))
    expect(AccountAttributes).toEqual(
      expect.arrayContaining([
        { AttributeName: 'max-instances', AttributeValues: [{ AttributeValue: '3' }] },
        { AttributeName: 'max-elastic-ips', AttributeValues: [{ AttributeValue: '7' }] },
      ]),
    )
    await small.store.change((tx) => tx.changeAccount(ALICE, { quotas: {} }))
    expect(LIMITS.quotas.instances).toBeGreaterThan(3)
    await small.run(run, { ...order, MinCount: 1, MaxCount: 1 })
  })
})

describe('the operator', () => {
  const open = async () => {
    const stack = new AsyncDisposableStack()
    const one = stack.use(await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } }))
    const server = fastify()
    stack.defer(() => server.close())
    const options = {
      ...{ store: withoutReplica(one.store), clock: systemClock, log: silentLog, parts: one.parts },
      ...{ random: randomBytes, self: one.parts.settings.host, changed: async () => undefined },
      keep: async (_tx: unknown, key: AccessKey) => key,
    }
    addAccountRoutes(server, options)
    addKeyRoutes(server, options)
    const parts = { ...one.parts, clock: systemClock }
    const hosts = [
      stack.use(await runApi(allActions, { parts })),
      stack.use(await runApi(allActions, { parts })),
    ]
    const ask = async (method: 'GET' | 'POST', url: string) => {
      const answer = await server.inject({ method, url })
      return { status: answer.statusCode, ...answer.json() }
    }
    const call = async (key: Pick<AccessKey, 'id' | 'secret'>, action: string) => {
      const body = `Action=${action}&Version=2016-11-15`
      const answers = hosts.map(async ({ port, url }) => {
        const { host: _, ...headers } = signedHeaders({ body, host: `127.0.0.1:${port}` }, key)
        const response = await fetch(url, { method: 'POST', body, headers })
        return response.status
      })
      return await Promise.all(answers)
    }
    return { stack, ask, call, cloud: one }
  }

  it('makes an account with a default VPC, whose keys stop on every host when it is disabled', async () => {
    const { stack, ask, call, cloud: one } = await open()
    await using _ = stack
    const made = await ask('POST', '/v1/accounts/red%20team/create')
    expect(made).toMatchObject({ name: 'red team', status: 'active', warning: null })
    expect(made.id).toMatch(/^[1-9]\d{11}$/)
    expect(await call(made.key, 'DescribeVpcs')).toEqual([200, 200])
    const vpcs = await one.run(actionNamed('DescribeVpcs'), {}, made.id)
    expect(vpcs['Vpcs']).toMatchObject([{ IsDefault: true, CidrBlock: '172.31.0.0/16' }])
    expect(await one.run(actionNamed('DescribeSubnets'), {}, made.id)).toMatchObject({
      Subnets: [{ DefaultForAz: true, AvailabilityZone: ZONE }],
    })
    const groups = await one.run(actionNamed('DescribeSecurityGroups'), {}, made.id)
    expect(groups['SecurityGroups']).toMatchObject([{ GroupName: 'default' }])
    expect((await ask('POST', '/v1/accounts/red%20team/disable')).status).toBe('disabled')
    expect(await call(made.key, 'DescribeVpcs')).toEqual([401, 401])
    expect((await ask('POST', `/v1/accounts/${made.id}/enable`)).status).toBe('active')
    expect(await call(made.key, 'DescribeVpcs')).toEqual([200, 200])
  })

  it('is told what is wrong', async () => {
    const { stack, ask } = await open()
    await using _ = stack
    await ask('POST', '/v1/accounts/red/create')
    for (const [url, why] of [
      ['red/create', /an account "red" already/],
      ['%20red/create', /not a name/],
      ['123456789012/create', /not a name/],
      ['blue/disable', /no account "blue"/],
      ['red/destroy', /Unknown account command/],
      ['red/quotas?instance=1', /no quota "instance"/],
      ['red/quotas?instances=-1', /whole number/],
      ['red/quotas?instances=1e3', /whole number/],
      ['red/quotas?securityGroupsPerInterface=17', /from 1 to 16/],
      ['red/quotas?addresses=unlimited', /from 0 to 65536, or: default$/],
      ['red/quotas', /at least one quota/],
    ] as const) {
      const { message } = await ask('POST', `/v1/accounts/${url}`)
      expect(message, url).toMatch(why)
    }
  })

  it('sets quotas, and takes them back', async () => {
    const { stack, ask } = await open()
    await using _ = stack
    await ask('POST', '/v1/accounts/red/create')
    const of = async (name: string) =>
      Object.values(await ask('GET', '/v1/accounts/red/quotas')).find(
        (one): one is QuotaReport => (one as QuotaReport).name === name,
      )
    await ask('POST', '/v1/accounts/red/quotas?instances=3&addresses=0')
    expect(await of('instances')).toMatchObject({ limit: 3, source: 'account' })
    expect(await of('addresses')).toMatchObject({ limit: 0, source: 'account' })
    await ask('POST', '/v1/accounts/red/quotas?instances=unlimited')
    expect(await of('instances')).toMatchObject({ limit: 1_000_000_000, source: 'account' })
    await ask('POST', '/v1/accounts/red/quotas?instances=default')
    expect(await of('instances')).toMatchObject({ limit: 1_000_000_000, source: 'settings' })
    expect(await of('addresses')).toMatchObject({ limit: 0, source: 'account' })
  })

  it('gives a key the rights of a policy', async () => {
    const { stack, ask, call } = await open()
    await using _ = stack
    await ask('POST', '/v1/accounts/red/create')
    const key = await ask('POST', '/v1/keys/create/ci?account=red&policy=read-only')
    expect(key).toMatchObject({ user: 'ci', rights: 'policies', status: 'active' })
    expect(await call(key, 'DescribeVpcs')).toEqual([200, 200])
    expect(await call(key, 'AllocateAddress')).toEqual([403, 403])
    const all = await ask('POST', '/v1/keys/create/admin?account=red&policy=read-only')
    expect(all.message).toMatch(/all rights/)
    const wrong = await ask('POST', '/v1/keys/create/ci?account=red&policy=root')
    expect(wrong.message).toMatch(/no policy "root"/)
  })
})

describe('a user with policies', () => {
  it('has no rights any more when a policy cannot be read, nor when the user is gone', async () => {
    await using one = await openCloud()
    const authorizer = createAuthorizer(one.parts)
    const caller = { account: ALICE, user: 'dev', accessKey: 'A', rights: 'policies' } as const
    const check = (action: string, input = {}) =>
      authorizer
        .check({ service: 'ec2', action, input, caller, sourceIp: '192.0.2.1' }, one.parts)
        .then(() => 'allowed')
        .catch((error: AtollError) => error.code)
    const put = (name: string, document: string) =>
      one.store.change((tx) =>
        tx.putIdentityPolicy({ account: ALICE, owner: 'user/dev', kind: 'inline', name, document }),
      )
    expect(await check('DescribeVpcs')).toBe('UnauthorizedOperation')
    const all = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }
    await put('all', JSON.stringify(all))
    expect(await check('DescribeVpcs')).toBe('allowed')
    for (const broken of [
      '',
      '{',
      '{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","New":1}}',
    ]) {
      await put('broken', broken)
      expect(await check('DescribeVpcs'), broken).toBe('Unavailable')
    }
    await one.store.change((tx) =>
      tx.deleteIdentityPolicy({
        account: ALICE,
        owner: 'user/dev',
        kind: 'inline',
        name: 'broken',
      }),
    )
    expect(await check('DescribeVpcs')).toBe('allowed')
  })

  it('cannot get around a denial by leaving a choice to the cloud', async () => {
    await using one = await openCloud()
    const authorizer = createAuthorizer(one.parts)
    const caller = { account: ALICE, user: 'dev', accessKey: 'A', rights: 'policies' } as const
    const deny = (Resource: string) => ({ Effect: 'Deny', Action: 'ec2:RunInstances', Resource })
    const check = async (denied: object, input: object) => {
      const document = JSON.stringify({
        Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }, denied],
      })
      await one.store.change((tx) =>
        tx.putIdentityPolicy({
          ...{ account: ALICE, owner: 'user/dev', kind: 'inline', name: 'p', document },
        }),
      )
      return authorizer
        .check(
          {
            service: 'ec2',
            action: 'RunInstances',
            input: { ...input },
            caller,
            sourceIp: undefined,
          },
          one.parts,
        )
        .then(() => 'allowed')
        .catch((error: AtollError) => error.code)
    }
    const [subnet, other] = [one.subnet.id, `subnet-${'0'.repeat(17)}`]
    const noSubnet = deny(`arn:aws:ec2:*:*:subnet/${subnet}`)
    const image = { ImageId: one.image }
    expect(await check(noSubnet, { ...image, SubnetId: subnet })).toBe('UnauthorizedOperation')
    expect(await check(noSubnet, image)).toBe('UnauthorizedOperation')
    expect(await check(noSubnet, { ...image, SubnetId: other })).toBe('allowed')
    expect(await check(noSubnet, { NetworkInterfaces: [{ SubnetId: subnet }] })).toBe(
      'UnauthorizedOperation',
    )
    const noGroup = deny(`arn:aws:ec2:*:*:security-group/${one.group.id}`)
    expect(await check(noGroup, { ...image, SecurityGroups: ['default'] })).toBe(
      'UnauthorizedOperation',
    )
    const noImage = deny('arn:aws:ec2:*::image/ami-1*')
    expect(await check(noImage, { LaunchTemplate: { LaunchTemplateName: 'x' } })).toBe(
      'UnauthorizedOperation',
    )
    expect(await check(deny(`arn:aws:ec2:*:*:instance/i-${'0'.repeat(17)}`), image)).toBe('allowed')
  })
})
