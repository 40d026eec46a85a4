/**
 * What a SQL engine must provide besides Kysely's `Dialect`, and the error in which it reports
 * failures.
 *
 * All queries are plain SQL that every engine understands. What differs is in the engine's dialect.
 * The rest of the store relies on these promises and never asks which engine it is:
 *
 * - Everything that the driver throws becomes an `EngineError`, classified once by the engine's own
 *   code.
 * - A statement that violates a UNIQUE key fails alone. Its transaction goes on.
 * - Of transactions that change the same row, each sees the result of the one before. No update is
 *   lost, even if a row is read first and then written. A transaction that loses against another
 *   one fails as a whole with `conflict`, at commit at the latest. Not every engine compares rows
 *   that were only read. So a rule over several rows must be a UNIQUE key, or a statement that
 *   changes the row which the rule depends on.
 * - `read only` transactions see one snapshot and never wait for writers.
 * - Two migrations that start at once run one after the other. The second finds the work done.
 * - An engine behind a network says of a failed transaction whether it may have been committed
 *   (`unsure`) or cannot (`lost`). If it has several nodes, it changes to another one by itself.
 * - Text is compared byte by byte: letter case, accents and trailing blanks count (MariaDB:
 *   `utf8mb4_nopad_bin`).
 */
import { AtollError, type ErrorKind, messageOf } from '../../model/errors.ts'

/**
 * `duplicate`: a UNIQUE key is taken. `referenced`: a foreign key refers to the row to delete, or
 * the row to insert refers to a missing row. `conflict`: another transaction interfered; the whole
 * transaction may be run again. `lost`: the connection broke before a commit; the whole may be run
 * again. `unsure`: the answer to the commit was lost; whoever runs it again must ensure that it is
 * applied once. `away`: the engine or its disk does not work. `misuse`: the statement or its values
 * are wrong.
 */
export type EngineErrorKind =
  | 'duplicate'
  | 'referenced'
  | 'conflict'
  | 'lost'
  | 'unsure'
  | 'away'
  | 'misuse'

const KIND_OF_TROUBLE = {
  // Callers that expect a duplicate or a reference turn it into a result. If one leaves the store,
  // nobody expected it.
  duplicate: 'bug',
  referenced: 'bug',
  conflict: 'unavailable',
  lost: 'unavailable',
  unsure: 'unavailable',
  away: 'unavailable',
  misuse: 'bug',
} as const satisfies Record<EngineErrorKind, ErrorKind>

const UNAVAILABLE = 'The database is unavailable; try again.'
const DISK_FULL =
  'The disk of the database is full: nothing can be changed until whoever runs this cloud frees some space on it.'

/**
 * A failure of the SQL engine. Its cause is the driver's error, and `detail` has the error's code.
 */
export class EngineError extends AtollError {
  readonly trouble: EngineErrorKind
  /** Whether the engine, or what it is the consequence of, has no room left on its disk. */
  readonly isDiskFull: boolean

  constructor(
    trouble: EngineErrorKind,
    cause: unknown,
    detail: Readonly<Record<string, unknown>>,
    isDiskFull = cause instanceof EngineError && cause.isDiskFull,
  ) {
    const kind = KIND_OF_TROUBLE[trouble]
    const unavailable = isDiskFull ? DISK_FULL : UNAVAILABLE
    super(
      kind,
      kind === 'unavailable' ? 'Unavailable' : 'InternalError',
      kind === 'unavailable' ? unavailable : 'The database refused a statement.',
      { cause, detail: { ...detail, trouble, engineMessage: messageOf(cause) } },
    )
    this.name = 'EngineError'
    this.trouble = trouble
    this.isDiskFull = isDiskFull
  }
}

/** Whether an error is an engine's failure of one of these kinds. */
export function isEngineError(error: unknown, ...troubles: readonly EngineErrorKind[]): boolean {
  return error instanceof EngineError && troubles.includes(error.trouble)
}
