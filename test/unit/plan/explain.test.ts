/** `atoll explain`: its verdict is that of `isPermitted`, and it names what decides. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { ALL_OUT, PROTOCOLS, type RuleMatch } from '../../../src/model/group-rule.ts'
import { PLAIN_NAT } from '../../../src/model/nat.ts'
import type { NetworkAclEntry } from '../../../src/model/network-acl.ts'
import type { GroupRule, Host, Instance, PlacedNic } from '../../../src/model/records.ts'
import { parseRouteTarget } from '../../../src/model/route-table.ts'
import type { VpcRouting } from '../../../src/model/vpc-routing.ts'
import { explainPacket, type Surroundings } from '../../../src/plan/explain.ts'
import { explainName, parseName } from '../../../src/plan/explain-dns.ts'
import { type CloudRecords, findEnd, parseTraffic } from '../../../src/plan/explain-question.ts'
import { groupPermissions, isPermitted } from '../../../src/plan/permits.ts'
import { sharedWant } from '../../../src/plan/want.ts'
import {
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const HERE = hostName('here')
const THERE = hostName('there')
const SURROUNDINGS: Surroundings = {
  host: HERE,
  zone: 'atoll.internal',
  reach: [cidr('192.168.7.0/24')],
  pools: [],
  engines: [ipv4('10.0.0.9')],
  instanceToHostPorts: [8773],
  fabric: { mode: 'direct' },
  nat: PLAIN_NAT,
  routing: {
    defaultRoutes: [{ link: 'eth0', gateway: ipv4('10.0.0.1') }],
    connected: [cidr('10.0.0.0/24')],
    addresses: [],
    engineBridges: [],
    forwardedBefore: true,
  },
}
const HOSTS: readonly Host[] = [
  hostRecord(HERE, { fabricAddress: ipv4('10.0.0.2') }),
  hostRecord(THERE, { fabricAddress: ipv4('10.0.0.3') }),
]

function group(number: number) {
  return { ...network.group, id: numbered('sg', number), name: `group-${number}` }
}

function rule(number: number, groupNumber: number, match: RuleMatch): GroupRule {
  const { account, vpc } = network.group
  const id = numbered('sgr', number)
  return { ...match, id, group: group(groupNumber).id, vpc, account, description: '' }
}

/**
 * Instances 1 and 2 on `here`, 3 on `there`, named web-1 to web-3, in the groups of their numbers.
 */
function cloud(
  rules: readonly GroupRule[],
  memberships: readonly (readonly number[])[] = [[1], [2], [3]],
): CloudRecords {
  const instances = memberships.map(
    (_, at): Instance => ({
      ...instanceRecord(instanceId(at + 1), at === 2 ? THERE : HERE),
      state: 'running',
    }),
  )
  const nics = memberships.map(
    (groups, at): PlacedNic => ({
      ...nicRecord(instanceId(at + 1), at + 1),
      groups: groups.map((number) => group(number).id),
      host: at === 2 ? THERE : HERE,
      nameTag: `web-${at + 1}`,
    }),
  )
  return {
    hosts: HOSTS,
    instances,
    nics,
    vpcs: [network.vpc],
    subnets: [network.subnet],
    groups: [1, 2, 3].map(group),
    groupRules: rules,
    routing: [],
    peerings: [],
    nameTags: new Map(instances.map(({ id }, at) => [id, `web-${at + 1}`])),
  }
}

function value<T>(parsed: { readonly value: T } | { readonly problem: string }): T {
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.value
}

function ask(records: CloudRecords, from: string, to: string, what: string) {
  const ends = [value(findEnd(from, records)), value(findEnd(to, records))] as const
  return explainPacket(...ends, value(parseTraffic(what)), records, SURROUNDINGS)
}

function askName(records: CloudRecords, name: string) {
  const asker = value(findEnd('web-1', records))
  if (asker.kind !== 'instance') throw new Error('web-1 is an instance')
  return explainName(asker, value(parseName(name)), records, SURROUNDINGS.zone)
}

const SSH_IN: RuleMatch = {
  egress: false,
  protocol: PROTOCOLS.tcp,
  fromPort: 22,
  toPort: 22,
  peer: { kind: 'group', group: group(1).id },
}
const OPEN = cloud([rule(1, 1, ALL_OUT), rule(2, 2, SSH_IN), rule(3, 3, SSH_IN)])

