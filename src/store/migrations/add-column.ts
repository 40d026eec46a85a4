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
  const isThere = async () =>
    (await db.introspection.getTables())
      .find(({ name }) => name === table)
      ?.columns.some(({ name }) => name === column) === true
  if (await isThere()) return
  try {
    await db.schema.alterTable(table).addColumn(column, type, define).execute()
  } catch (error) {
    // A migration that takes longer than its lock goes on beside the next host's.
    if (!(await isThere())) throw error
  }
}
