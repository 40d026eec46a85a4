/**
 * Migration 15: generations of scopes (`scope.ts`). Additive: an older daemon only advances a
 * host's generation. So a host's row also counts the advances that had a scope
 * (`scopedGeneration`). If the two differ, an older daemon has changed something.
 */
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'

/** The tables while this migration runs. */
type Seeded = {
  readonly hosts: { readonly name: string; readonly generation: number; scopedGeneration: number }
  readonly instances: { readonly id: string; readonly host: string; readonly state: string }
  readonly nics: { readonly instance: string; readonly vpc: string }
  readonly generations: {
    readonly scope: string
    readonly host: string
    readonly generation: number
    readonly changedAtMs: number
  }
}

/**
 * Creates `generations` with rows for the members of existing VPCs, `hosts.scopedGeneration`, and
 * an index of NICs by VPC.
 */
export const generations: Migration = {
  async up(unknown: Kysely<unknown>) {
    const db = unknown.withTables<Seeded>()
    await db.schema
      .createTable('generations')
      .ifNotExists()
      .addColumn('scope', NAME, (column) => column.notNull())
      .addColumn('host', NAME, (column) => column.notNull())
      .addColumn('generation', 'bigint', (column) => column.notNull())
      .addColumn('changedAtMs', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('generationsKey', ['scope', 'host'])
      .execute()
    await db.schema
      .createIndex('generationsBy_scope_changedAtMs')
      .ifNotExists()
      .on('generations')
      .columns(['scope', 'changedAtMs'])
      .execute()
    // A host reads all members of a VPC when its first instance there is launched.
    await db.schema.createIndex('nicsBy_vpc').ifNotExists().on('nics').column('vpc').execute()
    await addColumn(unknown, 'hosts', 'scopedGeneration', 'bigint', (one) =>
      one.notNull().defaultTo(0),
    )
    await db
      .updateTable('hosts')
      .set((row) => ({ scopedGeneration: row.ref('generation') }))
      .execute()
    await db
      .insertInto('generations')
      .columns(['scope', 'host', 'generation', 'changedAtMs'])
      .expression((from) =>
        from
          .selectFrom('nics')
          .innerJoin('instances', 'instances.id', 'nics.instance')
          .leftJoin('generations', (join) =>
            join
              .onRef('generations.scope', '=', 'nics.vpc')
              .onRef('generations.host', '=', 'instances.host'),
          )
          .select(['nics.vpc', 'instances.host', sql.lit(1).as('first'), sql.lit(0).as('at')])
          .where('generations.scope', 'is', null)
          .distinct(),
      )
      .execute()
  },
}
