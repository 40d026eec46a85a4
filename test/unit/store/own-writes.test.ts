import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unavailable } from '../../../src/model/errors.ts'
import type { Instance } from '../../../src/model/records.ts'
import { createBacklog, noteWrites, type OwnCall } from '../../../src/store/own-writes.ts'
import { openReplica, type Replica } from '../../../src/store/replica.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { account, hostName, instanceId, instanceRecord, nicRecord } from '../../kit/records.ts'

const host = hostName('a')
const fast = fastClock(50)
const instance = (number: number): Instance => instanceRecord(instanceId(number), host)
const tagOf = (number: number, value: string) => ({
  account,
  resource: instanceId(number),
  resourceType: 'instance',
  key: 'k',
  value,
})

let dir: string
let engine: Store
let replica: Replica
let store: Store
/** Set: copies begin and do not come to an end, or fail. */
let held: Promise<unknown> | null
let copies: number

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-own-'))
  engine = await openRecords([host])
  held = null
  copies = 0
  const source: Store = {
    ...engine,
    read: async (work, options) => {
      const result = await engine.read(work, options)
      copies += 1
      await held
      return result
    },
  }
  replica = await openReplica({
    file: join(dir, 'replica.db'),
    source,
    clock: fast,
    log: silentLog,
    random: Math.random,
  })
  store = noteWrites(engine, replica, 'client')
  await eventually('it is filled', async () => (await inReplica((tx) => tx.hosts())).length === 1)
})
afterEach(async () => {
  held = null
  await replica.close()
  await engine.close()
  await rm(dir, { recursive: true, force: true })
})

async function inReplica<T>(
  work: (tx: Pick<Tx, 'hosts' | 'instances' | 'tags' | 'nics'>) => Promise<T>,
) {
  return await replica.read(work)
}
const launch = (number: number) =>
  store.change(async (tx) => {
    await tx.insertInstance(instance(number))
    await tx.insertNic(nicRecord(instanceId(number), number))
    await tx.putTags([tagOf(number, 'first')])
  })
/** From here on every copy fails. */
function stopCopies(): void {
  held = Promise.reject(unavailable('away'))
  held.catch(() => undefined)
}

describe('a copy of the records', () => {
  it('has what this host has written with its next read, without being filled again', async () => {
    stopCopies()
    await launch(1)
    expect(await inReplica((tx) => tx.instances({}))).toEqual([instance(1)])
    expect(await inReplica((tx) => tx.nics({}))).toHaveLength(1)
    await store.change(async (tx) => {
      await tx.updateInstance(instanceId(1), { state: 'running' })
      await tx.putTags([tagOf(1, 'second')])
    })
    expect(await inReplica((tx) => tx.instances({}))).toMatchObject([{ state: 'running' }])
    expect(await inReplica((tx) => tx.tags({}))).toMatchObject([{ value: 'second' }])
    await store.change(async (tx) => {
      await tx.deleteTagsOf(instanceId(1))
      await tx.deleteNics(instanceId(1))
      await tx.deleteInstance(instanceId(1))
    })
    expect(await inReplica((tx) => tx.instances({}))).toEqual([])
    expect(await inReplica((tx) => tx.tags({}))).toEqual([])
  })

  it('does not have what was taken back, nor what a run wrote that did not count', async () => {
    stopCopies()
    const failing = store.change(async (tx) => {
      await tx.insertInstance(instance(1))
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const twice: Store = {
      ...engine,
      async change(work) {
        await engine
          .change(async (tx) => {
            await work(tx)
            throw new Error('run again')
          })
          .catch(() => undefined)
        return await engine.change(work)
      },
    }
    let run = 1
    await noteWrites(twice, replica, 'client').change(async (tx) => {
      run += 1
      await tx.insertInstance(instance(run))
    })
    expect(await inReplica((tx) => tx.instances({}))).toEqual([instance(3)])
  })

  it('keeps what was written while it was filled again from older records', async () => {
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    const before = copies
    await eventually('a copy was read', async () => {
      replica.refresh()
      return copies > before
    })
    await launch(1)
    expect(await inReplica((tx) => tx.instances({}))).toHaveLength(1)
    const asOf = replica.asOf()
    gate.resolve()
    await eventually('it is made again', async () => replica.asOf() !== asOf)
    expect(await inReplica((tx) => tx.instances({}))).toHaveLength(1)
    expect(await inReplica((tx) => tx.tags({}))).toHaveLength(1)
    held = null
    await eventually('and once more', async () => {
      replica.refresh()
      return (await inReplica((tx) => tx.hosts()))[0]?.generation === 2
    })
    expect(await inReplica((tx) => tx.instances({}))).toHaveLength(1)
  })

  it('answers nothing while it lacks what an own write rests on, and all of it when it has that', async () => {
    stopCopies()
    await engine.change((tx) => tx.insertInstance(instance(1)))
    await store.change((tx) => tx.updateInstance(instanceId(1), { state: 'running' }))
    await expect(inReplica((tx) => tx.hosts())).rejects.toMatchObject({ kind: 'unavailable' })
    held = null
    await eventually('it has been made again', () =>
      inReplica((tx) => tx.instances({})).then(
        ([one]) => one?.state === 'running',
        () => false,
      ),
    )
  })

  it('is whole without what this host tells of an instance that was launched elsewhere a moment ago', async () => {
    stopCopies()
    await engine.change((tx) => tx.insertInstance(instance(1)))
    const agents = noteWrites(engine, replica, 'agent')
    await agents.change((tx) => tx.updateInstance(instanceId(1), { state: 'running' }))
    expect(await inReplica((tx) => tx.instances({}))).toEqual([])
    await launch(2)
    await agents.change((tx) => tx.updateInstance(instanceId(2), { state: 'running' }))
    expect(await inReplica((tx) => tx.instances({}))).toMatchObject([{ state: 'running' }])
  })

  it('has own writes after a restart', async () => {
    stopCopies()
    await launch(1)
    await replica.close()
    replica = await openReplica({
      file: join(dir, 'replica.db'),
      source: { ...engine, read: () => Promise.reject(unavailable('away')) },
      clock: fast,
      log: silentLog,
      random: Math.random,
    })
    expect(await inReplica((tx) => tx.instances({}))).toHaveLength(1)
  })
})

describe('a backlog', () => {
  const call: OwnCall = { method: 'deleteTagsOf', given: ['x'], isFact: false }
  const tx = { deleteTagsOf: async () => undefined } as unknown as Tx

  it('forgets calls beyond its limit, and shows all again with records read after them', async () => {
    const backlog = createBacklog(2)
    const before = backlog.end()
    backlog.add([call, call, call])
    expect(backlog.isDue()).toBe(false)
    expect(backlog.isShown()).toBe(false)
    ;(await backlog.putAfter(tx, before))()
    expect(backlog.isShown()).toBe(false)
    const place = backlog.end()
    backlog.add([call])
    ;(await backlog.putAfter(tx, place))()
    expect(backlog.isShown()).toBe(true)
    expect(backlog.isDue()).toBe(false)
  })

  it('puts each call once, and those after the place once more', async () => {
    let puts = 0
    const counting = {
      deleteTagsOf: async () => {
        puts += 1
      },
    } as unknown as Tx
    const backlog = createBacklog(10)
    backlog.add([call, call])
    ;(await backlog.put(counting))()
    ;(await backlog.put(counting))()
    expect(puts).toBe(2)
    const place = backlog.end()
    backlog.add([call])
    ;(await backlog.put(counting))()
    ;(await backlog.putAfter(counting, place))()
    expect(puts).toBe(4)
  })
})
