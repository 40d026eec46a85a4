/**
 * The recipe of `src/README.md`, followed on a toy noun (`store/toy-noun.ts`): one file, one line
 * in the list and one migration, and the store reads, writes, announces, copies and restores it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { unavailable } from '../../src/model/errors.ts'
import { announcing } from '../../src/store/announce.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { MIGRATIONS } from '../../src/store/migrations.ts'
import { NOUNS, type ReadsOf, type WritesOf } from '../../src/store/nouns.ts'
import { noteWrites } from '../../src/store/own-writes.ts'
import { openReplica } from '../../src/store/replica.ts'
import { ofVpc, type Scope } from '../../src/store/scope.ts'
import type { ReadTx, Store, Tx } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import * as given from './store/records.ts'
import { carrierGateways, carrierGatewaysMigration } from './store/toy-noun.ts'

/** One line in the list, and one migration. */
const schema = {
  nouns: [...NOUNS, carrierGateways],
  migrations: { ...MIGRATIONS, '0900-carrier-gateways': carrierGatewaysMigration },
}
/**
 * With the line in `nouns.ts` these are `ReadTx` and `Tx`; a list from outside has no type there.
 */
const readOf = (tx: ReadTx) => tx as ReadTx & ReadsOf<typeof carrierGateways>
const writeOf = (tx: Tx) => tx as Tx & WritesOf<typeof carrierGateways>

const gateway = { vpc: given.vpc.id, label: 'example.test' }
const list = (tx: ReadTx) => readOf(tx).carrierGateways()
const insert = (tx: Tx) => writeOf(tx).insertCarrierGateway(gateway)

let directory: string
let store: Store
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-noun-'))
  store = await openSqliteStore({ file: join(directory, 'records.db'), log: silentLog, schema })
  await store.migrate()
  await given.settle(store)
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

it('is written and read, once, and says whom it concerns', async () => {
  let touched: readonly Scope[] = []
  const hear = (scopes: readonly Scope[]) => {
    touched = scopes
  }
  expect(await announcing(store, hear).change(insert)).toBe('done')
  expect(touched).toStrictEqual([ofVpc(gateway.vpc)])
  expect(await store.change(insert)).toBe('exists')
  expect(await store.read(list)).toStrictEqual([gateway])
  const { scopes } = await store.single((tx) =>
    tx.changedScopes(0, { host: given.HOST, vpcs: [gateway.vpc] }),
  )
  const own = scopes.find(({ scope }) => scope.kind === 'vpc' && scope.host === undefined)
  expect(own?.generation).toBeGreaterThan(1)
})

it('whose row cannot be read is left out and told of', async () => {
  await store.change((tx) => writeOf(tx).insertCarrierGateway({ ...gateway, label: 'two\nlines' }))
  const found = await store.read(async (tx) => ({ rows: await list(tx), left: tx.unreadable() }))
  expect(found.rows).toStrictEqual([])
  expect(found.left).toMatchObject([{ table: 'carrierGateways', key: gateway.vpc }])
})

it('is dumped and restored', async () => {
  await store.change(insert)
  const dump = await store.read((tx) => tx.dump())
  const other = await openSqliteStore({ file: ':memory:', log: silentLog, schema })
  await other.migrate()
  expect(await other.change((tx) => tx.restore(dump))).toBe(0)
  expect(await other.read(list)).toStrictEqual([gateway])
  await other.close()
})

it('is in a replica: by a copy, and as an own write before the next one', async () => {
  let isAway = false
  const source: Store = {
    ...store,
    read: async (work, how) => {
      if (isAway) throw unavailable('away')
      return await store.read(work, how)
    },
  }
  const file = join(directory, 'replica.db')
  const parts = { clock: systemClock, log: silentLog, random: () => 0, schema }
  const replica = await openReplica({ file, source, ...parts })
  await eventually('it is filled', async () => (await replica.read((tx) => tx.vpcs({}))).length > 0)
  isAway = true
  await noteWrites(store, replica, 'client', schema.nouns).change(insert)
  expect(await replica.read(list)).toStrictEqual([gateway])
  await replica.close()
  const copied = await openReplica({ file: `${file}.2`, source: store, ...parts })
  await eventually('it is filled', async () => (await copied.read(list)).length === 1)
  await copied.close()
})
