/**
 * Random and mutated requests to a real server with real records: correctly signed ones with
 * mutated and invented parameters, mutated ones with a signature, and bytes that are hardly HTTP.
 *
 * Every one is answered, none with 500, nothing is logged as a bug, and the event loop is not held
 * longer than allowed. `ATOLL_LONG=1` tries a hundred thousand; `ATOLL_SEED` repeats a run.
 */
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../src/api/actions/all.ts'
import { EC2_MODEL } from '../../src/api/generated/ec2.ts'
import { IAM_MODEL } from '../../src/api/generated/iam.ts'
import { STS_MODEL } from '../../src/api/generated/sts.ts'
import { TARGET_HEADER } from '../../src/api/wire/aws-json.ts'
import { CLOUDTRAIL_MODEL } from '../../src/api/wire/cloudtrail.ts'
import { linkModel, type Shape, type Structure } from '../../src/api/wire/model.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Log } from '../../src/lib/log.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { makeWorld, REQUESTS, type World } from '../kit/account-world.ts'
import { KEY, type RunningApi, runApi } from '../kit/api.ts'
import { ALICE, type Cloud, openCloud } from '../kit/api-cloud.ts'
import { type Chance, chanceOf, mutate, seedOfRun } from '../kit/mutate.ts'
import { signedBySdk } from '../kit/sdk.ts'
import { signedHeaders } from '../kit/signed.ts'
import { watchLoopOften } from '../kit/stall.ts'
import { isLong } from '../long-files.ts'

const SEED = seedOfRun()
const ALL = isLong ? 100_000 : 3_000
/** Of 20 ms that are promised, and what the client's half in the same process takes. */
const STALL_MS = 80
const AT_ONCE = 8

let cloud: Cloud
let api: RunningApi
const bugs: object[] = []
const wires = new Map([EC2_MODEL, IAM_MODEL, STS_MODEL].flatMap((model) => [...linkModel(model)]))
/** Values of things that are there, limits, and what parsers fear. */
const words: string[] = [
  ...['', '0', '1', '-1', '5', '1000', '4097', '99999999999', '1e309', 'NaN', 'true', 'false'],
  ...[
    '*',
    '?',
    '\\',
    'a*b*',
    '2026-11-22T08:33:27Z',
    'YQ==',
    '%00',
    '\u0000',
    '𝄞',
    'i-',
    't3.nano',
  ],
  ...['running', 'instance', 'Name', 'tag:Name', 'self', 'gp3', '/dev/vda', 'optional', 'enabled'],
  ...['__proto__', 'constructor', '../../etc/passwd', '172.31.0.9', '999.1.1.1', 'x'.repeat(3_000)],
]

