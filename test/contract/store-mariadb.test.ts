/**
 * MariaDB as the record store: the `Store` contract on one server, a database for each test, and
 * what MariaDB promises beyond it: nodes that go away, commits whose answer is lost, TLS, clocks.
 * What a cluster adds is in `test/lab/galera.test.ts`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAnnouncer } from '../../src/agent/announcement.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { HostName } from '../../src/model/ids.ts'
import { openMariadbStore } from '../../src/store/engines/mariadb/dialect.ts'
import { shareReads } from '../../src/store/fair-reads.ts'
import { openReplica } from '../../src/store/replica.ts'
import { withReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import {
  administer,
  freePort,
  type Mariadb,
  PASSWORD,
  startMariadb,
  USER,
} from '../../tools/kit/mariadb.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { openOwnClock } from '../kit/stall.ts'
import { type CommitOutcome, startWireTap, type WireTap } from '../kit/wire-tap.ts'
import { isLong } from '../long-files.ts'
import type { StoreFixture } from './store/fixture.ts'
import * as given from './store/records.ts'
import { describeStoreContract } from './store-contract.ts'

/**
 * What takes less than a second may take so long on a machine that is busy with other tests. The
 * drills measure.
 */
const BUSY_MS = 5_000

const held: { mariadb?: Mariadb } = {}
beforeAll(async () => {
  held.mariadb = await startMariadb(['--default-time-zone=+05:30'])
}, 60_000)
afterAll(() => held.mariadb?.end())

function mariadb(): Mariadb {
  if (held.mariadb === undefined) throw new Error('MariaDB did not start')
  return held.mariadb
}

const openAt = (nodes: readonly string[], database: string) =>
  openMariadbStore({
    nodes,
    database,
    user: USER,
    password: PASSWORD,
    tls: { to: 'none', ca: null, cert: null, key: null },
    log: silentLog,
  })

interface MariadbFixture extends StoreFixture {
  readonly database: string
}

/** Stores over a database, which `end` takes back. */
function fixtureOf(database: string, end: () => Promise<void>): MariadbFixture {
  const opened: Store[] = []
  return {
    database,
    async open() {
      const store = await openAt([mariadb().node], database)
      opened.push(store)
      return store
    },
    async end() {
      await Promise.all(opened.map((store) => store.close()))
      await end()
    },
  }
}

/** Stores over a new database. */
async function emptyFixture(): Promise<MariadbFixture> {
  const database = await mariadb().freshDatabase()
  return fixtureOf(database, () => mariadb().dropDatabase(database))
}

/**
 * Databases with the current schema that no test uses. All of a test's rows are deleted after it:
 * to make the tables again would take most of this file's time.
 */
const migrated: { readonly free: string[]; original?: string } = { free: [] }

async function takeMigrated(): Promise<string> {
  migrated.original ??= await newMigrated()
  return migrated.free.pop() ?? (await newMigrated())
}

async function newMigrated(): Promise<string> {
  const database = await mariadb().freshDatabase()
  const store = await openAt([mariadb().node], database)
  await store.migrate()
  await store.close()
  return database
}

/** Gives each table the rows that the migrations have written. */
async function giveBackMigrated(database: string): Promise<void> {
  const { original } = migrated
  const tables = await administer(
    mariadb().directory,
    `select table_name as name from information_schema.tables where table_schema = '${original}'`,
  )
  const names = tables.map((table) => (table as { readonly name: string }).name)
  await administer(
    mariadb().directory,
    [
      'set foreign_key_checks = 0',
      ...names.flatMap((name) => [
        `delete from ${database}.${name}`,
        `insert into ${database}.${name} select * from ${original}.${name}`,
      ]),
    ].join(';'),
  )
  migrated.free.push(database)
}

/** Stores over a database with the current schema. */
async function migratedFixture(): Promise<MariadbFixture> {
  const database = await takeMigrated()
  return fixtureOf(database, () => giveBackMigrated(database))
}

describeStoreContract('MariaDB', emptyFixture, migratedFixture)

