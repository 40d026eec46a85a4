/**
 * What an error of the Docker Engine means to us, decided once, by status code and errno and never
 * by its text.
 * https://docs.docker.com/reference/api/engine/version/v1.41/ (errors of each operation)
 */

import { hasCode } from '../lib/errno.ts'
import { AtollError, messageOf, refused, unavailable } from '../model/errors.ts'

const BAD_REQUEST = 400

/** The HTTP status of an engine's error, or undefined when the engine did not answer at all. */
export function statusOf(error: unknown): number | undefined {
  return numberField(error, 'statusCode')
}

/**
 * `refused` when the engine says that the request itself is wrong (a command, user or directory
 * that the image does not have); `unavailable` for everything else. `doing` names what was tried
 * and with what: `start docker://web:1`.
 */
export function dockerError(error: unknown, doing: string): AtollError {
  if (error instanceof AtollError) return error
  const message = `cannot ${doing}: ${reasonOf(error)}`
  return statusOf(error) === BAD_REQUEST
    ? refused('InvalidParameterValue', message)
    : unavailable(message, error)
}

/** What docker-modem puts before the engine's words: `(HTTP code 500) server error - `. */
const CLIENT_PREFIX = /^\(HTTP code \d{3}\) .*? - /

/**
 * The engine's own words, without the client's prefix. Of an answer that is a stream, docker-modem
 * keeps no document.
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

/** What connect(2) and a broken connection give while no engine listens on the socket. */
const ABSENT = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']

/** Whether the engine was not there to answer, which says nothing about what it was asked. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === undefined && hasCode(error, ...ABSENT)
}
