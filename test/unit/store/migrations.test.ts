/** Daemons of two versions over the same records. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely, type Logger } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore, sqliteDialect } from '../../../src/store/engines/sqlite/dialect.ts'
import { addColumn } from '../../../src/store/migrations/add-column.ts'
import { MIGRATIONS, migrateToLatest } from '../../../src/store/migrations.ts'
import type { Tables } from '../../../src/store/nouns.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import * as given from '../../contract/store/records.ts'

const addition: Migration = {
  async up(db) {
    await db.schema
      .alterTable('accounts')
      .addColumn('motto', 'varchar(64)', (column) => column.notNull().defaultTo('none'))
      .execute()
    await db.schema.createTable('futures').addColumn('id', 'varchar(64)').execute()
  },
}
/** What the next version of the daemon knows. */
const NEXT = { ...MIGRATIONS, '0999-motto': addition }

let directory: string
let file: string
const opened: Kysely<Tables>[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-migrations-'))
  file = join(directory, 'records.db')
})
afterEach(async () => {
  for (const db of opened.splice(0)) await db.destroy()
  await rm(directory, { recursive: true })
})

function open(): Kysely<Tables> {
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file) })
  opened.push(db)
  return db
}

async function appliedNames(): Promise<readonly string[]> {
  const rows = await open()
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute()
  return rows.map(({ name }) => name)
}

it('a daemon works with additions that only the next version knows', async () => {
  await migrateToLatest(open(), silentLog, NEXT)
  const store = await openSqliteStore({ file, log: silentLog })
  await store.migrate()
  await store.migrate()
  await given.settle(store)
  expect(await store.read((tx) => tx.accounts())).toMatchObject([given.account, given.otherAccount])
  await store.close()
  expect(await appliedNames()).toStrictEqual(Object.keys(NEXT))
})

it('the next version adds to records that a daemon of this one has made and uses', async () => {
  const store = await openSqliteStore({ file, log: silentLog })
  await store.migrate()
  await given.settle(store)
  await migrateToLatest(open(), silentLog, NEXT)
  await store.change((tx) => tx.insertKeyPair(given.keyPair(1)))
  expect(await store.read((tx) => tx.accounts())).toHaveLength(2)
  await store.close()
})

it('a daemon that finds nothing to do asks one thing, and waits for no lock', async () => {
  await migrateToLatest(open(), silentLog, NEXT)
  const asked: string[] = []
  const log: Logger = ({ query }) => {
    asked.push(query.sql)
  }
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file), log })
  opened.push(db)
  await migrateToLatest(db, silentLog)
  expect(asked).toEqual([expect.stringMatching(/^select "name" from "kysely_migration"/)])
})

it('a daemon refuses a generation that it does not know, and names it', async () => {
  await migrateToLatest(open(), silentLog, { ...MIGRATIONS, '1000-anew': addition })
  await expect(migrateToLatest(open(), silentLog)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/1000-anew.*newer version/),
  })
})

it('keys of networks and addresses become those of their VPC, and nothing is lost', async () => {
  const before = Object.entries(MIGRATIONS).filter(([name]) => name < '0018')
  const db = open()
  await migrateToLatest(db, silentLog, Object.fromEntries(before))
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true })
  database.exec(OLDER_RECORDS)
  const tables = ['vpcs', 'subnets', 'nics', 'nicGroups', 'floats'] as const
  const rows = () => tables.map((table) => database.prepare(`select * from ${table}`).all())
  const old = rows()
  await migrateToLatest(db, silentLog)
  expect(rows()).toMatchObject(old)
  expect(database.prepare('pragma foreign_key_check').all()).toEqual([])
  // As an older daemon inserts: one more of what is there is refused as before.
  const add = (table: string, values: string) => () =>
    database.exec(`insert into ${table} values (${values})`)
  const vpc = (id: string) => add('vpcs (id, account, cidr, isDefault)', `'${id}', 'a', '10/8', 1`)
  const nic = (id: string, of: string) =>
    add(
      'nics (id, instance, account, vpc, subnet, deviceIndex, ip, mac, createdAt)',
      `'nic${id}', 'i', 'a', '${of}', 's1', ${id}, '10.0.0.4', 'mac${id}', 'now'`,
    )
  expect(vpc('v3')).toThrow(/UNIQUE/)
  expect(nic('2', 'v1')).toThrow(/UNIQUE/)
  expect(nic('3', 'v2')).not.toThrow()
  expect(() => database.exec(`delete from vpcs where id = 'v1'`)).toThrow(/FOREIGN KEY/)
  const plans = database.prepare(
    `explain query plan select ip from nics where subnet = 's' and ip in ('1', '2')`,
  )
  expect(plans.all()).toMatchObject([{ detail: expect.stringContaining('nicsBy_subnet_ip') }])
  database.close()
})

