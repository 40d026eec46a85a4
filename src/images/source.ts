/**
 * The port to where image files come from: content that can be asked for from some byte on, so that
 * continuing a broken transfer is written once (`download.ts`). `published-file.ts`,
 * `source-http.ts` and `source-s3.ts` implement it. Here are also the parts of HTTP that the latter
 * two share.
 */
import { refused, unavailable } from '../model/errors.ts'

/**
 * A place in content of which the part before is at hand. `validator` is what `Opened` said when
 * that part was fetched.
 */
export interface Position {
  readonly offset: number
  readonly validator: string
}

/** Content that is being sent. */
export interface Opened {
  /**
   * Where `body` begins: at the position that was asked for, or at 0 because the content is another
   * by now, or cannot be had in parts.
   */
  readonly offset: number
  /** Size of the whole content; null when the sender does not know. */
  readonly totalBytes: number | null
  /** Names this state of the content; null when a transfer of it cannot be taken up again. */
  readonly validator: string | null
  /** Throws whatever ends it early; all that may be healed by opening again. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface Source {
  /** The location, for messages and for recognising what was begun earlier. */
  readonly name: string
  /** What is said to be going on. */
  readonly verb: 'Copying' | 'Downloading'
  /**
   * Whether it lies elsewhere: whatever goes wrong there is told in one sentence and at one time,
   * and it has to send at a least rate.
   */
  readonly isOutside: boolean
  /**
   * Errors: `refused` when asking again will not help, `unavailable` when it may. Abort `signal`
   * when the body is no longer needed or has fallen silent.
   */
  open(from: Position | null, signal: AbortSignal): Promise<Opened>
  /**
   * Copies all of it at once without moving a byte, where that is possible; says whether it was.
   */
  clone?(target: string): Promise<boolean>
}

const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429
/** Range Not Satisfiable (RFC 9110, 15.5.17). */
export const NOT_SATISFIABLE = 416
/** Precondition Failed (RFC 9110, 15.5.13). */
export const PRECONDITION_FAILED = 412

/** What an HTTP status that is no success says of trying again. */
export function statusError(name: string, status: number, words = ''): Error {
  const message = `${name} answers with status ${status}${words === '' ? '' : ` (${words})`}`
  const passing = status >= 500 || status === REQUEST_TIMEOUT || status === TOO_MANY_REQUESTS
  return passing ? unavailable(message) : refused('InvalidParameterValue', message)
}

/**
 * Offset and whole size in a Content-Range (RFC 9110, 14.4): `bytes 5-9/10`. Null when it is
 * malformed.
 */
export function parseContentRange(
  value: string,
): { readonly offset: number; readonly totalBytes: number | null } | null {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value)
  if (found === null) return null
  const [, first, last, total] = found
  const offset = Number(first)
  const totalBytes = total === '*' ? null : Number(total)
  const sound = offset <= Number(last) && (totalBytes === null || Number(last) < totalBytes)
  return sound ? { offset, totalBytes } : null
}
