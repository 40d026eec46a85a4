/**
 * A client with a key asks for as much work as one request can carry.
 *
 * Before: 200 globs over 2,000 tags kept the loop of the host, and with it DHCP, DNS, metadata and
 * the lease, for 42 s; DeleteTags of 1,000 tags of 1,000 resources was a transaction of a million
 * statements. Now every request works in pieces of a few milliseconds and has a budget of steps.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../src/api/actions/all.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Tag } from '../../src/model/records.ts'
import { CREDENTIALS, KEY, type RunningApi, runApi } from '../kit/api.ts'
import { ALICE, type Cloud, openCloud } from '../kit/api-cloud.ts'
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

const numbered = (make: (n: number) => string) => Array.from({ length: 200 }, (_, n) => make(n))

const PATTERNS: readonly (readonly [string, string, string[]])[] = [
  ['an a between every two stars', 'a'.repeat(256), numbered((n) => `${'*a'.repeat(100)}${n}b`)],
  [
    'half the text and one wrong letter',
    'a'.repeat(256),
    numbered((n) => `*${'a'.repeat(128)}b${n}*`),
  ],
  ['single wildcards', 'a'.repeat(256), numbered((n) => `*${'?a'.repeat(60)}b${n}*`)],
  ['as many stars as fit', 'a'.repeat(256), numbered((n) => `${'*'.repeat(1000)}b${n}`)],
  [
    'letters outside the first plane',
    '𝄞'.repeat(256),
    numbered((n) => `*${'𝄞?'.repeat(40)}b${n}*`),
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
    const Values = numbered((n) => `*${'?a'.repeat(60)}b${n}*`)
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
    const Values = numbered((n) => `*value*${n}*`).with(7, '*ordinary*forty*')
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
