/**
 * A client with a key asks for as much work as one request can carry.
 *
 * Before: 200 globs over 2,000 tags kept the loop of the host, and with it DHCP, DNS, metadata and
 * the lease, for 42 s; DeleteTags of 1,000 tags of 1,000 resources was a transaction of a million
 * statements; a list of instances read all that the account had ended in the last hour, and was
 * answered with 503 after 30 s when there were 100,000. Now every request works in pieces of a few
 * milliseconds and has a budget of steps, and long lists are read in parts.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../src/api/actions/all.ts'
import { describeInstances } from '../../src/api/actions/describe-instances.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Tag } from '../../src/model/records.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { addTerminatedCopies } from '../../tools/kit/many-terminated.ts'
import { CREDENTIALS, KEY, type RunningApi, runApi } from '../kit/api.ts'
import { ALICE, type Cloud, openCloud } from '../kit/api-cloud.ts'
import { hostName, instanceId, instanceRecord, nicRecord, numbered } from '../kit/records.ts'
import { watchLoopOften } from '../kit/stall.ts'

/** What is promised is 20 ms; a collection of garbage may come on top of it. */
const STALL_MS = 25
const RESOURCES = 50

let cloud: Cloud
let api: RunningApi
let client: ec2.EC2Client

beforeAll(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 1000, memoryMiB: 1_000_000 }] })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  api = await runApi(allActions, { parts: { ...cloud.parts, clock: systemClock } })
  client = new ec2.EC2Client({
    region: 'atoll',
    endpoint: api.url,
    credentials: CREDENTIALS,
    maxAttempts: 1,
  })
  // Everything that is compiled when it is first used.
  await client.send(new ec2.DescribeTagsCommand({ Filters: [{ Name: 'value', Values: ['*a*'] }] }))
})
afterAll(async () => {
  client.destroy()
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

/** 2,000 tags whose values are as long as may be, and almost what the attacker looks for. */
async function fillTags(value: string): Promise<void> {
  const tags = Array.from({ length: 2_000 }, (_, n): Tag => {
    const resource = `i-${String(n % RESOURCES).padStart(17, '0')}`
    return { account: ALICE, resource, resourceType: 'instance', key: `key-${n}`, value }
  })
  await cloud.store.change((tx) => tx.putTags(tags))
}

/** `OK`, or the code of the refusal. */
async function outcomeOf(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    () => 'OK',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )
}

const patterns = (make: (n: number) => string) => Array.from({ length: 200 }, (_, n) => make(n))

const PATTERNS: readonly (readonly [string, string, string[]])[] = [
  ['an a between every two stars', 'a'.repeat(256), patterns((n) => `${'*a'.repeat(100)}${n}b`)],
  [
    'half the text and one wrong letter',
    'a'.repeat(256),
    patterns((n) => `*${'a'.repeat(128)}b${n}*`),
  ],
  ['single wildcards', 'a'.repeat(256), patterns((n) => `*${'?a'.repeat(60)}b${n}*`)],
  ['as many stars as fit', 'a'.repeat(256), patterns((n) => `${'*'.repeat(1000)}b${n}`)],
  [
    'letters outside the first plane',
    '𝄞'.repeat(256),
    patterns((n) => `*${'𝄞?'.repeat(40)}b${n}*`),
  ],
]

describe('filters', () => {
  it.each(PATTERNS)('%s: the loop goes on', { timeout: 120_000 }, async (_what, value, Values) => {
    await fillTags(value)
    const ask = () =>
      client.send(
        new ec2.DescribeTagsCommand({ Filters: [{ Name: 'value', Values: [...Values] }] }),
      )
    const { result, longestMs } = await watchLoopOften(STALL_MS, () => outcomeOf(ask()))
    expect(['OK', 'RequestLimitExceeded']).toContain(result)
    expect(longestMs).toBeLessThan(STALL_MS)
  })

  it('of many clients at once share the loop with everybody else', {
    timeout: 120_000,
  }, async () => {
    await fillTags('a'.repeat(256))
    const Values = patterns((n) => `*${'?a'.repeat(60)}b${n}*`)
    const ask = () =>
      client.send(
        new ec2.DescribeTagsCommand({ Filters: [{ Name: 'value', Values: [...Values] }] }),
      )
    const { longestMs } = await watchLoopOften(STALL_MS, () =>
      Promise.all(Array.from({ length: 20 }, () => outcomeOf(ask()))),
    )
    expect(longestMs).toBeLessThan(STALL_MS)
  })

  it('of ordinary size are answered: 200 globs over 2,000 tags', async () => {
    await fillTags('ordinary-value-of-a-tag-of-forty-letters')
    const Values = patterns((n) => `*value*${n}*`).with(7, '*ordinary*forty*')
    const answer = await client.send(
      new ec2.DescribeTagsCommand({ Filters: [{ Name: 'value', Values: [...Values] }] }),
    )
    expect(answer.Tags).toHaveLength(1_000)
    expect(answer.NextToken).toBeDefined()
  })
})

it('an account of 50,000 tags is listed between packets and timers', async () => {
  const tags = Array.from({ length: 50_000 }, (_, n): Tag => {
    const resource = `i-${String(n % 1_000).padStart(17, '0')}`
    return { account: ALICE, resource, resourceType: 'instance', key: `many-${n}`, value: 'v' }
  })
  await cloud.store.change((tx) => tx.putTags(tags))
  const list = () => client.send(new ec2.DescribeTagsCommand({ MaxResults: 5 }))
  const { longestMs } = await watchLoopOften(STALL_MS, list)
  expect(longestMs).toBeLessThan(STALL_MS)
  await cloud.store.change(async (tx) => {
    for (const resource of new Set(tags.map((tag) => tag.resource))) await tx.deleteTagsOf(resource)
  })
})

describe('an account of 30,000 terminated instances', () => {
  const held: { many?: Cloud; directory?: string } = {}
  beforeAll(async () => {
    held.directory = await mkdtemp(join(tmpdir(), 'api-work-'))
    const file = join(held.directory, 'atoll.db')
    const store = await openSqliteStore({ file, log: silentLog })
    await store.migrate()
    const many = await openCloud({ store, parts: { clock: systemClock } })
    held.many = many
    const own = { account: ALICE, image: many.image }
    await store.change(async (tx) => {
      for (let number = 1; number <= 20; number += 1) {
        const id = instanceId(number)
        const record = { ...instanceRecord(id, hostName('host1')), ...own }
        const reservation = numbered('r', number)
        const state = number % 2 === 0 ? 'stopped' : 'running'
        await tx.insertInstance({ ...record, reservation, state })
        const place = { account: ALICE, vpc: many.vpc.id, subnet: many.subnet.id }
        await tx.insertNic({ ...nicRecord(id, number), ...place, groups: [many.group.id] })
        const tag = { account: ALICE, resource: id, resourceType: 'instance' }
        await tx.putTags([
          { ...tag, key: 'Team', value: 'platform' },
          { ...tag, key: 'Role', value: 'database' },
        ])
      }
      const ended = { ...own, state: 'terminated' as const }
      await tx.insertInstance({ ...instanceRecord(instanceId(99), hostName('host1')), ...ended })
    })
    addTerminatedCopies(file, instanceId(99), 30_000)
  }, 120_000)
  afterAll(async () => {
    await held.many?.[Symbol.asyncDispose]()
    await held.many?.store.close()
    if (held.directory !== undefined) await rm(held.directory, { recursive: true, force: true })
  })
  const by = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] })
  const platform = { Name: 'tag:Team', Values: ['platform'] }
  const alive = { Name: 'instance-state-name', Values: ['running', 'pending'] }

  it.each([
    ['by its id', () => ({ InstanceIds: [instanceId(3)] }), 1],
    ['by a tag that few have', () => by('tag:Role', 'database'), 20],
    ['by a tag that all have, and the state', () => ({ Filters: [platform, alive] }), 10],
    ['by a tag that all have', () => ({ Filters: [platform] }), 1000],
    ['by state', () => by('instance-state-name', 'stopped'), 10],
    ['by VPC', () => by('vpc-id', held.many?.vpc.id ?? ''), 20],
    ['by subnet', () => by('subnet-id', held.many?.subnet.id ?? ''), 20],
    ['by address', () => by('private-ip-address', nicRecord(instanceId(1), 1).ip), 1],
    ['by a pattern that none has', () => by('private-dns-name', 'x*y'), 0],
    ['of all', () => ({}), 1000],
  ] as const)('finds some %s between packets and timers', { timeout: 60_000 }, async (...given) => {
    const [, input, expected] = given
    const ask = async () => (await held.many?.run(describeInstances, input())) ?? {}
    const { result, longestMs } = await watchLoopOften(STALL_MS, ask)
    const found = (result['Reservations'] as ec2.Reservation[]).flatMap((one) => one.Instances)
    expect(found).toHaveLength(expected)
    expect(longestMs).toBeLessThan(STALL_MS)
  })
})

describe('changes', () => {
  it('of a thousand tags of a thousand resources are refused before they hold the records', async () => {
    const { Instances = [] } = await client.send(
      new ec2.RunInstancesCommand({
        ImageId: cloud.image,
        InstanceType: 't3.nano',
        MinCount: 100,
        MaxCount: 100,
      }),
    )
    const Resources = Instances.flatMap(({ InstanceId }) => InstanceId ?? [])
    const Tags = Array.from({ length: 1_000 }, (_, n) => ({ Key: `key-${n}` }))
    const { result, longestMs } = await watchLoopOften(STALL_MS, () =>
      outcomeOf(client.send(new ec2.DeleteTagsCommand({ Resources, Tags }))),
    )
    expect(result).toBe('RequestLimitExceeded')
    expect(longestMs).toBeLessThan(STALL_MS)
  })
})
