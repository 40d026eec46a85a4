/** A host offers what waits on it, each once, and withdraws what does not wait any more. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createWarmInstances } from '../../../src/agent/warm-instances.ts'
import type { Log } from '../../../src/lib/log.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { unavailable } from '../../../src/model/errors.ts'
import type { InstanceId } from '../../../src/model/ids.ts'
import type { WarmInstance, WarmPool, WarmWant } from '../../../src/model/warm-instance.ts'
import type { Snapshot } from '../../../src/plan/want.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import {
  hostName,
  instanceId,
  instanceRecord,
  numbered,
  image as sample,
} from '../../kit/records.ts'

const [A, B] = [hostName('a'), hostName('b')]
const DIGEST = `sha256:${'a'.repeat(64)}`
const image = { ...sample, id: numbered('ami', 2), name: 'pinned', digest: DIGEST }
let store: Store
let type = ''

beforeEach(async () => {
  store = await openRecords([A, B])
  const [first] = await store.read((tx) => tx.instanceTypes())
  if (first === undefined) throw new Error('there are no types')
  type = first.name
  await store.change((tx) => tx.insertImage(image))
})
afterEach(() => store.close())

/** A pool in memory: what a driver would start and forget. */
function openPool() {
  const all = new Map<InstanceId, WarmInstance>()
  const pool: WarmPool & { wants: readonly WarmWant[] } = {
    wants: [],
    driver: FIRST_DRIVERS.container,
    keep(wants) {
      pool.wants = wants
    },
    waiting: () => [...all.values()],
    discard: (id) => void all.delete(id),
  }
  const start = (...numbers: readonly number[]) => {
    for (const number of numbers)
      all.set(instanceId(number), { id: instanceId(number), image: image.id, digest: DIGEST, type })
  }
  return { pool, start, end: (number: number) => void all.delete(instanceId(number)) }
}

function begin(count = 2, records: Pick<Store, 'read' | 'change'> = store) {
  const made = openPool()
  const settings = count === 0 ? [] : [{ image: image.id, type, count }]
  const told: unknown[] = []
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) }
  const duty = createWarmInstances({ store: records, host: A, pool: made.pool, settings, log })
  const look = async (...numbers: readonly number[]) => {
    const hosts = await store.read((tx) => tx.hosts())
    const instances = numbers.map((number) => instanceRecord(instanceId(number), A))
    // What the duty reads of a snapshot.
    const snapshot = { hosts, instances } as unknown as Snapshot
    await duty.run(snapshot, new AbortController().signal)
  }
  return { ...made, look, duty, told }
}

const offers = async () => (await store.read((tx) => tx.warmInstances(A))).map(({ id }) => id)
const take = (number: number) =>
  store.claim((tx) =>
    tx.takeWarmInstance({
      ...{ id: instanceId(number), host: A, image: image.id, digest: DIGEST, type },
    }),
  )

describe('what waits', () => {
  it('is offered once, whatever becomes of the offer', async () => {
    const { start, look } = begin()
    start(1, 2)
    await look()
    expect(await offers()).toEqual([instanceId(1), instanceId(2)])
    expect(await take(1)).toBe('done')
    await look()
    await look(1)
    expect(await offers()).toEqual([instanceId(2)])
  })

  it('is not offered any more when it does not wait', async () => {
    const { start, end, look } = begin()
    start(1, 2)
    await look()
    end(1)
    await look()
    expect(await offers()).toEqual([instanceId(2)])
  })

  it('is forgotten when its launch came to nothing, but not in the pass that may not know it', async () => {
    const { pool, start, look } = begin()
    start(1, 2)
    await look()
    await take(1)
    await take(2)
    await look()
    expect(pool.waiting()).toHaveLength(2)
    await look(2)
    expect(pool.waiting().map(({ id }) => id)).toEqual([instanceId(2)])
  })

  it('is not given away when nobody knows whether it was offered', async () => {
    const failing = {
      read: store.read,
      change: async () => {
        throw unavailable('the answer to the commit was lost')
      },
    }
    const { pool, start, look } = begin(2, failing)
    start(1)
    await expect(look()).rejects.toThrow('the answer')
    expect(pool.waiting()).toEqual([])
  })

  it('is withdrawn when the daemon ends', async () => {
    const { start, look, duty } = begin()
    start(1)
    await look()
    await duty.close()
    expect(await offers()).toEqual([])
  })

  it('of an earlier run is withdrawn, and of other hosts is not', async () => {
    await store.change(async (tx) => {
      const of = { image: image.id, digest: DIGEST, type }
      await tx.offerWarmInstance({ id: instanceId(7), host: A, ...of })
      await tx.offerWarmInstance({ id: instanceId(8), host: B, ...of })
    })
    const { look } = begin()
    await look()
    expect(await store.read((tx) => tx.warmInstances())).toMatchObject([{ id: instanceId(8) }])
  })
})

describe('what is kept waiting', () => {
  it('is what the setting says, while the host takes instances and the image is there', async () => {
    const { pool, look } = begin(3)
    await look()
    expect(pool.wants).toMatchObject([{ image: { id: image.id }, count: 3 }])
    await store.change((tx) => tx.setHostState(A, 'draining'))
    await look()
    expect(pool.wants).toEqual([])
    await store.change((tx) => tx.setHostState(A, 'active'))
    await look()
    expect(pool.wants).toHaveLength(1)
    await store.change((tx) => tx.updateImage(image.id, { state: 'deregistered' }))
    await look()
    expect(pool.wants).toEqual([])
  })

  it('is said to be nothing, once in the log, when the setting names no image', async () => {
    await store.change((tx) => tx.updateImage(image.id, { state: 'deregistered' }))
    const { start, look, duty, told } = begin(3)
    start(1)
    const setting = { image: image.id, type, count: 3 }
    await look()
    await look()
    const problem = `the image ${image.id} is deregistered`
    expect(told).toEqual([{ ...setting, problem }])
    expect(duty.reports()).toEqual([{ ...setting, waiting: 1, problem }])
    await store.change((tx) => tx.updateImage(image.id, { state: 'available' }))
    await look()
    expect(duty.reports()).toMatchObject([{ problem: null }])
    expect(told).toHaveLength(1)
  })

  it('is nothing without the setting, which costs one statement of each run', async () => {
    await store.change((tx) =>
      tx.offerWarmInstance({ id: instanceId(7), host: A, image: image.id, digest: DIGEST, type }),
    )
    let statements = 0
    const counted: Pick<Store, 'read' | 'change'> = {
      read: async () => {
        throw new Error('nothing is to be read')
      },
      change: async (work) => {
        statements += 1
        return await store.change(work)
      },
    }
    const { pool, look } = begin(0, counted)
    await look()
    await look()
    expect(await offers()).toEqual([])
    expect({ statements, wants: pool.wants }).toEqual({ statements: 1, wants: [] })
  })
})
