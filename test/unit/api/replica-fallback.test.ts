/**
 * Nobody is refused by old records, and a host never answers from before its own last write: two
 * hosts over one store that answers when it likes, each with a replica of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Action } from '../../../src/api/action.ts'
import { allActions } from '../../../src/api/actions/all.ts'
import { actionTable } from '../../../src/api/wire/table.ts'
import { AtollError, unavailable } from '../../../src/model/errors.ts'
import { noteWrites } from '../../../src/store/own-writes.ts'
import { openReplica, type Replica } from '../../../src/store/replica.ts'
import { type InformedStore, withReplica } from '../../../src/store/replica-reads.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { breakable } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'

/** Who insists on the records waits for a quarter of a second, and longer on a busy machine. */
const fast = fastClock(20)

/** One host: the records as it uses them, and how its engine behaves. */
interface Host {
  readonly informed: InformedStore
  readonly replica: Replica
  /** How often the API has read. */
  reads(): number
  /** How long its reads take, in milliseconds; null: they fail at once. */
  delayMs: number | null
}

let cloud: Cloud
let dir: string
let hosts: Host[]

beforeEach(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 4096, memoryMiB: 4_194_304 }] })
  dir = await mkdtemp(join(tmpdir(), 'atoll-answer-'))
  hosts = [await openHost('a'), await openHost('b')]
})
afterEach(async () => {
  for (const { replica } of hosts) await replica.close()
  await cloud[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

async function openHost(name: string): Promise<Host> {
  const state: { delayMs: number | null } = { delayMs: 0 }
  const engine = breakable(cloud.store, () =>
    state.delayMs === null ? unavailable('the engine is away') : null,
  )
  const slow: Store = {
    ...engine,
    async read(work, options) {
      if (state.delayMs !== null && state.delayMs > 0) await wait(state.delayMs)
      return await engine.read(work, options)
    },
  }
  const file = join(dir, `${name}.db`)
  const random = Math.random
  const replica = await openReplica({ file, source: slow, clock: fast, log: silentLog, random })
  await eventually(
    'it is filled',
    async () => (await replica.read((tx) => tx.hosts())).length === 1,
  )
  let reads = 0
  const counted: Store = {
    ...noteWrites(slow, replica, 'client'),
    read: (work, options) => {
      reads += 1
      return slow.read(work, options)
    },
  }
  return {
    informed: withReplica(counted, replica, fast),
    replica,
    reads: () => reads,
    get delayMs() {
      return state.delayMs
    },
    set delayMs(ms) {
      state.delayMs = ms
    },
  }
}

function host(index: number): Host {
  const found = hosts[index]
  if (found === undefined) throw new Error('there is no such host')
  return found
}

function action(name: string): Action {
  const found = allActions.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no action ${name}`)
  return found
}

const ask = (index: number, name: string, input: object = {}) =>
  cloud.answer(host(index).informed, action(name), input)

const launched = { MinCount: 1, MaxCount: 1 }
async function launch(index: number): Promise<string> {
  const { output } = await ask(index, 'RunInstances', { ...launched, ImageId: cloud.image })
  return (output as { Instances: { InstanceId: string }[] }).Instances[0]?.InstanceId ?? ''
}

/** An id of each kind that nothing has. */
const UNKNOWN = {
  InstanceIds: 'i-0000000000000dead',
  ImageIds: 'ami-0000000000000dead',
  VolumeIds: 'vol-0000000000000dead',
  VpcIds: 'vpc-0000000000000dead',
  SubnetIds: 'subnet-0000000000000dead',
  GroupIds: 'sg-0000000000000dead',
  GroupNames: 'nobody',
  KeyNames: 'nobody',
  KeyPairIds: 'key-0000000000000dead',
  ZoneNames: 'nowhere',
  NetworkInterfaceIds: 'eni-0000000000000dead',
} as const

const TABLE = actionTable(allActions)
/** Every listing and the parameters by which it is asked for what is not there. */
const LISTINGS = allActions
  .filter(({ name }) => name.startsWith('Describe'))
  .flatMap(({ name }) =>
    Object.entries(UNKNOWN)
      .filter(([member]) => TABLE.get(name)?.wire.input.byMember.has(member) === true)
      .map(([member, value]) => [name, member, value] as const),
  )

describe('what is not in the copy', () => {
  it.each(LISTINGS)('is not denied by %s (%s)', async (name, member, value) => {
    const refusal = await ask(0, name, { [member]: [value] }).catch((error: unknown) => error)
    // A listing that answers nothing for an unknown id, or that nothing is ever in, says nothing
    // untrue.
    if (!(refusal instanceof AtollError) || host(0).reads() === 0) return
    expect(refusal.kind).toBe('refused')
    host(0).delayMs = null
    await expect(ask(0, name, { [member]: [value] })).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('is found as soon as the engine answers, however slow it is', async () => {
    const id = await launch(1)
    host(0).delayMs = 60
    const { output, asOf } = await ask(0, 'DescribeInstances', { InstanceIds: [id] })
    expect(JSON.stringify(output)).toContain(id)
    expect(asOf).toBeNull()
  })

  it('is unavailable for the console of an instance, too', async () => {
    const id = await launch(1)
    host(0).delayMs = null
    await expect(ask(0, 'GetConsoleOutput', { InstanceId: id })).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })

  it('is left out of a list without ids, which says of what time it is', async () => {
    host(0).delayMs = null
    const { asOf } = await ask(0, 'DescribeInstances')
    expect(asOf).not.toBeNull()
  })
})

describe('a client of two hosts', () => {
  it('reads what it has written, or is told to try again, whatever the engine does', async () => {
    const delays = fc.constantFrom(0, 0, 5, 20, 60, null)
    const step = fc.record({
      what: fc.constantFrom('launch', 'tag', 'untag', 'key', 'unkey', 'terminate'),
      writer: fc.integer({ min: 0, max: 1 }),
      delays: fc.tuple(delays, delays),
    })
    const looks = { same: 0, other: 0, copies: 0, again: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        for (const one of hosts) one.delayMs = 0
        const id = await launch(0)
        let serial = 0
        for (const { what, writer, delays: after } of steps) {
          for (const one of hosts) one.delayMs = 0
          serial += 1
          const seen = await write(what, writer, id, `${id}-${serial}`)
          for (const [index, delayMs] of after.entries()) host(index).delayMs = delayMs
          for (const index of [0, 1]) {
            const answer = await ask(index, seen.name, seen.input).catch((error: unknown) => error)
            if (answer instanceof AtollError) {
              expect(answer.kind).toBe('unavailable')
              looks.again += 1
              continue
            }
            const { output, asOf } = answer as { output: object; asOf: string | null }
            // What another host wrote a copy may lack, and then it says of what time it is.
            if (index !== writer && asOf !== null) looks.copies += 1
            else {
              expect(seen.isTrue(JSON.stringify(output)), `${what} ${String(asOf)}`).toBe(true)
              looks[index === writer ? 'same' : 'other'] += 1
            }
          }
        }
      }),
      { numRuns: 12 },
    )
    expect(Math.min(looks.same, looks.other)).toBeGreaterThan(0)
  }, 60_000)
})

/** Writes something at a host, and gives how it is looked at and what must be seen then. */
async function write(what: string, writer: number, id: string, name: string) {
  const has = (text: string) => (answer: string) => answer.includes(text)
  const lacks = (text: string) => (answer: string) => !answer.includes(text)
  const tags = { Resources: [id], Tags: [{ Key: 'k', Value: name }] }
  switch (what) {
    case 'launch': {
      const another = await launch(writer)
      return { name: 'DescribeInstances', input: {}, isTrue: has(another) }
    }
    case 'tag':
    case 'untag':
      await ask(writer, 'CreateTags', tags)
      if (what === 'tag') return { name: 'DescribeTags', input: {}, isTrue: has(name) }
      await ask(writer, 'DeleteTags', tags)
      return { name: 'DescribeInstances', input: {}, isTrue: lacks(name) }
    case 'key':
    case 'unkey':
      await ask(writer, 'CreateKeyPair', { KeyName: name, KeyType: 'ed25519' })
      if (what === 'key') return { name: 'DescribeKeyPairs', input: {}, isTrue: has(name) }
      await ask(writer, 'DeleteKeyPair', { KeyName: name })
      return { name: 'DescribeKeyPairs', input: {}, isTrue: lacks(name) }
    default: {
      const another = await launch(writer)
      await ask(writer, 'TerminateInstances', { InstanceIds: [another] })
      return {
        name: 'DescribeInstances',
        input: { InstanceIds: [another] },
        isTrue: has('shutting-down'),
      }
    }
  }
}
