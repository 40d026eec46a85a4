/** Write-sets: what transactions have changed, and their order. */
import { constants, type DatabaseSync } from 'node:sqlite'
import { EngineError } from '../../src/store/engines/engine.ts'
import { keysIn } from './changeset.ts'

/** What a transaction has changed. */
export interface WriteSet {
  readonly changes: Uint8Array
  readonly keys: ReadonlySet<string>
}

/** The order of write-sets, as a node uses it. */
export interface Replication {
  readonly log: readonly WriteSet[]
  /** Adds it to the log. Errors: `conflict`. */
  certify(set: WriteSet, sawUntil: number): void
}

/**
 * What a foreign key does to rows of other tables is in the write-set, too, and has happened to
 * them by then. Nothing else can: certification refuses what has changed the same rows.
 */
function onConflict(kind: number): number {
  if (kind === constants.SQLITE_CHANGESET_NOTFOUND) return constants.SQLITE_CHANGESET_OMIT
  if (kind === constants.SQLITE_CHANGESET_DATA) return constants.SQLITE_CHANGESET_REPLACE
  return constants.SQLITE_CHANGESET_ABORT
}

/** Applies the write-set, or nothing of it if it does not fit. */
export function applies(database: DatabaseSync, { changes }: WriteSet): boolean {
  try {
    return database.applyChangeset(changes, { onConflict })
  } catch (error) {
    // A reference that does not fit.
    if (error instanceof Error && 'errcode' in error) return false
    throw error
  }
}

/** The write-set of these changes. */
export function writeSetOf(changes: Uint8Array): WriteSet {
  return { changes, keys: keysIn(changes) }
}

/** The error of a transaction that lost against another one. */
export function conflict(what: string): EngineError {
  return new EngineError('conflict', new Error(`conflict: ${what}`), { engine: 'simulated' })
}
