/**
 * Runs a transaction again without applying it twice, although the answer to a commit may be lost.
 *
 * A transaction that writes also inserts a row with its own id, in the same commit. If it is
 * unknown whether the commit happened, the work is run again with the same id, and inserts that row
 * first. If the key is taken, the earlier run was committed, and its result counts. The key also
 * works the other way: an earlier commit that arrives late fails on it, on the same node because of
 * the lock, on another one because of Galera's certification. Rows are deleted once no run can
 * still need them.
 */
import type { Kysely, KyselyPlugin, RawBuilder, Transaction, TransactionBuilder } from 'kysely'
import { z } from 'zod'
import { bug } from '../../model/errors.ts'
import { isEngineError } from '../engines/engine.ts'
import { count } from './columns.ts'
import { noun, type RowsOf, table } from './noun.ts'

/** How long a row is kept: a hundred times longer than a transaction is repeated. */
const KEPT_MS = 20 * 60_000

/** A committed transaction. */
interface Commit {
  readonly id: string
  /** The number of the run that was committed, from 0. */
  readonly run: number
  /** By the engine's clock. */
  readonly madeAtMs: number
}

const tables = {
  commits: table<Commit>({
    name: 'commits',
    cached: false,
    copied: 'never',
    schema: z.object({ id: z.string(), run: count, madeAtMs: count }),
  }),
}
type CommitTables = RowsOf<typeof tables>

/** The noun. Only the store itself reads and writes it. */
export const commits = noun({
  tables,
  reads: () => ({}),
  writes: () => ({}),
  touches: {},
  inCopy: {},
})

/**
 * Returns a function that runs `work` in a transaction of `begin`. Call it again after `conflict`,
 * `lost` or `unsure`, until it succeeds. Then the work was applied once, and the result is that of
 * the run that was committed. `id` must never be reused.
 */
export function appliedOnce<Tables, T>(
  begin: () => TransactionBuilder<Tables>,
  nowMs: RawBuilder<number>,
  id: string,
  work: (transaction: Transaction<Tables>) => Promise<T>,
): () => Promise<T> {
  /** The result of each run whose commit was sent. */
  const results: T[] = []
  return () =>
    begin().execute(async (transaction) => {
      const run = results.length
      if (run > 0) {
        const applied = await record(transaction, nowMs, id, run)
        if (applied !== run) return results[applied] as T
      }
      const watch = watchWrites()
      const result = await work(transaction.withPlugin(watch.plugin))
      if (run === 0 && watch.hasWritten()) await record(transaction, nowMs, id, run)
      results.push(result)
      return result
    })
}

/** Deletes rows that no transaction can need any more. */
export async function sweepCommits<Tables>(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Promise<void> {
  await commitsIn(db)
    .deleteFrom('commits')
    .where(({ eb, parens }) => eb('madeAtMs', '<', parens(eb(nowMs, '-', KEPT_MS))))
    .execute()
}

/** Records a run as the committed one. Returns the earlier run if one was committed before. */
async function record<Tables>(
  transaction: Transaction<Tables>,
  nowMs: RawBuilder<number>,
  id: string,
  run: number,
): Promise<number> {
  const db = commitsIn(transaction)
  try {
    await db.insertInto('commits').values({ id, run, madeAtMs: nowMs }).execute()
    return run
  } catch (error) {
    if (!isEngineError(error, 'duplicate')) throw error
  }
  const row = await db.selectFrom('commits').select('run').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw bug('a commit that is recorded cannot be read', { id })
  return row.run
}

/** The table exists in every schema, even if the caller's type does not have it. */
function commitsIn<Tables>(db: Kysely<Tables>): Kysely<CommitTables> {
  return db as unknown as Kysely<CommitTables>
}

/** Tells whether a transaction has changed anything. */
function watchWrites(): { readonly plugin: KyselyPlugin; readonly hasWritten: () => boolean } {
  let written = false
  return {
    hasWritten: () => written,
    plugin: {
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        if (result.numAffectedRows !== undefined && result.numAffectedRows > 0n) written = true
        return result
      },
    },
  }
}