/** A record with some fields of one instance changed. */
function withInstance(number: number, changes: Partial<Instance>): CloudRecords {
  const changed = OPEN.instances.map((one) =>
    one.id === instanceId(number) ? { ...one, ...changes } : one,
  )
  return { ...OPEN, instances: changed }
}

const peers = fc.oneof(
  fc.constantFrom(1, 2, 3).map((number) => ({ kind: 'group', group: group(number).id }) as const),
  fc
    .constantFrom('0.0.0.0/0', '172.31.0.0/29', '172.31.0.4/32', '10.0.0.0/8')
    .map((text) => ({ kind: 'ipv4', cidr: cidr(text) }) as const),
)
const matches: fc.Arbitrary<RuleMatch> = fc
  .record({
    egress: fc.boolean(),
    peer: peers,
    what: fc.oneof(
      fc.constant({ protocol: -1, fromPort: -1, toPort: -1 }),
      fc.constant({ protocol: 47, fromPort: -1, toPort: -1 }),
      fc
        .tuple(fc.constantFrom(6, 17), fc.integer({ min: 20, max: 24 }), fc.nat(3))
        .map(([protocol, fromPort, more]) => ({ protocol, fromPort, toPort: fromPort + more })),
      fc
        .tuple(fc.constantFrom(-1, 3, 8), fc.constantFrom(-1, 0, 4))
        .map(([type, code]) => ({ protocol: 1, fromPort: type, toPort: type === -1 ? -1 : code })),
    ),
  })
  .map(({ what, ...rest }) => ({ ...rest, ...what }))
const memberships = fc.array(
  fc.uniqueArray(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 3 }),
  {
    minLength: 3,
    maxLength: 3,
  },
)

describe('the verdict', () => {
  it('is that of isPermitted between any two instances, for any rules', () => {
    const seen = { passes: 0, not: 0 }
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(1, 2, 3), matches), {
          minLength: 6,
          maxLength: 24,
          size: 'max',
        }),
        memberships,
        fc.constantFrom('tcp/22', 'tcp/24', 'udp/23', 'icmp', 'icmp/8', 'icmp/3/4', '47', 'any'),
        fc.uniqueArray(fc.constantFrom(0, 1, 2), { minLength: 2, maxLength: 2 }),
        (rules, members, what, [from = 0, to = 0]) => {
          const records = cloud(
            rules.map(([number, match], at) => rule(at, number, match)),
            members,
          )
          const ends = [from, to].flatMap((at) => records.nics[at] ?? [])
          const [source, destination] = ends
          if (source === undefined || destination === undefined) throw new Error('two ends')
          const { protocol, port, code } = value(parseTraffic(what))
          const flow = { source: source.ip, destination: destination.ip, protocol, port, code }
          // One host for each end, as in the kernel.
          const permitted = ends.every((nic) =>
            isPermitted(flow, {
              groups: groupPermissions(sharedWant(nic.host, records).groups),
              floats: new Map(),
              nics: new Map([
                [
                  nic.ip,
                  {
                    ...nic,
                    vpcCidr: network.vpc.cidr,
                    subnetCidr: network.subnet.cidr,
                    gateway: ipv4('172.31.0.1'),
                    groups: nic.groups.map((id) => ({ id, name: '' })),
                  },
                ],
              ]),
            }),
          )
          const { passes, steps } = ask(records, source.ip, destination.ip, what)
          expect(passes).toBe(permitted)
          seen[passes ? 'passes' : 'not']++
          // A step of groups that passes names a rule of the records, of the right direction.
          for (const { step, passes, rule: named } of steps)
            if (passes && (step === 'egress' || step === 'ingress'))
              expect(records.groupRules.find(({ id }) => id === named)?.egress).toBe(
                step === 'egress',
              )
        },
      ),
      { numRuns: 500 },
    )
    expect(Math.min(seen.passes, seen.not)).toBeGreaterThan(20)
  })
})

