/**
 * One transaction: the methods of all nouns over one session, and the scopes that their writes
 * touch.
 */
import type { Kysely, RawBuilder } from 'kysely'
import { bug } from '../model/errors.ts'
import { readDump, writeDump } from './dump.ts'
import type { AnyNoun, Tables } from './nouns.ts'
import { inOrder, scopeText } from './records/generation.ts'
import type { Session } from './records/noun.ts'
import type { RowReader } from './records/rows.ts'
import { createWhereabouts } from './records/whereabouts.ts'
import type { Scope } from './scope.ts'

/** A session in `db`. */
export function sessionIn(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
  rows: RowReader,
): Session<Tables> {
  return { db, nowMs, rows, where: createWhereabouts(db), advances: new Set(), touched: new Map() }
}

/** What reads. A store's type says which nouns it has. */
export function readTx<Tx>(nouns: readonly AnyNoun[], session: Session<Tables>): Tx {
  return {
    ...Object.assign({}, ...nouns.map((one) => one.reads(session))),
    dump: () => readDump(nouns, session),
    unreadable: () => session.rows.unreadable,
  } as Tx
}

/** The reads and writes. The session collects the scopes of the writes that have happened. */
export function writeTx<Tx>(nouns: readonly AnyNoun[], session: Session<Tables>): Tx {
  return {
    ...readTx<object>(nouns, session),
    ...Object.assign({}, ...nouns.map((one) => touching(one, session))),
    touched: () => inOrder(session.touched),
    restore: (dump: Parameters<typeof writeDump>[2]) => writeDump(nouns, session, dump),
  } as Tx
}

type Write = (...given: readonly unknown[]) => Promise<unknown>
type Concerns = (
  session: Session<Tables>,
  ...given: readonly unknown[]
) => readonly Scope[] | Promise<readonly Scope[]>

/**
 * A noun's writes. Their scopes are computed before each write, while what it removes still exists.
 */
function touching(noun: AnyNoun, session: Session<Tables>): Readonly<Record<string, Write>> {
  const touches: Readonly<Record<string, Concerns>> = noun.touches
  const methods = Object.entries<Write>(noun.writes(session)).map(([name, write]) => {
    const concerns = touches[name]
    if (concerns === undefined) throw bug('a write does not say whom it concerns', { name })
    const noted: Write = async (...given) => {
      const scopes = await concerns(session, ...given)
      const outcome = await write(...given)
      if (outcome === undefined || outcome === 'done')
        for (const scope of scopes) session.touched.set(scopeText(scope), scope)
      return outcome
    }
    return [name, noted] as const
  })
  return Object.fromEntries(methods)
}