it('existing VPCs get what theirs have had until now, by the ids that clients know', async () => {
  const before = Object.entries(MIGRATIONS).filter(([name]) => name < '0021')
  const db = open()
  await migrateToLatest(db, silentLog, Object.fromEntries(before))
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true })
  database.exec(`
    insert into accounts (id, name) values ('a', '');
    insert into vpcs (id, account, cidr, isDefault) values ('vpc-1', 'a', '10.0.0.0/8', 1);
  `)
  await migrateToLatest(db, silentLog)
  const rows = (table: string) => database.prepare(`select * from ${table}`).all()
  const of = { account: 'a', vpc: 'vpc-1' }
  expect(rows('internetGateways')).toMatchObject([{ id: 'igw-1', ...of }])
  expect(rows('routeTables')).toMatchObject([{ id: 'rtb-1', ...of }])
  expect(rows('routes')).toMatchObject([
    { table: 'rtb-1', destination: '0.0.0.0/0', target: 'igw-1' },
  ])
  expect(rows('routeTableAssociations')).toMatchObject([
    { id: 'rtbassoc-1', table: 'rtb-1', subnet: null },
  ])
  expect(rows('networkAcls')).toMatchObject([{ id: 'acl-1', ...of, defaultOf: 'vpc-1' }])
  expect(rows('networkAclEntries')).toMatchObject([
    { acl: 'acl-1', egress: 0, number: 100, allow: 1, peer: '0.0.0.0/0' },
    { acl: 'acl-1', egress: 1, number: 100, allow: 1, peer: '0.0.0.0/0' },
  ])
  database.close()
})

it('NICs become objects with addresses, and what came with them stays', async () => {
  const before = Object.entries(MIGRATIONS).filter(([name]) => name < '0022')
  const db = open()
  await migrateToLatest(db, silentLog, Object.fromEntries(before))
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true })
  database.exec(`${FIRST_RECORDS}
    insert into nics values ('nic1', 'i', 'a', 'v1', 's1', 0, '10.0.0.4', 'mac1', 'now');
    insert into nicGroups values ('nic1', 0, 'g1');
    insert into addresses values ('e1', 'a', '1', 'p', 'as1', 'nic1', '10.0.0.4', 'nic1', 'now');
  `)
  const tables = ['nics', 'nicGroups', 'addresses'] as const
  const rows = () => tables.map((table) => database.prepare(`select * from ${table}`).all())
  const old = rows()
  await migrateToLatest(db, silentLog)
  expect(rows()).toMatchObject(old)
  expect(database.prepare('pragma foreign_key_check').all()).toEqual([])
  expect(database.prepare('select nic, ip, isPrimary from nicAddresses').all()).toEqual([
    { nic: 'nic1', ip: '10.0.0.4', isPrimary: 1 },
  ])
  database.exec(`update nics set instance = null where id = 'nic1'`)
  // As an older daemon deletes.
  database.exec(`delete from nicGroups; delete from nics`)
  expect(database.prepare('select * from nicAddresses').all()).toEqual([])
  expect(database.prepare('select * from addresses').all()).toEqual([])
  database.close()
})

const FIRST_RECORDS = `
  insert into accounts (id, name) values ('a', '');
  insert into vpcs (id, account, cidr, isDefault) values ('v1', 'a', '10/8', 1);
  insert into subnets (id, vpc, account, cidr, zone, isDefault) values ('s1', 'v1', 'a', '10/16', 'z', 1);
  insert into securityGroups values ('g1', 'v1', 'a', 'default', '');
  insert into instances (id, account, reservation, launchIndex, image, type, host, state, wanted, bootCount, bootSeen, transitionReason, launchedAt)
    values ('i', 'a', 'r', 0, 'ami', 't', 'h', 'running', 'run', 1, 1, '', 'now');
`
const OLDER_RECORDS = `
  create table floats (id text primary key, nic text references nics (id) on delete set null);
  insert into accounts (id, name) values ('a', '');
  insert into vpcs values ('v1', 'a', '10/8', 1), ('v2', 'a', '11/8', 0);
  insert into subnets values ('s1', 'v1', 'a', '10/16', 'z', 1), ('s2', 'v2', 'a', '11/16', 'z', 0);
  insert into securityGroups values ('g1', 'v1', 'a', 'default', ''), ('g2', 'v2', 'a', 'default', '');
  insert into instances (id, account, reservation, launchIndex, image, type, host, state, wanted, bootCount, bootSeen, transitionReason, launchedAt)
    values ('i', 'a', 'r', 0, 'ami', 't', 'h', 'running', 'run', 1, 1, '', 'now');
  insert into nics values ('nic1', 'i', 'a', 'v1', 's1', 0, '10.0.0.4', 'mac1', 'now');
  insert into nicGroups values ('nic1', 0, 'g1');
  insert into floats values ('f1', 'nic1'), ('f2', null);
`

it('every migration says which generation it is of', () => {
  for (const name of Object.keys(MIGRATIONS)) expect(name).toMatch(/^0\d{3}-[a-z-]+$/)
})

it('two hosts may add a column at the same moment, when the lock of one has run out', async () => {
  await migrateToLatest(open(), silentLog)
  await using db = new Kysely<unknown>({ dialect: sqliteDialect(file) })
  const add = (table: string) => addColumn(db, table, 'motto', 'varchar(64)')
  await Promise.all([add('accounts'), add('accounts')])
  const tables = await db.introspection.getTables()
  const columns = tables.find(({ name }) => name === 'accounts')?.columns ?? []
  expect(columns.filter(({ name }) => name === 'motto')).toHaveLength(1)
  await expect(add('nothing')).rejects.toThrow()
})
