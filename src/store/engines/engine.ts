/**
 * What a SQL engine must bring besides Kysely's `Dialect`, and the error in which it reports its
 * troubles.
 *
 * All queries of the house are plain SQL that every engine understands; what differs is kept in the
 * engine's own dialect, behind promises instead of questions ("is this MariaDB?"):
 *
 * - Whatever the driver throws is an `EngineError`, classified by the engine's own code, once,
 *   where it enters.
 * - A statement that violates a UNIQUE key fails alone: the transaction around it goes on.
 * - Of transactions that change the same row, each sees what the one before it left: an update is
 *   never lost, even where a row is read first and written then. One that loses against another
 *   fails as a whole with `conflict`, at the latest at commit. Not every engine compares what is
 *   only read: a rule over several rows must be a UNIQUE key, or be kept by a statement that
 *   changes the row it hangs on.
 * - `read only` transactions see one snapshot and never wait for writers.
 * - Two migrations that start at once run one after the other; the second finds the work done.
 * - An engine behind a network says of a failed transaction whether it can still have happened
 *   (`unsure`) or cannot (`lost`), and where it has several nodes, it turns to another one by
 *   itself.
 * - Text is compared byte by byte: in letter case, accents and trailing blanks (MariaDB:
 *   `utf8mb4_nopad_bin`).
 */
import { AtollError, type ErrorKind, messageOf } from '../../model/errors.ts'

/**
 * `duplicate`: a UNIQUE key is taken. `referenced`: other rows refer to the row that was to go, or
 * the row that was to come refers to one that is not there. `conflict`: another transaction was in
 * the way, the whole of this one may be run again. `lost`: the way to the engine broke before
 * anything was committed, and the whole may be run again. `unsure`: the answer to the commit did
 * not come; whoever runs it again must see to it that it happens once. `away`: the engine or its
 * disk does not do its part. `misuse`: the statement or what it would write is wrong.
 */
export type EngineTrouble =
  | 'duplicate'
  | 'referenced'
  | 'conflict'
  | 'lost'
  | 'unsure'
  | 'away'
  | 'misuse'

const KIND_OF_TROUBLE = {
  // The callers that expect a duplicate or a reference turn it into a result; one that leaves the
  // store was never expected.
  duplicate: 'bug',
  referenced: 'bug',
  conflict: 'unavailable',
  lost: 'unavailable',
  unsure: 'unavailable',
  away: 'unavailable',
  misuse: 'bug',
} as const satisfies Record<EngineTrouble, ErrorKind>

/** A failure of the SQL engine, with the driver's own error as cause and its code in `detail`. */
export class EngineError extends AtollError {
  readonly trouble: EngineTrouble

  constructor(trouble: EngineTrouble, cause: unknown, detail: Readonly<Record<string, unknown>>) {
    const kind = KIND_OF_TROUBLE[trouble]
    super(
      kind,
      kind === 'unavailable' ? 'Unavailable' : 'InternalError',
      kind === 'unavailable'
        ? 'The record store is not available at the moment.'
        : 'The record store refused a statement.',
      { cause, detail: { ...detail, trouble, engineMessage: messageOf(cause) } },
    )
    this.name = 'EngineError'
    this.trouble = trouble
  }
}

/** Whether a thrown thing is an engine's failure of one of these kinds. */
export function isTrouble(error: unknown, ...troubles: readonly EngineTrouble[]): boolean {
  return error instanceof EngineError && troubles.includes(error.trouble)
}