describe('a server', () => {
  const fixture: { records?: MariadbFixture; store?: Store } = {}
  beforeEach(async () => {
    fixture.records = await migratedFixture()
    fixture.store = await fixture.records.open()
    await given.settle(fixture.store)
  })
  afterEach(() => fixture.records?.end())
  const store = () => {
    if (fixture.store === undefined) throw new Error('there is no store')
    return fixture.store
  }

  it.each([
    ['subnet', { ...given.farSubnet }, 'insertSubnet'],
    ['group', { ...given.group, id: given.farGroup, vpc: given.farVpc.id }, 'insertGroup'],
  ] as const)(
    'runs again what gives a %s to a VPC that somebody else has just removed',
    async (_what, row, insert) => {
      const other = (await fixture.records?.open()) ?? store()
      await store().change((tx) => tx.insertVpc(given.farVpc))
      const seen: boolean[] = []
      const added = await store().change(async (tx) => {
        const isThere = (await tx.vpcs({})).some(({ id }) => id === given.farVpc.id)
        if (seen.push(isThere) === 1) await other.change((late) => late.deleteVpc(given.farVpc))
        return isThere ? await tx[insert](row as never) : 'no VPC'
      })
      expect([added, ...seen]).toEqual(['no VPC', true, false])
    },
  )

  it('reports its time in UTC, whatever the time zone of the server', async () => {
    const { nowMs } = await store().read((tx) =>
      tx.changedScopes(0, { host: given.HOST, vpcs: [] }),
    )
    expect(Number.isSafeInteger(nowMs)).toBe(true)
    expect(Math.abs(nowMs - Date.now())).toBeLessThan(10_000)
  })

  it.each([`it's`, `"quoted"`, 'back\\slash', "\\' or 1=1 -- ", '%_?:name', '😀𝔘é', ' blanks '])(
    'holds the text %j as it is',
    async (name) => {
      const image = given.image(1, { name, description: name })
      await store().change((tx) => tx.insertImage(image))
      expect(await store().read((tx) => tx.images({}))).toStrictEqual([image])
    },
  )

  // No reader lets such a text in, so it is looked at where it lies.
  it.each(['nul\0nul', '\u001a\r\n\t\b'])('keeps the text %j as it is', async (description) => {
    await store().change((tx) => tx.insertImage(given.image(1, { description })))
    const sql = `select hex(description) as bytes from ${fixture.records?.database}.images`
    const [row] = await administer(mariadb().directory, sql)
    expect(row).toEqual({ bytes: Buffer.from(description).toString('hex').toUpperCase() })
  })

  it('takes the first words of many hosts at once, and runs none of them again', async () => {
    const hosts = Array.from({ length: 60 }, (_, at) => `many-${at}` as HostName)
    // Hosts have a store each.
    const stores = await Promise.all(Array.from({ length: 6 }, () => fixture.records?.open()))
    let runs = 0
    const outcomes = await Promise.all(
      hosts.map((name, at) => {
        const own = stores[at % stores.length] ?? store()
        const counted: Store = {
          ...own,
          claim: (work) =>
            own.claim((tx) => {
              runs += 1
              return work(tx)
            }),
        }
        const announce = createAnnouncer({ store: counted, clock: systemClock }, 60_000)
        return announce({ ...given.hostRow, name, identity: name })
      }),
    )
    expect(outcomes).toEqual(hosts.map(() => ({ outcome: 'done' })))
    expect(runs).toBe(hosts.length)
  })

  it('is taken leave of: it counts no aborted client', async () => {
    const count = async (name: string) => {
      const sql = `show global status like '${name}'`
      const [row] = await administer(mariadb().directory, sql)
      return Number((row as { readonly Value?: unknown } | undefined)?.Value)
    }
    const before = await count('Aborted_clients')
    const database = await mariadb().freshDatabase()
    const connected = await count('Threads_connected')
    for (let round = 0; round < 3; round += 1) {
      const one = await openAt([mariadb().node], database)
      await one.migrate()
      await one.close()
    }
    await eventually('all are gone', async () => (await count('Threads_connected')) <= connected)
    expect(await count('Aborted_clients')).toBe(before)
    await mariadb().dropDatabase(database)
  })

  it('refuses text that is too long instead of cutting it off', async () => {
    const image = given.image(1, { name: 'x'.repeat(129) })
    await expect(store().change((tx) => tx.insertImage(image))).rejects.toMatchObject({
      kind: 'bug',
    })
    expect(await store().read((tx) => tx.images({}))).toStrictEqual([])
  })
})

