/**
 * Running a transaction again without applying it twice, where the answer to a commit can be lost.
 *
 * A transaction that wrote something also writes a row with an id of its own, in the same commit.
 * When nobody answers whether the commit happened, the work is run again with the same id, and
 * writes that row first: if the key is taken, the earlier run was committed after all, and its
 * result is the result. The key works in both directions: an earlier commit that is still on its
 * way when the later run wins fails on it, on the same node by the lock and on another by Galera's
 * certification. Rows are swept once no run of theirs can be under way any more.
 */
import type { Kysely, KyselyPlugin, RawBuilder, Transaction, TransactionBuilder } from 'kysely'
import { z } from 'zod'
import { bug } from '../../model/errors.ts'
import { isTrouble } from '../engines/engine.ts'
import { count } from './columns.ts'
import { noun, type RowsOf, table } from './noun.ts'

/** How long a row stays: a hundred times longer than a transaction is run again and again. */
const KEPT_MS = 20 * 60_000

/** A transaction that was committed. */
interface Commit {
  readonly id: string
  /** Which run of the transaction was committed, from 0. */
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

/** The noun: only the store itself reads and writes it. */
export const commits = noun({
  tables,
  reads: () => ({}),
  writes: () => ({}),
  touches: {},
  inCopy: {},
})

/**
 * A function that runs `work` in a transaction of `begin`, to be called again, after it failed with
 * `conflict`, `lost` or `unsure`, until it succeeds: then the work was applied once, and the result
 * is that of the run that was. `id` is unique for ever.
 */
export function appliedOnce<Tables, T>(
  begin: () => TransactionBuilder<Tables>,
  nowMs: RawBuilder<number>,
  id: string,
  work: (transaction: Transaction<Tables>) => Promise<T>,
): () => Promise<T> {
  /** What each run gave whose commit was asked for. */
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

/** Forgets commits that nobody can ask for any more. */
export async function sweepCommits<Tables>(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Promise<void> {
  await commitsIn(db)
    .deleteFrom('commits')
    .where(({ eb, parens }) => eb('madeAtMs', '<', parens(eb(nowMs, '-', KEPT_MS))))
    .execute()
}

/**
 * Records a run as the one that is committed; gives the run that was, when there was one before.
 */
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
    if (!isTrouble(error, 'duplicate')) throw error
  }
  const row = await db.selectFrom('commits').select('run').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw bug('a commit that is recorded cannot be read', { id })
  return row.run
}

/** The table is there, whatever others a caller knows. */
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
