/**
 * Image files by HTTP, through the filter of `outbound.ts`. `Range` with `If-Range` continues an
 * interrupted transfer if the content has not changed (RFC 9110, 13.1.5 and 14).
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { refused } from '../model/errors.ts'
import type { Outbound } from './outbound.ts'
import {
  NOT_SATISFIABLE,
  type Opened,
  type Position,
  parseContentRange,
  type Source,
  statusError,
} from './source.ts'

const REDIRECTS_MAX = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const OK = 200
const PARTIAL_CONTENT = 206
/**
 * A date is a strong validator if it is at least this much older than the response (RFC 9110,
 * 8.8.2.2).
 */
const DATE_IS_STRONG_AFTER_MS = 1_000
const LONGEST_VALIDATOR = 1_024

/** The content at `url`. Requests have no credentials or cookies, and use no cache. */
export function createHttpSource(url: string, outbound: Pick<Outbound, 'get'>): Source {
  async function open(from: Position | null, signal: AbortSignal): Promise<Opened> {
    const response = await get(url, from, outbound, signal)
    const { statusCode = 0, headers } = response
    if (from !== null && (statusCode === NOT_SATISFIABLE || isPart(response))) {
      const part = partOf(url, response, from)
      if (part !== null) return part
      response.destroy()
      return open(null, signal)
    }
    if (statusCode !== OK) {
      response.destroy()
      throw statusError(url, statusCode)
    }
    const totalBytes = lengthOf(headers['content-length'])
    return { offset: 0, totalBytes, validator: validatorOf(headers), body: bodyOf(url, response) }
  }
  return { name: url, verb: 'Downloading', isOutside: true, open }
}

function isPart(response: IncomingMessage): boolean {
  return response.statusCode === PARTIAL_CONTENT
}

/** Follows redirects itself, because their targets are as hostile as the location. */
async function get(
  url: string,
  from: Position | null,
  outbound: Pick<Outbound, 'get'>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers = {
    // With compression, sizes and ranges would not be those of the file.
    'accept-encoding': 'identity',
    ...(from === null ? {} : { range: `bytes=${from.offset}-`, 'if-range': from.validator }),
  }
  let at = new URL(url)
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    const response = await outbound.get(at, headers, signal)
    if (!REDIRECTS.has(response.statusCode ?? 0)) return response
    response.destroy()
    at = next(url, at, response.headers.location)
  }
  throw refused('InvalidParameterValue', `${url} redirects more than ${REDIRECTS_MAX} times`)
}

function next(url: string, at: URL, location: string | undefined): URL {
  const to = location === undefined ? null : URL.parse(location, at)
  if (to === null)
    throw refused('InvalidParameterValue', `${url} redirects without saying where to`)
  const { protocol, username, password } = to
  if (protocol !== 'https:' && (protocol !== 'http:' || at.protocol === 'https:'))
    throw refused(
      'InvalidParameterValue',
      `${url} redirects to ${protocol}, which is not followed; only http and https are, and not from https to http`,
    )
  if (username !== '' || password !== '')
    throw refused('InvalidParameterValue', `${url} redirects to a location with a password in it`)
  return to
}

/**
 * The part that continues ours. Null when it is another part, or of other content (not every server
 * supports `If-Range`).
 */
function partOf(url: string, response: IncomingMessage, from: Position): Opened | null {
  const range = parseContentRange(response.headers['content-range'] ?? '')
  const validator = validatorOf(response.headers) ?? from.validator
  const fits = range?.offset === from.offset && validator === from.validator
  return isPart(response) && fits ? { ...range, validator, body: bodyOf(url, response) } : null
}

function bodyOf(url: string, response: IncomingMessage): AsyncIterable<Uint8Array> {
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return response
  response.destroy()
  throw refused('InvalidParameterValue', `${url} has an unexpected content encoding (${encoding})`)
}

/** A strong entity tag, or a date that counts as strong. */
function validatorOf(headers: IncomingHttpHeaders): string | null {
  const tag = headers.etag
  if (tag !== undefined && tag.length <= LONGEST_VALIDATOR && tag.startsWith('"')) return tag
  const modified = headers['last-modified'] ?? null
  const ageMs = Date.parse(headers.date ?? '') - Date.parse(modified ?? '')
  return ageMs >= DATE_IS_STRONG_AFTER_MS ? modified : null
}

function lengthOf(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : null
}
