import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { unavailable } from '../../../src/model/errors.ts'
import { openReplica, type Replica } from '../../../src/store/replica.ts'
import { type InformedStore, withReplica } from '../../../src/store/replica-reads.ts'
import type { ReadTx, Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { breakable, openRecords } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { hostName } from '../../kit/records.ts'

const SPEEDUP = 50
const fast = fastClock(SPEEDUP)
const hosts = [hostName('a'), hostName('b')]
const hostNames = async (tx: ReadTx) => (await tx.hosts()).map(({ name }) => name)
const names = (from: Pick<Replica, 'read'>) => from.read(hostNames)
const namesOf = (from: InformedStore) => from.read(hostNames)
const noWork = async () => undefined

describe('a store with a replica', () => {
  let dir: string
  let engine: Store
  let replica: Replica
  let trouble: Error | null = null
  let source: Store
  const openAgain = () =>
    openReplica({
      file: join(dir, 'replica.db'),
      source,
      clock: fast,
      log: silentLog,
      random: Math.random,
    })

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'atoll-replica-'))
    engine = await openRecords(hosts)
    trouble = null
    source = breakable(engine, () => trouble)
    replica = await openAgain()
  })
  afterEach(async () => {
    await replica.close()
    await engine.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('answers reads from the replica while the engine is away and says of when, and never writes to it', async () => {
    await eventually('it is filled', async () => (await names(replica)).length === 2)
    const store = withReplica({ ...source, close: noWork }, replica, systemClock)
    expect(await namesOf(store)).toEqual({ value: hosts, asOf: null })
    trouble = unavailable('away')
    expect(await namesOf(store)).toEqual({ value: hosts, asOf: replica.asOf() })
    await expect(store.change(noWork)).rejects.toMatchObject({ kind: 'unavailable' })
    trouble = null
    await eventually('the engine is asked again', async () => (await namesOf(store)).asOf === null)
    await store.close()
  })

  it('gives each of two reads at once the age of its own records', async () => {
    await eventually('it is filled', async () => (await names(replica)).length === 2)
    const held = Promise.withResolvers<void>()
    const store = withReplica({ ...source, close: noWork }, replica, systemClock)
    // The first one reads the records and goes on while the second one is answered by the replica.
    const first = store.read(async (tx) => {
      const found = await tx.hosts()
      trouble = unavailable('away')
      await held.promise
      return found.map(({ name }) => name)
    })
    await eventually('the first one reads', () => trouble !== null)
    const second = await namesOf(store)
    held.resolve()
    expect(second.asOf).toBe(replica.asOf())
    expect(await first).toEqual({ value: hosts, asOf: null })
    // And the other way round: what was said of the second is not said of later ones.
    trouble = null
    await eventually('the engine is asked again', async () => (await namesOf(store)).asOf === null)
    expect(second.asOf).not.toBeNull()
    await store.close()
  })

  it('while the engine is known to be silent, nobody waits for it', async () => {
    await eventually('it is filled', async () => (await names(replica)).length === 2)
    let asked = 0
    const silent: Store = {
      ...engine,
      close: noWork,
      read: () => {
        asked += 1
        return new Promise(() => {})
      },
    }
    const sleep = () => new Promise<never>(() => {})
    const store = withReplica(silent, replica, { ...fast, sleep })
    await namesOf(store)
    const before = asked
    for (let times = 0; times < 20; times += 1) await namesOf(store)
    expect(asked).toBe(before)
    await store.close()
  })

  it('an engine that does not answer at all is not waited for', async () => {
    await eventually('it is filled', async () => (await names(replica)).length === 2)
    const silent: Store = { ...engine, read: () => new Promise(() => {}) }
    const { value, asOf } = await namesOf(withReplica(silent, replica, fast))
    expect(value).toEqual(hosts)
    expect(asOf).not.toBeNull()
  })

  it('asks for the latest records, and copies those', async () => {
    const sees: unknown[] = []
    const noted: Store = {
      ...engine,
      close: noWork,
      read: (work, options) => {
        sees.push(options?.sees)
        return engine.read(work, options)
      },
    }
    await namesOf(withReplica(noted, replica, systemClock))
    const file = join(dir, 'another.db')
    const random = Math.random
    const another = await openReplica({
      file,
      source: noted,
      clock: fast,
      log: silentLog,
      random,
    })
    await eventually('it is filled', async () => (await names(another)).length === 2)
    await another.close()
    expect(new Set(sees)).toEqual(new Set(['latest']))
  })

  it('a request that insists waits for an engine that is slow, and for one that stays silent not for ever', async () => {
    await eventually('it is filled', async () => (await names(replica)).length === 2)
    const answers = Promise.withResolvers<void>()
    const slow: Store = {
      ...engine,
      close: noWork,
      read: async (work, options) => {
        await answers.promise
        return engine.read(work, options)
      },
    }
    const store = withReplica(slow, replica, fast)
    expect((await namesOf(store)).asOf).not.toBeNull()
    const insisting = () => store.read(hostNames, { mayBeOld: false })
    await expect(insisting()).rejects.toMatchObject({ kind: 'unavailable' })
    const finding = insisting()
    answers.resolve()
    expect(await finding).toEqual({ value: hosts, asOf: null })
    await store.close()
  })

  it('a refusal is passed on: the replica would say the same', async () => {
    const store = withReplica(source, replica, systemClock)
    await expect(
      store.read(async () => {
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
  })

  it('follows its source, outlives the daemon, and is created again when its file is corrupt', async () => {
    await engine.change((tx) => tx.setHostState(hostName('b'), 'forgotten'))
    await eventually('it follows', async () => {
      replica.refresh()
      return (await names(replica)).length === 1
    })
    await replica.close()
    trouble = unavailable('away')
    replica = await openAgain()
    expect(await names(replica)).toEqual([hostName('a')])
    expect(replica.asOf()).not.toBeNull()
    await replica.close()
    await writeFile(join(dir, 'replica.db'), 'this is no database, and long enough to be looked at')
    trouble = null
    replica = await openAgain()
    await eventually('it is filled again', async () => (await names(replica)).length === 1)
  })
})
