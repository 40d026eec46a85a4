/**
 * Adds a column in a migration. Safe to repeat, because not every engine undoes half a migration.
 */
import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Adds the column, unless an interrupted migration has added it. */
export async function addColumn(
  db: Kysely<unknown>,
  table: string,
  column: string,
  type: 'integer' | 'bigint' | 'text' | 'varchar(64)' | 'varchar(255)' | 'varchar(512)',
  define: (definition: ColumnDefinitionBuilder) => ColumnDefinitionBuilder = (definition) =>
    definition,
): Promise<void> {
  const tables = await db.introspection.getTables()
  const known = tables.find(({ name }) => name === table)?.columns
  if (known?.some(({ name }) => name === column) === true) return
  await db.schema.alterTable(table).addColumn(column, type, define).execute()
}