describe('a node that goes away', () => {
  const fixture: { database: string; tap?: WireTap; store?: Store } = { database: '' }
  beforeEach(async () => {
    fixture.database = await takeMigrated()
    fixture.tap = await startWireTap(Number(mariadb().node.split(':')[1]))
    fixture.store = await openAt([fixture.tap.address, mariadb().node], fixture.database)
    await given.settle(fixture.store)
  })
  afterEach(async () => {
    await fixture.store?.close()
    await fixture.tap?.close()
    await giveBackMigrated(fixture.database)
  })
  function parts() {
    const { tap, store } = fixture
    if (tap === undefined || store === undefined) throw new Error('the fixture has not begun')
    return { tap, store }
  }
  const generation = async (store: Store) =>
    (await store.read((tx) => tx.hosts())).find(({ name }) => name === given.HOST)?.generation ?? 0

  /** Four statements that would all show if they were applied twice; gives which run it was. */
  function counted() {
    let runs = 0
    return (store: Store) =>
      store.change(async (tx) => {
        runs += 1
        const run = runs
        await tx.takeCapacity(given.HOST, 1, 1)
        await tx.returnCapacity(given.HOST, 0, 0)
        await tx.insertImage(given.image(1))
        await tx.hosts()
        return run
      })
  }

  it.each([
    ['request lost', 2],
    ['answer lost', 1],
    ['request late', 1],
  ] satisfies readonly (readonly [CommitOutcome, number])[])(
    'with a commit, %s: it is applied once, and the result is that of run %i',
    async (fate, run) => {
      const { tap, store } = parts()
      const before = await generation(store)
      const commit = tap.expectCommit(fate)
      const writing = counted()(store)
      await commit.happened
      // The other node is in use by now, and waits for the row that the late commit holds.
      if (fate === 'request late') {
        await generation(store)
        tap.deliver()
      }
      expect(await writing).toBe(run)
      expect(await generation(store)).toBe(before + 1)
      expect(await store.read((tx) => tx.images({}))).toHaveLength(1)
    },
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'at statement %i of a transaction: it is applied once, on the next node',
    async (k) => {
      const { tap, store } = parts()
      const before = await generation(store)
      tap.goSilentAt(k)
      await counted()(store)
      expect(await generation(store)).toBe(before + 1)
      expect(await store.read((tx) => tx.images({}))).toHaveLength(1)
    },
  )

  it('is left within a second by those who read, and preferred again when it is back', async () => {
    const { tap, store } = parts()
    await generation(store)
    tap.goSilent()
    using clock = openOwnClock()
    const start = clock.ms()
    await Promise.all(Array.from({ length: 20 }, () => generation(store)))
    const gapMs = clock.ms() - start
    expect(gapMs).toBeGreaterThan(100)
    // 0.8 s on a quiet machine.
    expect(gapMs).toBeLessThan(BUSY_MS)
    tap.heal()
    await eventually('the first node serves again', () => isUsed(tap, store), 20_000)
  })

  /** Whether the store's statements go through the tap: then they stop with it. */
  async function isUsed(tap: WireTap, store: Store): Promise<boolean> {
    tap.goSilent()
    const start = performance.now()
    await generation(store)
    const isSlow = performance.now() - start > 100
    tap.heal()
    return isSlow
  }
})

