/**
 * The schema's history: ordered migrations, each applied once, by whichever host comes first.
 *
 * A migration that has left the house is never edited; a change is a new one. Statements are safe to repeat, because not
 * every engine can undo half a migration. Nothing is ever migrated back: a daemon refuses records from its future.
 */
import type { Kysely } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration'
import type { Log } from '../lib/log.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import { EngineError } from './dialects.ts'
import { firstRecords } from './migrations/0001-first-records.ts'
import type { Tables } from './tables.ts'

/** All migrations; they are applied in ascending order of their names. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-records': firstRecords,
}

/**
 * Applies what is missing. Safe when several hosts do it at once. Rejects with `unavailable` when the records belong to a
 * newer daemon, and with the `EngineError` of a statement that failed.
 */
export async function migrateToLatest(db: Kysely<Tables>, log: Log): Promise<void> {
  await refuseTheFuture(db)
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error instanceof AtollError) throw error
  if (error !== undefined) throw new EngineError('misuse', error, {})
  for (const { migrationName, status } of results)
    if (status === 'Success') log.info({ migration: migrationName }, 'records migrated')
}

async function refuseTheFuture(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE)) return
  const applied = await db
    .withTables<{ readonly [DEFAULT_MIGRATION_TABLE]: { readonly name: string } }>()
    .selectFrom(DEFAULT_MIGRATION_TABLE)
    .select('name')
    .execute()
  const unknown = applied.find(({ name }) => !(name in MIGRATIONS))
  if (unknown !== undefined)
    throw unavailable(
      `The records have migration "${unknown.name}", which this daemon does not know: install a newer version on this host.`,
    )
}
