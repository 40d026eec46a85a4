/** What a migration takes off a table: a UNIQUE key, or NOT NULL. Safe to repeat. */
import { type Kysely, SqliteAdapter, sql } from 'kysely'

/** Removes the key `name`, which the table was made with, unless it is gone already. */
export async function dropKey(db: Kysely<unknown>, table: string, name: string): Promise<void> {
  if (isSqlite(db))
    await rebuildWithout(db, table, new RegExp(`, constraint "${name}" unique \\([^)]*\\)`))
  else await sql`alter table ${sql.table(table)} drop index if exists ${sql.ref(name)}`.execute(db)
}

/** Lets a column be null, unless it may be already. `type` is its type in both engines. */
export async function allowNull(
  db: Kysely<unknown>,
  table: string,
  column: string,
  type: 'varchar(64)',
): Promise<void> {
  const tables = await db.introspection.getTables()
  const known = tables.find(({ name }) => name === table)?.columns
  if (known?.some(({ name, isNullable }) => name === column && isNullable) === true) return
  if (isSqlite(db)) {
    const constraint = new RegExp(`(?<="${column}" ${type.replace(/[()]/g, '\\$&')}) not null`)
    await rebuildWithout(db, table, constraint)
  } else
    await sql`alter table ${sql.table(table)} modify ${sql.ref(column)} ${sql.raw(type)} null`.execute(
      db,
    )
}

function isSqlite(db: Kysely<unknown>): boolean {
  return db.getExecutor().adapter instanceof SqliteAdapter
}

/**
 * SQLite drops neither, so the table is made again from its own text without what goes
 * (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes"). The
 * procedure there switches foreign keys off, which a transaction cannot. With deferred ones, rows
 * that are put back under the same name satisfy those that refer to them again.
 */
async function rebuildWithout(db: Kysely<unknown>, table: string, gone: RegExp): Promise<void> {
  const text = await textOf(db, table)
  const without = text.replace(gone, '')
  if (without === text) return
  const indexes = await sql<{ readonly sql: string }>`
    select sql from sqlite_schema
    where type = 'index' and tbl_name = ${table} and sql is not null`.execute(db)
  const cleared = await clearedReferences(db, table)
  for (const { child, column } of cleared)
    await sql`update ${sql.table(child)} set ${sql.ref(column)} = null`.execute(db)
  const whole = sql.table(table)
  const copy = sql.table(`${table}Copy`)
  await sql`pragma defer_foreign_keys = on`.execute(db)
  await sql`create table ${copy} as select * from ${whole}`.execute(db)
  await sql`drop table ${whole}`.execute(db)
  await sql.raw(without).execute(db)
  await sql`insert into ${whole} select * from ${copy}`.execute(db)
  await sql`drop table ${copy}`.execute(db)
  for (const index of indexes.rows) await sql.raw(index.sql).execute(db)
  for (const { child, column, row, value } of cleared)
    await sql`update ${sql.table(child)} set ${sql.ref(column)} = ${value} where rowid = ${row}`.execute(
      db,
    )
}

async function textOf(db: Kysely<unknown>, table: string): Promise<string> {
  const { rows } = await sql<{ readonly sql: string }>`
    select sql from sqlite_schema where type = 'table' and name = ${table}`.execute(db)
  return rows[0]?.sql ?? ''
}

/**
 * A reference that is cleared, or whose row is deleted, when the row it names is deleted, as
 * dropping its table does.
 */
interface ClearedReference {
  readonly child: string
  readonly column: string
  readonly row: number
  readonly value: string
}

async function clearedReferences(
  db: Kysely<unknown>,
  table: string,
): Promise<readonly ClearedReference[]> {
  const { rows: keys } = await sql<{ readonly child: string; readonly column: string }>`
    select tables.name as child, keys."from" as column
    from sqlite_schema as tables, pragma_foreign_key_list(tables.name) as keys
    where tables.type = 'table' and keys."table" = ${table} and keys.on_delete <> 'NO ACTION'`.execute(
    db,
  )
  const found: ClearedReference[] = []
  for (const { child, column } of keys) {
    const { rows } = await sql<Pick<ClearedReference, 'row' | 'value'>>`
      select rowid as "row", ${sql.ref(column)} as "value" from ${sql.table(child)}
      where ${sql.ref(column)} is not null`.execute(db)
    for (const one of rows) found.push({ child, column, ...one })
  }
  return found
}
