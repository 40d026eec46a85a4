/**
 * The interface of sources: content that can be requested from an offset, so that continuing an
 * interrupted transfer is implemented once (`download.ts`). `published-file.ts`, `source-http.ts`
 * and `source-s3.ts` implement it. The parts of HTTP that the latter two share are here as well.
 */
import { refused, unavailable } from '../model/errors.ts'

/**
 * An offset in content whose first part is at hand. `validator` is that of `Opened` when the part
 * was fetched.
 */
export interface Position {
  readonly offset: number
  readonly validator: string
}

/** Content that is being sent. */
export interface Opened {
  /**
   * Where `body` begins: at the requested offset, or at 0 if the content has changed or cannot be
   * requested in parts.
   */
  readonly offset: number
  /** Size of the whole content. Null when the sender does not know it. */
  readonly totalBytes: number | null
  /** Identifies this version of the content. Null when a transfer of it cannot be continued. */
  readonly validator: string | null
  /** Throws what ends it early. Opening again may help. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface Source {
  /** The location, for messages and for recognising an earlier part. */
  readonly name: string
  /** The verb for progress messages. */
  readonly verb: 'Copying' | 'Downloading'
  /**
   * Whether it is elsewhere. Then every failure has the same message and is reported after the same
   * time, and there is a minimum rate.
   */
  readonly isOutside: boolean
  /**
   * Errors: `refused` when a repetition cannot help, `unavailable` when it may. Abort `signal` when
   * the body is no longer needed or is silent.
   */
  open(from: Position | null, signal: AbortSignal): Promise<Opened>
  /** Copies the whole file at once by sharing blocks, if possible. Returns whether it did. */
  clone?(target: string): Promise<boolean>
}

const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429
/** Range Not Satisfiable (RFC 9110, 15.5.17). */
export const NOT_SATISFIABLE = 416
/** Precondition Failed (RFC 9110, 15.5.13). */
export const PRECONDITION_FAILED = 412

/** The error for an HTTP status that is not a success. It says whether a repetition may help. */
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
