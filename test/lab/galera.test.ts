/**
 * The record store over a real Galera cluster: three nodes that lose power, network, or each other
 * during transactions.
 *
 * Always true: a transaction that was confirmed is there, once; one that failed is there once or
 * not at all. Measured: how long no transaction succeeded.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Log } from '../../src/lib/log.ts'
import { AtollError } from '../../src/model/errors.ts'
import type { AccountId } from '../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../src/model/metadata-options.ts'
import { openMariadbStore } from '../../src/store/engines/mariadb/dialect.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { PASSWORD, USER } from '../../tools/kit/mariadb.ts'
import { eventually } from '../../tools/kit/netns.ts'
import * as given from '../contract/store/records.ts'
import { type Galera, type GaleraNode, startGalera } from '../kit/galera.ts'

/**
 * The targets are 4 s and 1 s, which the drills measure; the rest is for a machine that is
 * busy with other tests.
 */
const WRITE_GAP_MS = 10_000
const READ_GAP_MS = 5_000

/** How long the cluster may be away after what it suffered. */
const PATIENCE_MS = 30_000

const held: { galera?: Galera; leave?: () => void; databases: number } = { databases: 0 }
const opened: Store[] = []
beforeAll(async () => {
  held.galera = await startGalera()
  held.leave = held.galera.fabric.enter()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(async () => {
  held.leave?.()
  await held.galera?.end()
})

function galera(): Galera {
  if (held.galera === undefined) throw new Error('Galera did not start')
  return held.galera
}

function node(number: number): GaleraNode {
  const found = galera().nodes[number]
  if (found === undefined) throw new Error(`there is no node ${number}`)
  return found
}

async function freshDatabase(): Promise<string> {
  held.databases += 1
  const name = `records${held.databases}`
  await node(0).ask(`create database ${name}`)
  return name
}

/** A store that prefers the nodes in this order. */
async function open(database: string, order = [0, 1, 2], log: Log = silentLog): Promise<Store> {
  const store = await openMariadbStore({
    nodes: order.map((number) => node(number).address),
    database,
    user: USER,
    password: PASSWORD,
    tls: { to: 'none', ca: null, cert: null, key: null },
    log,
  })
  opened.push(store)
  return store
}

/** Which node a store says that it uses. */
function listen(): { readonly log: Log; readonly inUse: () => unknown } {
  let inUse: unknown
  const log: Log = {
    ...silentLog,
    info(fields, message) {
      if (message === 'database node in use') inUse = (fields as { node?: unknown }).node
    },
  }
  return { log, inUse: () => inUse }
}

interface Load {
  /** Ends it and gives what it saw. */
  end(): Promise<{
    /** Numbers of the transactions that were promised. */
    readonly promised: readonly number[]
    readonly refused: number
    readonly writeGapMs: number
    readonly readGapMs: number
  }>
}

/**
 * Writers and a reader, as fast as they can. Each transaction makes an account with a key, and
 * turns a counter that nothing else turns.
 */
function startLoad(stores: readonly Store[]): Load {
  const promised: number[] = []
  const state = { running: true, next: 1, refused: 0, writeGapMs: 0, readGapMs: 0 }
  const wrong: unknown[] = []
  const repeat = async (once: () => Promise<void>, gap: 'writeGapMs' | 'readGapMs') => {
    let last = performance.now()
    while (state.running) {
      try {
        await once()
        const now = performance.now()
        state[gap] = Math.max(state[gap], now - last)
        last = now
      } catch (error) {
        if (!(error instanceof AtollError) || error.kind !== 'unavailable') wrong.push(error)
        if (gap === 'writeGapMs') state.refused += 1
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  const loops = stores.flatMap((store) => [
    repeat(async () => {
      const number = state.next
      state.next += 1
      await store.change(async (tx) => {
        const id = String(number).padStart(12, '0') as AccountId
        if ((await tx.insertAccount({ id, name: 'a', metadata: NO_PREFERENCE })) === 'exists')
          throw new Error('twice')
        await tx.returnCapacity(given.HOST, 0, 0)
        await tx.insertAccessKey({ id: `${number}`, secret: 's', account: id, user: 'u' })
      })
      promised.push(number)
    }, 'writeGapMs'),
    repeat(async () => {
      await store.read((tx) => tx.hosts())
    }, 'readGapMs'),
  ])
  return {
    async end() {
      state.running = false
      await Promise.all(loops)
      expect(wrong).toStrictEqual([])
      const { refused, writeGapMs, readGapMs } = state
      return { promised, refused, writeGapMs, readGapMs }
    },
  }
}

/** Does it as a daemon does: again and again while the records are away. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + PATIENCE_MS; ; ) {
    try {
      return await call()
    } catch (error) {
      const isAway = error instanceof AtollError && error.kind === 'unavailable'
      if (!isAway || performance.now() > deadline) throw error
      await passed(50)
    }
  }
}

/**
 * Gives the numbers of the accounts that are there, each whole, and how often the counter was
 * turned.
 */
async function readRecords(store: Store) {
  return persist(() =>
    store.change(async (tx) => {
      const accounts = await tx.accounts()
      for (const { id } of accounts) expect(await tx.accessKeys(id)).toHaveLength(1)
      return {
        numbers: new Set(accounts.map(({ id }) => Number(id))),
        generation: (await tx.hosts())[0]?.generation ?? 0,
      }
    }),
  )
}

async function settledStores(count: number) {
  const database = await freshDatabase()
  const listened = listen()
  const stores = [await open(database, [0, 1, 2], listened.log)]
  for (let more = 1; more < count; more += 1) stores.push(await open(database))
  const [first] = stores
  await persist(async () => first?.migrate())
  await persist(async () => first?.change((tx) => tx.upsertHost(given.hostRow, 60_000)))
  return { database, stores, ...listened }
}

/** Does it while the first node is lost, and brings the node back whatever comes of it. */
async function withoutNode<T>(
  lose: (lost: GaleraNode) => Promise<void>,
  bringBack: (lost: GaleraNode) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  await lose(node(0))
  try {
    return await work()
  } finally {
    await bringBack(node(0))
  }
}

const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('migration', () => {
  it.each([1, 2, 3])('through several nodes at once, attempt %i', async () => {
    const database = await freshDatabase()
    const orders = [
      [0, 1, 2],
      [1, 2, 0],
      [2, 0, 1],
      [1, 0, 2],
    ]
    const stores = await Promise.all(orders.map((order) => open(database, order)))
    await Promise.all(stores.map((store) => persist(() => store.migrate())))
    const types = await Promise.all(
      stores.map((store) => persist(() => store.change((tx) => tx.instanceTypes()))),
    )
    for (const found of types) expect(found).toStrictEqual(types[0])
    expect(types[0]?.length).toBeGreaterThan(0)
    const migrations = await node(2).ask(`select name from ${database}.kysely_migration`)
    expect(new Set(migrations.map((row) => JSON.stringify(row))).size).toBe(migrations.length)
  })
})

describe('through three nodes at once', () => {
  it('a transaction sees what another one wrote through another node just before', async () => {
    const database = await freshDatabase()
    const [writer, reader] = await Promise.all([open(database), open(database, [1, 2, 0])])
    await writer.migrate()
    for (let number = 1; number <= 100; number += 1) {
      await writer.change((tx) => tx.insertKeyPair(given.keyPair(number)))
      const found = await reader.change((tx) => tx.keyPairs({ account: given.ACCOUNT }))
      expect(found).toHaveLength(number)
    }
  })

  it('no update is lost, and every snapshot is whole', async () => {
    const database = await freshDatabase()
    const orders = [
      [0, 1, 2],
      [1, 2, 0],
      [2, 0, 1],
    ]
    const stores = await Promise.all(orders.map((order) => open(database, order)))
    await stores[0]?.migrate()
    const numbers = [1, 2, 3, 4, 5, 6]
    const ids = numbers.map((number) => given.instance(number).id)
    await stores[0]?.change(async (tx) => {
      for (const number of numbers)
        await tx.insertInstance(given.instance(number, { bootCount: 100 }))
    })
    const sum = (found: readonly { readonly bootCount: number }[]) =>
      found.reduce((total, { bootCount }) => total + bootCount, 0)
    const work = stores.map(async (store, mine) => {
      for (let round = 0; round < 60; round += 1) {
        const from = ids[(round * 7 + mine) % ids.length]
        const to = ids[(round * 5 + mine * 2 + 1) % ids.length]
        if (from === undefined || to === undefined || from === to) continue
        await store.change(async (tx) => {
          const found = await tx.instances({ ids })
          expect(sum(found)).toBe(600)
          const balance = (id: typeof from) => found.find((one) => one.id === id)?.bootCount ?? 0
          await tx.updateInstance(from, { bootCount: balance(from) - 1 })
          await tx.updateInstance(to, { bootCount: balance(to) + 1 })
        })
        expect(sum(await store.read((tx) => tx.instances({ ids })))).toBe(600)
      }
    })
    await Promise.all(work)
    for (const store of stores)
      expect(sum(await store.change((tx) => tx.instances({ ids })))).toBe(600)
  })
})

describe('a read of the latest records', () => {
  /**
   * The appliers of a node stand still meanwhile, as on one that has much to do; the lock ends with
   * the connection.
   */
  const HELD_S = 2
  const HOLD = `begin not atomic flush tables with read lock; do sleep(${HELD_S}); end`
  const has = (store: Store, number: number, sees: 'local' | 'latest') =>
    store.read(
      async (tx) => (await tx.instances({ ids: [given.instance(number).id] })).length === 1,
      { sees },
    )

  it('has what was committed at another node just before, however far behind its own is', async () => {
    const database = await freshDatabase()
    const here = await open(database, [0, 1, 2])
    const there = await open(database, [1, 2, 0])
    await here.migrate()
    const missed = { local: 0, latest: 0 }
    for (let number = 1; number <= 100; number += 1) {
      await here.change((tx) => tx.insertInstance(given.instance(number)))
      if (!(await has(there, number, 'local'))) missed.local += 1
      if (!(await has(there, number, 'latest'))) missed.latest += 1
    }
    console.log(`of 100 reads at once at another node, ${missed.local} missed the write before`)
    expect(missed.latest).toBe(0)
    const holding = node(1).ask(HOLD)
    await eventually('its appliers stand still', async () =>
      JSON.stringify(await node(1).ask('show processlist')).includes('sleep'),
    )
    await here.change((tx) => tx.insertInstance(given.instance(101)))
    expect(await has(there, 101, 'local')).toBe(false)
    expect(await has(there, 101, 'latest')).toBe(true)
    await holding
  })

  it('takes one round through the cluster', async () => {
    const [store] = (await settledStores(1)).stores
    const timed = async (sees: 'local' | 'latest', atOnce: number) => {
      const times: number[] = []
      const reader = async () => {
        for (let number = 0; number < 300; number += 1) {
          const began = performance.now()
          await store?.read((tx) => tx.hosts(), { sees })
          times.push(performance.now() - began)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, reader))
      const sorted = times.toSorted((a, b) => a - b)
      return [0.5, 0.99].map((part) => sorted[Math.floor(sorted.length * part)] ?? 0)
    }
    await timed('local', 1)
    for (const atOnce of [1, 8])
      for (const sees of ['local', 'latest'] as const) {
        const [p50 = 0, p99 = 0] = await timed(sees, atOnce)
        console.log(
          `${atOnce} at once, ${sees}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms a read`,
        )
      }
  })

  it('names a key pair, an image and a token that was just made at another node', async () => {
    const database = await freshDatabase()
    const here = await open(database, [0, 1, 2])
    const there = await open(database, [1, 2, 0])
    await here.migrate()
    for (let number = 1; number <= 50; number += 1) {
      const token = given.clientToken(`t${number}`)
      await here.change(async (tx) => {
        await tx.insertImage(given.image(number))
        await tx.insertClientToken(token)
      })
      const found = await there.claim(async (tx) => [
        (await tx.images({ ids: [given.image(number).id] })).length,
        await tx.insertClientToken(token),
      ])
      expect(found).toStrictEqual([1, 'exists'])
    }
  })

  it('is never answered with old rows by a node that has lost its peers', async () => {
    const database = await freshDatabase()
    const here = await open(database, [0, 1, 2])
    const there = await open(database, [2, 1, 0])
    await here.migrate()
    expect(await there.read((tx) => tx.instances({}), { sees: 'latest' })).toStrictEqual([])
    await node(2).isolate()
    try {
      await persist(() => here.change((tx) => tx.insertInstance(given.instance(1))))
      const began = performance.now()
      const found = await persist(() => has(there, 1, 'latest'))
      console.log(`read elsewhere after ${Math.round(performance.now() - began)} ms`)
      expect(found).toBe(true)
    } finally {
      await node(2).rejoin()
      await eventually(
        'it is a member again',
        async () =>
          JSON.stringify(
            await node(2).ask("show status like 'wsrep_local_state_comment'"),
          ).includes('Synced'),
        PATIENCE_MS,
      )
    }
  })
})

describe('a node whose appliers stand still, as they do when its disk hangs', () => {
  const HELD_S = 14
  /** A statement may take 6 s, and what follows is a check. */
  const LEFT_MS = 11_000
  const SOON_MS = 2_000
  /** A locked table stops the appliers; the node stays a synced member. */
  async function hold(
    number: number,
    database: string,
  ): Promise<{ readonly over: Promise<unknown> }> {
    const sql = `lock tables ${database}.keyPairs write; do sleep(${HELD_S}); unlock tables`
    const over = node(number).ask(sql)
    await eventually('the table is locked', async () =>
      JSON.stringify(await node(number).ask('show processlist')).includes('sleep'),
    )
    return { over }
  }
  const keysOf = (store: Store) =>
    store.read(async (tx) => (await tx.keyPairs({ account: given.ACCOUNT })).length, {
      sees: 'latest',
    })

  it('is left by who wants the latest records, and used again when it has caught up', async () => {
    const { database, stores, inUse } = await settledStores(1)
    const [here] = stores
    if (here === undefined) throw new Error('there is no store')
    const there = await open(database, [1, 2, 0])
    expect(await keysOf(here)).toBe(0)
    expect(inUse()).toBe(node(0).address)
    const { over } = await hold(0, database)
    await there.change((tx) => tx.insertKeyPair(given.keyPair(1)))
    const began = performance.now()
    expect(await keysOf(here)).toBe(1)
    const leftMs = performance.now() - began
    console.log(`another node was read after ${Math.round(leftMs)} ms`)
    expect(leftMs).toBeLessThan(LEFT_MS)
    expect(inUse()).toBe(node(1).address)
    const again = performance.now()
    expect(await keysOf(here)).toBe(1)
    expect(performance.now() - again).toBeLessThan(SOON_MS)
    await over
    await eventually(
      'it is used again',
      async () => {
        await keysOf(here).catch(() => undefined)
        return inUse() === node(0).address
      },
      PATIENCE_MS,
    )
  })

  it('stops commits of all, which are refused at once then, and no reads', async () => {
    const { database, stores } = await settledStores(1)
    const [store] = stores
    if (store === undefined) throw new Error('there is no store')
    const { over } = await hold(2, database)
    const began = performance.now()
    let isOver = false
    let count = 0
    const promised: number[] = []
    const refused: { readonly atMs: number; readonly ms: number }[] = []
    const writers = Array.from({ length: 12 }, async () => {
      while (!isOver) {
        count += 1
        const number = count
        const at = performance.now()
        await store
          .change((tx) => tx.insertKeyPair(given.keyPair(number)))
          .then(
            () => void promised.push(number),
            () => refused.push({ atMs: at - began, ms: performance.now() - at }),
          )
        await passed(50)
      }
    })
    await eventually('writes are refused', () => refused.length > 20, HELD_S * 1_000)
    // Those of before are given up by now, so the connections are free.
    const readMs: number[] = []
    while (performance.now() - began < (HELD_S - 1) * 1_000) {
      const at = performance.now()
      await keysOf(store)
      readMs.push(performance.now() - at)
      await passed(50)
    }
    await over
    const before = promised.length
    await eventually('writes are committed', () => promised.length > before + 20, PATIENCE_MS)
    isOver = true
    await Promise.all(writers)
    console.log(`${refused.length} refused, the longest read took ${Math.max(...readMs)} ms`)
    expect(Math.max(...readMs)).toBeLessThan(SOON_MS)
    const late = refused.filter(({ atMs }) => atMs > LEFT_MS && atMs < (HELD_S - 1) * 1_000)
    expect(late.filter(({ ms }) => ms > SOON_MS).length).toBeLessThan(3)
    expect(late.length).toBeGreaterThan(50)
    const there = await store.read((tx) => tx.keyPairs({ account: given.ACCOUNT }))
    const names = new Set(there.map(({ name }) => name))
    expect(promised.filter((number) => !names.has(given.keyPair(number).name))).toEqual([])
  }, 90_000)
})

describe('a node that is lost under load', () => {
  it.each([
    ['its power', (lost: GaleraNode) => lost.powerOff(), (lost: GaleraNode) => lost.powerOn()],
    ['its process', (lost: GaleraNode) => lost.kill(), (lost: GaleraNode) => lost.powerOn()],
    ['its network', (lost: GaleraNode) => lost.cut(), (lost: GaleraNode) => lost.heal()],
    ['its peers', (lost: GaleraNode) => lost.isolate(), (lost: GaleraNode) => lost.rejoin()],
  ])(
    'with %s loses nothing, and is preferred again when it is back',
    async (what, lose, bringBack) => {
      const { stores, inUse } = await settledStores(3)
      const load = startLoad(stores)
      const [store] = stores
      if (store === undefined) throw new Error('there is no store')
      await passed(1_000)
      const { seen, there, used } = await withoutNode(lose, bringBack, async () => {
        await passed(6_000)
        return { seen: await load.end(), there: await readRecords(store), used: inUse() }
      })
      console.log(
        `lost ${what}: ${seen.promised.length} promised, ${seen.refused} refused, gap ${Math.round(seen.writeGapMs)} ms for writes, ${Math.round(seen.readGapMs)} ms for reads`,
      )
      expect(seen.promised.filter((number) => !there.numbers.has(number))).toStrictEqual([])
      expect(there.generation - 1).toBe(there.numbers.size)
      expect(there.numbers.size - seen.promised.length).toBeLessThanOrEqual(seen.refused)
      expect(used).not.toBe(node(0).address)
      await eventually(
        'the first node is preferred again',
        async () => {
          await store.read((tx) => tx.hosts()).catch(() => {})
          return inUse() === node(0).address
        },
        30_000,
      )
      expect((await readRecords(store)).numbers).toStrictEqual(there.numbers)
      expect(seen.writeGapMs).toBeLessThan(WRITE_GAP_MS)
      expect(seen.readGapMs).toBeLessThan(READ_GAP_MS)
    },
  )
})

describe('all nodes', () => {
  it('that lose their power at once lose nothing that was committed; meanwhile nobody waits', async () => {
    const { database, stores } = await settledStores(2)
    const load = startLoad(stores)
    await passed(1_000)
    await Promise.all(galera().nodes.map((one) => one.powerOff()))
    await passed(2_000)
    const seen = await load.end()
    const [store] = stores
    if (store === undefined) throw new Error('there is no store')

    const refusalMs = await timeOf(() => store.read((tx) => tx.hosts()))
    expect(refusalMs).toBeLessThan(500)
    const opening = performance.now()
    const newcomer = await open(database)
    const openedMs = performance.now() - opening
    expect(openedMs).toBeLessThan(500)
    expect(await timeOf(() => newcomer.migrate())).toBeLessThan(READ_GAP_MS * 2)
    expect(await timeOf(() => newcomer.read((tx) => tx.hosts()))).toBeLessThan(500)
    // Two stores are open; a host has one.
    const cpuBefore = process.cpuUsage()
    await passed(5_000)
    const { user, system } = process.cpuUsage(cpuBefore)
    console.log(
      `all away: refused in ${Math.round(refusalMs)} ms; ${Math.round((user + system) / 50_000)} % of a core`,
    )
    expect((user + system) / 5_000_000).toBeLessThan(0.05)

    await galera().restart()
    await eventually(
      'both stores are served again',
      async () => {
        const answers = await Promise.allSettled([
          store.read((tx) => tx.hosts()),
          newcomer.change((tx) => tx.hosts()),
        ])
        return answers.every(({ status }) => status === 'fulfilled')
      },
      20_000,
    )
    const there = await readRecords(newcomer)
    console.log(`lost all: ${seen.promised.length} promised, ${there.numbers.size} there`)
    expect(seen.promised.filter((number) => !there.numbers.has(number))).toStrictEqual([])
    expect(there.generation - 1).toBe(there.numbers.size)
  })
})

/** How long until it is refused, as `unavailable`. */
async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await expect(call()).rejects.toMatchObject({ kind: 'unavailable' })
  return performance.now() - start
}
