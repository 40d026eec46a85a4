/**
 * Converts any thrown error to what the caller is told: HTTP status, EC2 code and public message.
 *
 * No other file does this. The message of a bug is never sent: the caller gets the request id, and
 * the log has the error under that id. Pure.
 */
import { AtollError, ERROR_STATUS, type ErrorCode, type ErrorKind } from '../model/errors.ts'

/** What is sent. */
export interface Fault {
  readonly kind: ErrorKind
  readonly status: number
  readonly code: ErrorCode
  readonly message: string
}

/** The public part of an error. Every error that is not an `AtollError` is a bug. */
export function faultOf(error: unknown): Fault {
  if (error instanceof AtollError && error.kind !== 'bug') {
    const { kind, code, message } = error
    return { kind, code, message, status: ERROR_STATUS[code] }
  }
  return {
    kind: 'bug',
    code: 'InternalError',
    status: ERROR_STATUS.InternalError,
    message:
      'An internal error has occurred. The log of the host that answered has the cause under the request id',
  }
}
