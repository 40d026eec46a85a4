/** The records of a store: its nouns, and the migrations that create their tables. */
import type { Migration } from 'kysely/migration'
import { MIGRATIONS } from './migrations.ts'
import { type AnyNoun, NOUNS } from './nouns.ts'

/** A store's records. A test passes one with a further noun. */
export interface Schema {
  readonly nouns: readonly AnyNoun[]
  readonly migrations: Readonly<Record<string, Migration>>
}

/** The records of a cloud. */
export const SCHEMA: Schema = { nouns: NOUNS, migrations: MIGRATIONS }
