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
import { createRecordLocations } from './records/record-locations.ts'
import type { RowReader } from './records/rows.ts'
import type { Scope } from './scope.ts'

/** A session in `db`. */
export function sessionIn(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
  rows: RowReader,
): Session<Tables> {
  return {
    db,
    nowMs,
    rows,
    where: createRecordLocations(db),
    advances: new Set(),
    touched: new Map(),
  }
}

/** What reads. A store's type says which nouns it has. */
export function readTx<Tx>(nouns: readonly AnyNoun[], session: Session<Tables>): Tx {
  const methods: Methods = {
    dump: () => readDump(nouns, session),
    unreadable: () => session.rows.unreadable,
  }
  for (const one of nouns) Object.assign(methods, one.reads(session))
  return methods as Tx
}

/** The reads and writes. The session collects the scopes of the writes that have happened. */
export function writeTx<Tx>(nouns: readonly AnyNoun[], session: Session<Tables>): Tx {
  const methods = readTx<Methods>(nouns, session)
  for (const one of nouns) addWrites(methods, one, session)
  return Object.assign(methods, {
    touched: () => inOrder(session.touched),
    restore: (dump: Parameters<typeof writeDump>[2]) => writeDump(nouns, session, dump),
  }) as Tx
}

type Methods = Record<string, unknown>
type Write = (...given: readonly unknown[]) => Promise<unknown>
type Concerns = (
  session: Session<Tables>,
  ...given: readonly unknown[]
) => readonly Scope[] | Promise<readonly Scope[]>

/**
 * A noun's writes. Their scopes are computed before each write, while what it removes still exists.
 */
function addWrites(methods: Methods, noun: AnyNoun, session: Session<Tables>): void {
  const touches: Readonly<Record<string, Concerns>> = noun.touches
  for (const [name, write] of Object.entries<Write>(noun.writes(session))) {
    const concerns = touches[name]
    if (concerns === undefined) throw bug('a write does not say whom it concerns', { name })
    methods[name] = async (...given: readonly unknown[]) => {
      const scopes = await concerns(session, ...given)
      const outcome = await write(...given)
      if (outcome === undefined || outcome === 'done')
        for (const scope of scopes) session.touched.set(scopeText(scope), scope)
      return outcome
    }
  }
}