beforeAll(async () => {
  const pool = { first: ipv4('203.0.113.10'), last: ipv4('203.0.113.99') }
  cloud = await openCloud({
    hosts: [{ vcpus: 200, memoryMiB: 400_000 }],
    settings: { vpcPlace: 'own', pools: [{ name: 'public', ranges: [pool], zones: null }] },
  })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  const log: Log = {
    ...silentLog,
    error: (fields, message) => bugs.push({ ...fields, message }),
    child: () => log,
  }
  const limits = { requestBurst: 1e9, requestsPerSecond: 1e9 }
  const parts = { ...cloud.parts, clock: systemClock }
  api = await runApi(allActions, { parts, log, limits })
  const launch = { ImageId: cloud.image, InstanceType: 't3.nano', MinCount: 3, MaxCount: 3 }
  const run = allActions.find(({ name }) => name === 'RunInstances')
  if (run === undefined) throw new Error('there is no RunInstances')
  await cloud.run(run, launch)
  const instances = await cloud.store.read((tx) => tx.instances({}))
  words.push(
    ...instances.map(({ id }) => id),
    cloud.image,
    cloud.vpc.id,
    cloud.subnet.id,
    cloud.group.id,
  )
  const [first] = instances
  for (const [letter, id] of Object.entries({
    ...{ I: first?.id, A: cloud.image, V: cloud.vpc.id, S: cloud.subnet.id, G: cloud.group.id },
  }))
    ids.set(letter, id ?? '')
  const world = await makeWorld(cloud, ALICE, 'alice')
  words.push(...Object.values(world))
  sound.push(...(await soundForms(world)))
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

/**
 * Forms that are sound, of things that are there; `I`, `A` and so on stand for their ids. Those of
 * every action are added.
 */
const sound: string[] = [
  'Action=RunInstances&ImageId=A&InstanceType=t3.nano&MinCount=1&MaxCount=1&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web&SubnetId=S&SecurityGroupId.1=G&UserData=YQ%3D%3D&ClientToken=t',
  'Action=RunInstances&ImageId=A&InstanceType=t3.nano&MinCount=1&MaxCount=1&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=S&NetworkInterface.1.PrivateIpAddress=172.31.0.9&MetadataOptions.HttpTokens=required',
  'Action=DescribeInstances&Filter.1.Name=tag%3AName&Filter.1.Value.1=w%2A&MaxResults=5',
  'Action=DescribeInstances&InstanceId.1=I',
  'Action=DescribeInstanceStatus&IncludeAllInstances=true&Filter.1.Name=instance-state-name&Filter.1.Value.1=pending',
  'Action=DescribeTags&Filter.1.Name=resource-type&Filter.1.Value.1=instance&MaxResults=5',
  'Action=CreateTags&ResourceId.1=I&Tag.1.Key=a&Tag.1.Value=b',
  'Action=DeleteTags&ResourceId.1=I&Tag.1.Key=a',
  'Action=StartInstances&InstanceId.1=I',
  'Action=StopInstances&InstanceId.1=I&Force=true',
  'Action=RebootInstances&InstanceId.1=I',
  'Action=TerminateInstances&InstanceId.1=I&DryRun=true',
  'Action=DescribeImages&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1=%2A',
  'Action=RegisterImage&Name=n&ImageLocation=docker%3A%2F%2Fsample&Architecture=x86_64',
  'Action=CreateImage&InstanceId=I&Name=c&NoReboot=true',
  'Action=DeregisterImage&ImageId=A&DryRun=true',
  'Action=DescribeVpcs&VpcId.1=V&Filter.1.Name=tag%3AName&Filter.1.Value.1=%2A',
  'Action=DescribeSubnets&SubnetId.1=S&Filter.1.Name=vpc-id&Filter.1.Value.1=V',
  'Action=DescribeSecurityGroups&GroupName.1=default&Filter.1.Name=ip-permission.cidr&Filter.1.Value.1=%3F',
  'Action=DescribeVolumes&Filter.1.Name=size&Filter.1.Value.1=8&MaxResults=5',
  'Action=ModifyInstanceAttribute&InstanceId=I&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fvda&BlockDeviceMapping.1.Ebs.DeleteOnTermination=false',
  'Action=ModifyInstanceMetadataOptions&InstanceId=I&HttpTokens=required&HttpPutResponseHopLimit=2',
  'Action=DescribeInstanceTypes&InstanceType.1=t3.nano&Filter.1.Name=memory-info.size-in-mib&Filter.1.Value.1=512',
  'Action=ImportKeyPair&KeyName=k&PublicKeyMaterial=c3NoLWVkMjU1MTkgQUFBQQ%3D%3D',
  'Action=DescribeKeyPairs&KeyName.1=k&IncludePublicKey=true',
  'Action=DeleteKeyPair&KeyName=k',
  'Action=DescribeAvailabilityZones&ZoneName.1=atoll-1a&Filter.1.Name=state&Filter.1.Value.1=available',
  'Action=GetConsoleOutput&InstanceId=I&Latest=true&DryRun=true',
  'Action=GetCallerIdentity&Version=2011-06-15',
]
/** Of LookupEvents. */
const JSON_BODIES = [
  '{}',
  '{"MaxResults":5,"StartTime":1764400000,"EndTime":1.8e9}',
  '{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"RunInstances"}]}',
  '{"NextToken":"AAAA","EventCategory":"insight"}',
  `{"LookupAttributes":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
  '{"__proto__":{"a":1},"constructor":null,"MaxResults":1e999}',
]
const ids = new Map<string, string>()

/**
 * A form of each action, as the SDK sends it. What would remove things mostly does not. Actions of
 * CloudTrail are asked in JSON, by which `unit/api/wire/aws-json.test.ts` tries them.
 */
async function soundForms(world: World): Promise<readonly string[]> {
  const forms: string[] = []
  for (const [name, requests] of Object.entries(REQUESTS))
    for (const requestOf of Object.hasOwn(CLOUDTRAIL_MODEL.actions, name) ? [] : requests) {
      const { body } = await signedBySdk(name, requestOf(world))
      const form = Buffer.from(body).toString()
      const removes = /^(Delete|Deregister|Release|Terminate|Detach|Disassociate)/.test(name)
      forms.push(removes && !form.includes('UserName') ? `${form}&DryRun=true` : form)
    }
  return forms
}

/**
 * A sound form with up to three of its pairs changed, left out, doubled or joined by invented ones;
 * or all invented.
 */
function inventForm(chance: Chance): string {
  if (chance.below(4) === 0) return inventAll(chance)
  const form = chance.pick(sound).replaceAll(/(?<==)[A-Z](?=&|$)/g, (name) => ids.get(name) ?? name)
  const pairs = form.split('&')
  for (let count = chance.below(4); count > 0; count -= 1) {
    const at = 1 + chance.below(Math.max(1, pairs.length - 1))
    const [name = '', value = ''] = (pairs[at] ?? '').split('=')
    const word = encodeURIComponent(chance.pick(words))
    const [extra = ''] = inventAll(chance).split('&').slice(2)
    const change = chance.pick([
      [`${name}=${word}`],
      [],
      [`${name}=${value}`, `${name.replace('1', '2')}=${word}`],
      [`${name}=${value}`, extra],
    ])
    if (pairs[at] !== undefined) pairs.splice(at, 1, ...change)
  }
  const version = form.includes('&Version=') ? '' : '&Version=2016-11-15'
  return `${pairs.join('&')}${version}`
}

/** A form for an action, of parameters that its model knows. */
function inventAll(chance: Chance): string {
  const { name } = chance.pick(allActions)
  const pairs = [`Action=${name}`, 'Version=2016-11-15']
  const wire = wires.get(name)
  if (wire !== undefined) {
    for (let count = chance.below(8); count > 0; count -= 1) {
      const path = inventPath(wire.input, chance, 0)
      if (path !== '') pairs.push(`${path}=${encodeURIComponent(chance.pick(words))}`)
    }
  }
  return pairs.join('&')
}

function inventPath(structure: Structure, chance: Chance, depth: number): string {
  const names = [...structure.byWireName.keys()]
  if (names.length === 0 || depth > 4) return ''
  const name = chance.pick(names)
  const shape = structure.byWireName.get(name)?.shape
  return shape === undefined ? name : `${name}${inventStep(shape, chance, depth)}`
}

function inventStep(shape: Shape, chance: Chance, depth: number): string {
  if (shape.kind === 'scalar') return ''
  if (shape.kind === 'structure') return `.${inventPath(shape.structure, chance, depth + 1)}`
  if (shape.kind === 'map') return ''
  return `.${1 + chance.below(3)}${inventStep(shape.of, chance, depth + 1)}`
}

interface Answered {
  readonly status: number
  readonly body: string
}

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
afterAll(() => agent.destroy())

/**
 * A request by HTTP with the signature of what `signed` is; `sent` is the body that goes, `more`
 * are headers that are not signed.
 */
async function post(
  sent: Buffer,
  signed: Buffer,
  more: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const host = `127.0.0.1:${api.port}`
  const own = { ...signedHeaders({ body: signed, host }), 'content-length': sent.length }
  const headers = { ...own, ...more }
  const asked = request({ agent, host: '127.0.0.1', port: api.port, method: 'POST', headers })
  asked.end(sent)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await text(response) }
}

/**
 * Sends bytes over a connection of their own; what comes back until it ends or has fallen silent.
 */
async function raw(bytes: Buffer): Promise<string> {
  const socket = connect(api.port, '127.0.0.1')
  socket.setTimeout(500, () => socket.destroy())
  socket.on('error', () => undefined)
  socket.end(bytes)
  return await text(socket).catch(() => '')
}

/** Runs `one` so often, a few at the same time. */
async function many(times: number, one: (chance: Chance) => Promise<void>): Promise<void> {
  const chance = chanceOf(SEED)
  let left = times
  const work = async () => {
    while (left > 0) {
      left -= 1
      await one(chanceOf(chance.below(2 ** 31)))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

function expectAnswer({ status, body }: Answered, about: string): void {
  // Placement has no room any more: EC2's own code for it.
  const isFull = body.includes('InsufficientInstanceCapacity')
  expect(status < 500 || status === 503 || isFull, `${status} to ${about}: ${body}`).toBe(true)
  expect(body, about).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>/)
  expect(body, about).not.toMatch(/\/src\/|node_modules|at \w+ \(/)
}

describe(`with ATOLL_SEED=${SEED},`, () => {
  it('well signed requests of invented parameters are answered', {
    timeout: 1_800_000,
  }, async () => {
    let served = 0
    const { longestMs } = await watchLoopOften(STALL_MS, () =>
      many(ALL * 0.5, async (chance) => {
        const form = Buffer.from(inventForm(chance))
        const answer = await post(form, form)
        expectAnswer(answer, form.toString())
        if (answer.status === 200) served += 1
      }),
    )
    // It goes deep enough only when many are taken for honest.
    expect(served).toBeGreaterThan(ALL * 0.05)
    expect(bugs).toEqual([])
    expect(longestMs).toBeLessThan(STALL_MS)
  })

  it('well signed requests of mutated bytes are answered', { timeout: 1_800_000 }, async () => {
    await many(ALL * 0.3, async (chance) => {
      const form = mutate(Buffer.from(inventForm(chance)), chance)
      expectAnswer(await post(form, form), form.toString('hex'))
    })
    expect(bugs).toEqual([])
  })

  it('well signed requests in JSON are answered', { timeout: 900_000 }, async () => {
    const more = { [TARGET_HEADER]: 'CloudTrail_20131101.LookupEvents' }
    await many(ALL * 0.05, async (chance) => {
      const sound = Buffer.from(chance.pick(JSON_BODIES))
      const body = chance.below(4) === 0 ? sound : mutate(sound, chance)
      const answer = await post(body, body, more)
      expect([200, 400, 503], `${body.toString('hex')}: ${answer.body}`).toContain(answer.status)
      expect(JSON.parse(answer.body)).toBeTypeOf('object')
    })
    expect(bugs).toEqual([])
  })

  it('requests that were changed after they were signed are refused', {
    timeout: 900_000,
  }, async () => {
    await many(ALL * 0.1, async (chance) => {
      const form = Buffer.from(inventForm(chance))
      const changed = mutate(form, chance)
      if (changed.equals(form)) return
      const { status, body } = await post(changed, form)
      expect(status, body).toBe(401)
    })
    expect(bugs).toEqual([])
  })

  it('bytes that are almost HTTP are answered or disconnected', {
    timeout: 1_800_000,
  }, async () => {
    await many(ALL * 0.1, async (chance) => {
      const form = inventForm(chance)
      const lines = Object.entries(signedHeaders({ body: form, host: 'a' }))
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const sound = `POST / HTTP/1.1\r\n${head}Content-Length: ${form.length}\r\nConnection: close\r\n\r\n${form}`
      const answer = await raw(mutate(Buffer.from(sound, 'latin1'), chance))
      expect(answer).not.toMatch(/HTTP\/1\.1 50[0-24-9](?!.*InsufficientInstanceCapacity)/s)
      // The AWS CLI crashes on anything but XML.
      const [, body = ''] = answer.split(/\r\n\r\n(?!HTTP)/)
      expect(body, answer).toMatch(/^(<\?xml |$)/)
    })
    expect(bugs).toEqual([])
    const form = Buffer.from('Action=DescribeRegions&Version=2016-11-15')
    expect((await post(form, form)).status).toBe(200)
  })
})
