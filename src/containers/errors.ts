/**
 * Classifies errors of the Docker Engine: by errno and status whether it answered and what of, and
 * by its sentence whose fault it is (`image-faults.ts`).
 * https://docs.docker.com/reference/api/engine/version/v1.41/ (errors of each operation)
 */

import { hasCode } from '../lib/errno.ts'
import { AtollError, messageOf, refused, unavailable } from '../model/errors.ts'
import { isImageFault } from './image-faults.ts'

/** The HTTP status of an engine's error. Undefined when the engine did not answer. */
export function statusOf(error: unknown): number | undefined {
  return numberField(error, 'statusCode')
}

/**
 * `refused` when the image is at fault (a user or directory that it does not have), whatever the
 * status, otherwise `unavailable`. `doing` names the attempt, such as `start docker://web:1`.
 */
export function dockerError(error: unknown, doing: string): AtollError {
  if (error instanceof AtollError) return error
  const reason = reasonOf(error)
  return faultOf(reason, `cannot ${doing}: ${reason}`, error)
}

/** The same for a sentence of the engine that is no error of docker-modem. */
export function faultOf(sentence: string, message = sentence, cause?: unknown): AtollError {
  return isImageFault(sentence)
    ? refused('InvalidParameterValue', message)
    : unavailable(message, cause)
}

/** The prefix that docker-modem adds to the engine's message: `(HTTP code 500) server error - `. */
const CLIENT_PREFIX = /^\(HTTP code \d{3}\) .*? - /

/**
 * The engine's message, without the client's prefix. If the answer is a stream, docker-modem has no
 * message.
 */
export function reasonOf(error: unknown): string {
  const json = field(error, 'json')
  const message = field(json, 'message')
  return typeof message === 'string' ? message : messageOf(error).replace(CLIENT_PREFIX, '').trim()
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function numberField(value: unknown, name: string): number | undefined {
  const found = field(value, name)
  return typeof found === 'number' ? found : undefined
}

/** Errors of connect(2), and of a broken connection, while no engine listens on the socket. */
const ABSENT = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']

/** Whether the engine did not answer, which says nothing about the request. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === undefined && hasCode(error, ...ABSENT)
}

/** The same for an error of `dockerError`, too. */
export function isAway(error: unknown): boolean {
  return isAbsent(error) || (error instanceof AtollError && isAbsent(error.cause))
}
