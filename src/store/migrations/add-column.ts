/** Adding a column in a migration, safe to repeat: not every engine undoes half of one. */
import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Adds the column unless an interrupted migration did so before. */
export async function addColumn(
  db: Kysely<unknown>,
  table: string,
  column: string,
  type: 'integer' | 'bigint' | 'text' | 'varchar(255)',
  define: (definition: ColumnDefinitionBuilder) => ColumnDefinitionBuilder = (definition) =>
    definition,
): Promise<void> {
  const tables = await db.introspection.getTables()
  const known = tables.find(({ name }) => name === table)?.columns
  if (known?.some(({ name }) => name === column) === true) return
  await db.schema.alterTable(table).addColumn(column, type, define).execute()
}