describe.runIf(isLong)('a node that answers and commits nothing', () => {
  /** How long nothing is committed: longer than a statement may take. */
  const HELD_S = 12
  const HOLD = `begin not atomic flush tables with read lock; do sleep(${HELD_S}); end`
  /** A statement may take 6 s, and no other write begins after that. */
  const GIVEN_UP_MS = 8_000
  /** What two reads may take whose records are a copy. */
  const READ_MS = 1_500

  it('answers all reads soon, refuses writes at once after the first, and loses nothing', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-held-'))
    const database = await takeMigrated()
    const engine = await openAt([mariadb().node], database)
    const [clock, log, random] = [systemClock, silentLog, Math.random]
    const file = join(directory, 'replica.db')
    const replica = await openReplica({ file, source: engine, clock, log, random })
    const store = withReplica(engine, replica, clock)
    const mine = shareReads(store)('one')
    await given.settle(engine)
    await eventually('there is a copy', () => replica.asOf() !== null)
    const held = administer(mariadb().directory, HOLD)
    await eventually('nothing is committed', async () =>
      JSON.stringify(await administer(mariadb().directory, 'show processlist')).includes('sleep'),
    )
    const began = performance.now()
    let isOver = false
    const readMs: number[] = []
    const reading = repeat(async () => {
      const at = performance.now()
      await mine.read((tx) => tx.hosts())
      await mine.read((tx) => tx.hosts())
      readMs.push(performance.now() - at)
    })
    const written: number[] = []
    const refused: { readonly atMs: number; readonly ms: number }[] = []
    let count = 0
    const writing = Array.from({ length: 12 }, () =>
      repeat(async () => {
        count += 1
        const number = count
        const at = performance.now()
        await store
          .change((tx) => tx.insertKeyPair(given.keyPair(number)))
          .then(
            () => void written.push(number),
            (error: unknown) => {
              expect(error).toMatchObject({ kind: 'unavailable' })
              refused.push({ atMs: at - began, ms: performance.now() - at })
            },
          )
      }),
    )
    async function repeat(once: () => Promise<void>): Promise<void> {
      while (!isOver) {
        await once()
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    await held
    const before = written.length
    await eventually('writes are committed again', () => written.length > before + 24, 20_000)
    isOver = true
    await Promise.all([reading, ...writing])
    expect(Math.max(...readMs)).toBeLessThan(READ_MS)
    // One at a time goes on trying; none of the others waits.
    const late = refused.filter(({ atMs }) => atMs > GIVEN_UP_MS && atMs < HELD_S * 1_000 - 500)
    expect(late.length).toBeGreaterThan(50)
    expect(late.filter(({ ms }) => ms > READ_MS).length).toBeLessThan(3)
    const there = await engine.read((tx) => tx.keyPairs({ account: given.ACCOUNT }))
    const names = new Set(there.map(({ name }) => name))
    expect(written.filter((number) => !names.has(given.keyPair(number).name))).toEqual([])
    await replica.close()
    await store.close()
    await giveBackMigrated(database)
    await rm(directory, { recursive: true })
  }, 90_000)
})

describe('with no node at all', () => {
  it('a store is opened at once, refuses quickly and then immediately, and serves when one comes', async () => {
    const database = await mariadb().freshDatabase()
    const tap = await startWireTap(Number(mariadb().node.split(':')[1]))
    tap.goSilent()
    const nobody = `127.0.0.1:${await freePort()}`
    const store = await openAt([tap.address, nobody], database)
    expect(await refusalMs(() => store.migrate())).toBeLessThan(BUSY_MS)
    for (let again = 0; again < 20; again += 1)
      expect(await refusalMs(() => store.read((tx) => tx.hosts()))).toBeLessThan(BUSY_MS / 2)
    tap.heal()
    await eventually('the store serves', () =>
      store.migrate().then(
        () => true,
        () => false,
      ),
    )
    await given.settle(store)
    await store.close()
    await tap.close()
    await mariadb().dropDatabase(database)
  })

  async function refusalMs(call: () => Promise<unknown>): Promise<number> {
    using clock = openOwnClock()
    const start = clock.ms()
    await expect(call()).rejects.toMatchObject({ kind: 'unavailable' })
    return clock.ms() - start
  }

  it.each([
    ['a wrong password', { password: 'wrong' }],
    ['a database that is not there', { database: 'nowhere' }],
  ])('%s is unavailable, and says why', async (_what, change) => {
    const store = await openMariadbStore({
      nodes: [mariadb().node],
      database: 'mysql',
      user: USER,
      password: PASSWORD,
      tls: { to: 'none', ca: null, cert: null, key: null },
      log: silentLog,
      ...change,
    })
    await expect(store.read((tx) => tx.hosts())).rejects.toMatchObject({
      kind: 'unavailable',
      cause: { detail: { code: expect.stringMatching(/^ER_/) } },
    })
    await store.close()
  })
})