/** `OPEN`, with these routes in the main table and these entries in the default ACL of its VPC. */
function routed(
  routes: Readonly<Record<string, string>>,
  entries: readonly Partial<NetworkAclEntry>[] = [],
): CloudRecords {
  const { id: vpc, account } = network.vpc
  const [table, acl] = [numbered('rtb', 1), numbered('acl', 1)]
  const all = [...entries, { egress: true }, { egress: false }]
  const routing: VpcRouting = {
    vpc,
    internetGateways: [{ id: numbered('igw', 1), account, vpc }],
    natGateways: [
      { id: numbered('nat', 1), account, vpc, subnet: network.subnet.id, createdAt: '' },
    ],
    tables: [{ id: table, account, vpc }],
    routes: Object.entries(routes).flatMap(([destination, id]) => {
      const target = parseRouteTarget(id)
      return target === undefined ? [] : [{ table, vpc, destination: cidr(destination), target }]
    }),
    associations: [{ id: numbered('rtbassoc', 1), table, vpc, subnet: null }],
    acls: [{ id: acl, account, vpc, isDefault: true }],
    aclEntries: all.map((entry, at) => ({
      ...{ acl, vpc, egress: false, number: 10 * (at + 1), allow: true, protocol: -1 },
      ...{ fromPort: -1, toPort: -1, peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') } },
      ...entry,
    })),
    aclAssociations: [],
  }
  const ssh = rule(4, 2, { ...SSH_IN, peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') } })
  return { ...OPEN, groupRules: [...OPEN.groupRules, ssh], routing: [routing] }
}

describe('routes and network ACLs', () => {
  const GATEWAY = numbered('igw', 1)
  const out = { '0.0.0.0/0': GATEWAY }
  it.each([
    ['web-1', 'outside', 'tcp/443', routed({}), /no route of rtb-.* leads to 203\.0\.113\.1/],
    [
      ...([
        'web-1',
        'outside',
        'tcp/443',
        routed({ ...out, '203.0.113.0/24': 'igw-00000000' }),
      ] as const),
      /route 203\.0\.113\.0\/24 of rtb-.* to igw-00000000 is a blackhole: igw-00000000 is not attached/,
    ],
    [
      ...(['web-1', 'outside', 'tcp/443', routed({ '0.0.0.0/0': numbered('nat', 1) })] as const),
      /nat-.* is gone, or its own subnet has no way there/,
    ],
    ['outside', 'web-2', 'tcp/22', routed({}), /answers would not go back/],
    ['web-1', '10.0.0.3', 'tcp/8773', routed({}), /no route of rtb-/],
    [
      ...(['web-1', 'outside', 'tcp/443', routed(out, [{ egress: true, allow: false }])] as const),
      /egress entry 10 of acl-.* denies it: deny everything to 0\.0\.0\.0\/0/,
    ],
    [
      ...([
        'outside',
        'web-2',
        'tcp/22',
        routed(out, [{ allow: false, protocol: 6, fromPort: 22, toPort: 22 }]),
      ] as const),
      /ingress entry 10 of acl-.* denies it: deny tcp 22 from/,
    ],
    [
      ...([
        'outside',
        'web-2',
        'tcp/22',
        routed(out, [{ egress: true, allow: false, protocol: 6, fromPort: 1024, toPort: 65_535 }]),
      ] as const),
      /Answers do not pass, because network ACLs track no connections.*egress entry 10/,
    ],
  ])('no from %s to %s with %s', (from, to, what, records, why) => {
    const answer = ask(records, from, to, what)
    expect(answer.passes).toBe(false)
    expect(answer.text).toMatch(why)
  })

  it.each([
    ['web-1', 'outside', 'tcp/443', routed(out), /route 0\.0\.0\.0\/0 of rtb-.* to igw-/],
    ['outside', 'web-2', 'tcp/22', routed(out), /ingress entry 20 of acl-.* allows it/],
    // Within a subnet neither is asked.
    ['web-1', 'web-2', 'tcp/22', routed({}, [{ allow: false }]), /^(?!.*acl-)/s],
  ])('yes from %s to %s with %s', (from, to, what, records, why) => {
    const answer = ask(records, from, to, what)
    expect(answer.passes, answer.text).toBe(true)
    expect(answer.steps.map(({ text }) => text).join('\n')).toMatch(why)
  })
})

describe('what decides', () => {
  it('is told step by step', () => {
    const { passes, steps } = ask(OPEN, 'web-1', instanceId(3), 'tcp/22')
    expect(passes).toBe(true)
    expect(steps.map(({ step }) => step)).toStrictEqual([
      'source',
      'egress',
      'route',
      'ingress',
      'destination',
      'answer',
    ])
    expect(steps[3]?.rule).toBe(numbered('sgr', 3))
    expect(steps[2]?.text).toMatch(/by 10\.0\.0\.3 to host there/)
  })

  const without = (fabric: Partial<Host>): CloudRecords => ({
    ...OPEN,
    hosts: HOSTS.map((host) => (host.name === THERE ? { ...host, ...fabric } : host)),
  })
  it.each([
    ['web-1', 'web-2', 'tcp/23', OPEN, /No rule lets tcp\/23 in .*group-2.*tcp 22 from sg-/],
    ['web-2', 'web-1', 'tcp/22', OPEN, /No rule lets tcp\/22 out .*group-2/],
    ['web-1', 'web-2', 'any', OPEN, /No rule lets any in/],
    ['outside', 'web-2', 'tcp/22', OPEN, /No rule lets tcp\/22 in from 203\.0\.113\.1/],
    ['web-1', 'web-2', 'tcp/22', withInstance(2, { state: 'stopped' }), /web-2 .* is stopped/],
    ['web-1', 'web-2', 'tcp/22', withInstance(1, { state: 'pending' }), /web-1 .* is pending/],
    ['web-1', 'web-3', 'tcp/22', without({ live: false }), /there of web-3 .* is lost/],
    ['web-1', 'web-3', 'tcp/22', without({ fabricAddress: null }), /fabric\.address/],
    ['web-1', 'web-3', 'tcp/22', without({ state: 'forgotten' }), /no host there any more/],
    ['web-1', '172.31.0.200', 'tcp/22', OPEN, /No instance has 172\.31\.0\.200/],
    ['172.31.0.200', 'web-1', 'tcp/22', OPEN, /packets that claim it are dropped/],
    ['web-1', '10.0.0.77', 'tcp/22', OPEN, /10\.0\.0\.0\/24, .*network\.reach/],
    ['web-1', '10.0.0.9', 'tcp/3306', OPEN, /the database or the broker/],
    ['web-1', '224.0.0.1', 'udp/53', OPEN, /never routed/],
    ['web-1', '10.0.0.3', 'tcp/22', OPEN, /is host there itself.*does not have/],
    ['web-1', '169.254.169.254', 'tcp/81', OPEN, /address of services/],
  ])('no from %s to %s with %s', (from, to, what, records, why) => {
    const answer = ask(records, from, to, what)
    expect(answer.passes).toBe(false)
    expect(answer.text).toMatch(why)
  })

  it.each([
    ['web-1', 'outside', 'tcp/443', /10\.0\.0\.1 on eth0/],
    ['web-1', '192.168.7.1', 'tcp/443', /network\.reach has 192\.168\.7\.0\/24/],
    ['web-1', '10.0.0.1', 'icmp/8', /gateway of the host's default route/],
    ['web-2', '169.254.169.254', 'tcp/80', /own host answers/],
    ['web-2', '172.31.0.1', 'udp/53', /own host answers/],
    ['web-1', '10.0.0.3', 'tcp/8773', /instanceToHostPorts has it/],
    ['web-1', 'web-1', 'tcp/22', /does not leave/],
    ['10.0.0.2', 'web-2', 'tcp/99', /reaches its own instances/],
  ])('yes from %s to %s with %s', (from, to, what, why) => {
    const answer = ask(OPEN, from, to, what)
    expect(answer.text).toMatch(/: yes\.$/)
    expect(answer.steps.map(({ text }) => text).join('\n')).toMatch(why)
  })

  const FLOATS = [2, 3].map((number) => ipv4(`203.0.113.${number}`))
  const world = { kind: 'ipv4', cidr: cidr('0.0.0.0/0') } as const
  const floating = cloud([
    rule(1, 1, ALL_OUT),
    rule(2, 2, { ...SSH_IN, peer: world }),
    rule(3, 3, { ...SSH_IN, peer: { kind: 'ipv4', cidr: cidr('203.0.113.2/32') } }),
    rule(4, 2, ALL_OUT),
  ])
  const published: CloudRecords = {
    ...floating,
    nics: floating.nics.map((nic, at) => ({ ...nic, publicIp: FLOATS[at - 1] ?? null })),
  }
  it.each([
    ['outside', '203.0.113.2', 'tcp/22', true, /answers for 203\.0\.113\.2, .*172\.31\.0\.5/],
    ['outside', 'web-2', 'tcp/22', true, /answers for 203\.0\.113\.2/],
    ['outside', '203.0.113.2', 'tcp/23', false, /No rule lets tcp\/23 in/],
    ['outside', '203.0.113.3', 'tcp/22', false, /No rule lets tcp\/22 in from 203\.0\.113\.1/],
    ['web-1', '203.0.113.2', 'tcp/22', true, /has both, and translates/],
    ['web-2', '203.0.113.2', 'tcp/22', true, /has both, and translates/],
    ['web-2', '203.0.113.3', 'tcp/22', true, /goes out with its floating IP to host there/],
    ['web-1', '203.0.113.3', 'tcp/22', false, /No rule lets tcp\/22 in from 10\.0\.0\.2/],
    ['web-2', 'outside', 'tcp/443', true, /goes out with its floating IP 203\.0\.113\.2/],
    ['web-1', 'outside', 'tcp/443', true, /goes out with an address of host here/],
  ])('by a floating IP, from %s to %s with %s: %s', (from, to, what, passes, why) => {
    const answer = ask(published, from, to, what)
    expect([answer.passes, answer.text]).toEqual([passes, answer.text])
    expect([answer.text, ...answer.steps.map(({ text }) => text)].join('\n')).toMatch(why)
  })

  it('is no route to another VPC', () => {
    const vpc = { ...network.vpc, id: numbered('vpc', 2) }
    const nics = OPEN.nics.map((nic, at) => (at === 1 ? { ...nic, vpc: vpc.id } : nic))
    const records = { ...OPEN, vpcs: [network.vpc, vpc], nics }
    expect(ask(records, 'web-1', 'web-2', 'tcp/22').text).toMatch(/different VPCs/)
    expect(askName(records, 'web-2').text).toMatch(/names are not known outside their VPC/)
  })
})

describe('names', () => {
  it.each([
    ['web-2', true, /web-2\.atoll\.internal is 172\.31\.0\.5/],
    ['WEB-2.Atoll.internal.', true, /is 172\.31\.0\.5/],
    [instanceId(3), true, /is 172\.31\.0\.6/],
    ['172.31.0.5', true, /Its name is i-/],
    ['ec2-203-0-113-9', true, /is 203\.0\.113\.9: it leads to nobody in its VPC/],
    ['debian.org', true, /asks its own resolvers/],
    ['web-9', false, /no instance has that id or Name/],
    ['172.31.0.99', false, /No instance of its VPC/],
    ['atoll.internal', false, /zone itself/],
  ])('%s', (name, passes, why) => {
    const answer = askName(OPEN, name)
    expect(answer.passes).toBe(passes)
    expect(answer.steps.at(-1)?.text).toMatch(why)
  })

  it('is not answered where the VPC has no resolver', () => {
    const records = { ...OPEN, vpcs: [{ ...network.vpc, dnsSupport: false }] }
    expect(askName(records, 'web-2').text).toMatch(/EnableDnsSupport of vpc-\w+ is off/)
    expect(askName(OPEN, 'web-2').passes).toBe(true)
  })

  it('of a stopped instance: its Name is gone, its id stays', () => {
    const stopped = withInstance(2, { state: 'stopped' })
    const nics = OPEN.nics.map((nic, at) => (at === 1 ? { ...nic, nameTag: null } : nic))
    const records = { ...stopped, nics }
    expect(askName(records, 'web-2').text).toMatch(/is stopped, and a Name resolves only while/)
    expect(askName(records, instanceId(2)).passes).toBe(true)
  })
})

describe('questions that mean nothing', () => {
  it.each(['tcp', 'tcp/0', 'tcp/65536', 'tcp/1/2', 'icmp/256', '256', '47/1', 'gre', '', 'tcp/-1'])(
    'traffic %j',
    (text) => {
      expect(parseTraffic(text)).toHaveProperty('problem')
    },
  )
  it('ends that nobody is, or several are', () => {
    expect(findEnd('nobody', OPEN)).toHaveProperty('problem')
    const nameTags = new Map(OPEN.instances.map(({ id }) => [id, 'web']))
    expect(findEnd('web', { ...OPEN, nameTags })).toHaveProperty('problem')
  })
  it.each(['', 'a..b', 'a b', `${'a'.repeat(64)}`])('name %j', (name) => {
    expect(parseName(name)).toHaveProperty('problem')
  })
})

describe('VPCs with the same addresses', () => {
  const OTHER = numbered('vpc', 2)
  const OPEN_ALL = cloud(
    [rule(1, 1, ALL_OUT), rule(2, 1, { ...ALL_OUT, egress: false })],
    [[1], [1]],
  )
  /** As `OPEN_ALL`, with a third instance in another VPC, which has the address of the second. */
  const twoVpcs = (): CloudRecords => {
    const [second] = OPEN_ALL.nics.slice(1)
    const [first] = OPEN_ALL.instances
    if (second === undefined || first === undefined) throw new Error('there are two')
    const third = { ...first, id: instanceId(33) }
    const nic = { ...second, id: numbered('eni', 33), instance: third.id, vpc: OTHER }
    return {
      ...OPEN_ALL,
      vpcs: [...OPEN_ALL.vpcs, { ...network.vpc, id: OTHER, network: 7 }],
      subnets: [...OPEN_ALL.subnets, { ...network.subnet, id: numbered('subnet', 2), vpc: OTHER }],
      instances: [...OPEN_ALL.instances, third],
      nics: [...OPEN_ALL.nics, { ...nic, subnet: numbered('subnet', 2) }],
    }
  }
  const records = twoVpcs()
  const [, secondNic] = records.nics
  const address = secondNic?.ip ?? ''
  const first = value(findEnd('web-1', records))
  const third = value(findEnd(instanceId(33), records))

  it('an address alone is nobody in particular', () => {
    expect(findEnd(address, records)).toHaveProperty('problem')
  })

  it('an address is what the other end sees', () => {
    expect(value(findEnd(address, records, first))).toMatchObject({ nic: secondNic })
    expect(value(findEnd(address, records, third))).toEqual(third)
    expect(value(findEnd(records.nics[0]?.ip ?? '', records, third)).kind).toBe('address')
  })

  it('nothing passes from one to another, though their addresses are one', () => {
    const traffic = value(parseTraffic('tcp/22'))
    const second = value(findEnd('web-2', records))
    const between = explainPacket(second, third, traffic, records, SURROUNDINGS)
    expect(between).toMatchObject({ passes: false })
    expect(between.text).toContain('different VPCs')
    const outwards = explainPacket(
      third,
      value(findEnd(records.nics[0]?.ip ?? '', records, third)),
      traffic,
      records,
      SURROUNDINGS,
    )
    expect(outwards.passes).toBe(false)
  })
})

describe('a route to a router', () => {
  const ROUTER = OPEN.nics[1]?.id ?? numbered('eni', 9)
  /** The router is web-2, whose group lets in tcp/22 from everybody. */
  function led(changes: Partial<PlacedNic> = {}, state: Instance['state'] = 'running') {
    const records = routed({ '0.0.0.0/0': ROUTER })
    return {
      ...records,
      groupRules: [...records.groupRules, rule(5, 2, ALL_OUT), rule(6, 3, ALL_OUT)],
      nics: records.nics.map((nic) =>
        nic.id === ROUTER ? { ...nic, sourceDestCheck: false, ...changes } : nic,
      ),
      instances: records.instances.map((one, at) => (at === 1 ? { ...one, state } : one)),
    }
  }

  it('leads into it, as far as its groups let the packet in', () => {
    const answer = ask(led(), 'web-1', 'outside', 'tcp/22')
    expect(answer.text).toMatch(/: yes\.$/)
    expect(answer.steps.map(({ text }) => text).join('\n')).toMatch(
      /The route 0\.0\.0\.0\/0 of rtb-\w+ to eni-\w+ leads to a router: web-2 \(i-\w+\) gets it at .* \(eni-\w+\) on host here/,
    )
    expect(ask(led(), 'web-3', 'outside', 'tcp/22').passes).toBe(true)
    const closed = ask(led(), 'web-1', 'outside', 'tcp/443')
    expect(closed.text).toMatch(/: no\. No rule lets tcp\/443 in from .*group-2/)
  })

  it.each([
    ['web-1', led({ sourceDestCheck: true }), /checks source and destination/],
    ['web-1', led({}, 'stopped'), /which has eni-\w+, is stopped/],
    [
      'web-1',
      { ...led(), nics: OPEN.nics.filter(({ id }) => id !== ROUTER) },
      /attached to no instance/,
    ],
    ['web-2', led(), /that is the sender itself: web-2/],
  ])('from %s it may lead nowhere', (from, records, why) => {
    const answer = ask(records, from, 'outside', 'tcp/22')
    expect(answer.passes).toBe(false)
    expect(answer.text).toMatch(why)
  })

  it('is no way in, and none to the host', () => {
    expect(ask(led(), 'outside', 'web-3', 'tcp/22').text).toMatch(/leads to a router/)
    expect(ask(led(), 'web-1', '10.0.0.3', 'tcp/8773').text).toMatch(/leads to a router/)
  })
})

describe('addresses of other VPCs', () => {
  const [own, other] = [1, 2].map((number) => ({
    ...{ ...network.vpc, id: numbered('vpc', number), network: number },
    cidr: cidr(number === 1 ? '172.31.0.0/16' : '10.8.0.0/16'),
  }))
  const there = { ip: ipv4('10.8.0.5'), vpc: numbered('vpc', 2) }
  const records: CloudRecords = {
    ...OPEN,
    vpcs: [own ?? network.vpc, other ?? network.vpc],
    nics: OPEN.nics.map((nic, at) => (at === 2 ? { ...nic, ...there } : nic)),
  }
  const near = value(findEnd('web-1', records))
  const pair = [numbered('vpc', 1), numbered('vpc', 2)] as const

  it('mean who has them in a VPC that is peered', () => {
    const peered = { ...records, peerings: [{ id: numbered('pcx', 1), vpcs: pair }] }
    expect(findEnd(there.ip, peered, near)).toMatchObject({
      value: { kind: 'instance', instance: { id: instanceId(3) } },
    })
  })

  describe("peered with one in the hosts' own network", () => {
    const peered: CloudRecords = {
      ...records,
      vpcs: records.vpcs.map((vpc, at) => (at === 0 ? { ...vpc, network: null } : vpc)),
      peerings: [{ id: numbered('pcx', 1), vpcs: pair }],
    }
    const asked = (all: CloudRecords, addresses: Surroundings['routing']['addresses']) => {
      const [a, b] = ['web-1', 'web-3'].map((name) => value(findEnd(name, all)))
      if (a === undefined || b === undefined) throw new Error('both are there')
      const around = { ...SURROUNDINGS, routing: { ...SURROUNDINGS.routing, addresses } }
      const bothWays = [
        [a, b],
        [b, a],
      ] as const
      return bothWays.map((ends) =>
        explainPacket(...ends, value(parseTraffic('tcp/22')), all, around),
      )
    }

    it('are those of instances, whatever addresses other hosts have', () => {
      const hosts = HOSTS.map((one) => ({ ...one, fabricAddress: there.ip }))
      const [answer] = asked({ ...peered, hosts }, [])
      expect(answer?.text).toMatch(/: yes\.$/)
    })

    it('are not reached where the host itself has them', () => {
      for (const answer of asked(peered, [there.ip]))
        expect(answer.steps.filter(({ passes }) => !passes).map(({ text }) => text)).toContainEqual(
          expect.stringMatching(/^10\.8\.0\.5 is an address of host here itself/),
        )
    })
  })

  it('mean nobody in a VPC that is not', () => {
    expect(findEnd(there.ip, records, near)).toEqual({ value: { kind: 'address', ip: there.ip } })
  })
})
