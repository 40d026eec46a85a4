/**
 * Anything thrown → what the caller may know of it.
 *
 * The one place where errors become HTTP status, EC2 code and public message. A bug's message never
 * leaves the house: the caller gets the request id, the operator's log has the rest under that id.
 * Pure.
 */
import { AtollError, ERROR_STATUS, type ErrorCode, type ErrorKind } from '../model/errors.ts'

/** What is sent. */
export interface Fault {
  readonly kind: ErrorKind
  readonly status: number
  readonly code: ErrorCode
  readonly message: string
}

/** The public face of an error. Whatever is not an `AtollError` is a bug. */
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
      'An internal error has occurred. The log of this host has the cause under the request id',
  }
}
