/**
 * Image files by HTTP: `Range` with `If-Range` goes on where a transfer ended, provided that the content is still the same
 * (RFC 9110, 13.1.5 and 14).
 */
import { explain, refused, unavailable } from '../../model/errors.ts'
import {
  NOT_SATISFIABLE,
  type Opened,
  type Position,
  parseContentRange,
  type Source,
  statusError,
} from './machine-source.ts'

const REDIRECTS_MAX = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const OK = 200
const PARTIAL_CONTENT = 206
/** A date is a strong validator when it is at least this much older than the answer (RFC 9110, 8.8.2.2). */
const DATE_IS_STRONG_AFTER_MS = 1_000
const LONGEST_VALIDATOR = 1_024

/** What `url` answers to GET. It is asked without credentials, cookies or a cache. */
export function createHttpSource(url: string): Source {
  async function open(from: Position | null, signal: AbortSignal): Promise<Opened> {
    const response = await get(url, from, signal)
    if (from !== null && (response.status === NOT_SATISFIABLE || isPart(response))) {
      const part = partOf(url, response, from)
      if (part !== null) return part
      await response.body?.cancel()
      return open(null, signal)
    }
    if (response.status !== OK) {
      await response.body?.cancel()
      throw statusError(url, response.status)
    }
    const totalBytes = lengthOf(response.headers.get('content-length'))
    return { offset: 0, totalBytes, validator: validatorOf(response), body: bodyOf(url, response) }
  }
  return { name: url, verb: 'Downloading', open }
}

function isPart(response: Response): boolean {
  return response.status === PARTIAL_CONTENT
}

/** Follows redirects itself: what they lead to is as hostile as the location was. */
async function get(url: string, from: Position | null, signal: AbortSignal): Promise<Response> {
  // Compressed on the way, neither sizes nor ranges would be those of the file.
  const headers = new Headers({ 'accept-encoding': 'identity' })
  if (from !== null) {
    headers.set('range', `bytes=${from.offset}-`)
    headers.set('if-range', from.validator)
  }
  let at = url
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    const response = await ask(url, at, { headers, signal, redirect: 'manual' })
    if (!REDIRECTS.has(response.status)) return response
    await response.body?.cancel()
    at = next(url, at, response.headers.get('location'))
  }
  throw refused('InvalidParameterValue', `${url} redirects more than ${REDIRECTS_MAX} times`)
}

async function ask(url: string, at: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(at, init)
  } catch (error) {
    init.signal?.throwIfAborted()
    throw unavailable(`${url} cannot be reached: ${explain(error)}`, error)
  }
}

function next(url: string, at: string, location: string | null): string {
  const to = location === null ? null : URL.parse(location, at)
  if (to === null)
    throw refused('InvalidParameterValue', `${url} redirects without saying where to`)
  const { protocol, username, password } = to
  if (protocol !== 'https:' && (protocol !== 'http:' || at.startsWith('https:')))
    throw refused(
      'InvalidParameterValue',
      `${url} redirects to ${protocol}, which is not followed; only http and https are, and not from https to http`,
    )
  if (username !== '' || password !== '')
    throw refused('InvalidParameterValue', `${url} redirects to a location with a password in it`)
  return to.href
}

/** What goes on where we are; null when it is another part, or a part of something else (not every server knows `If-Range`). */
function partOf(url: string, response: Response, from: Position): Opened | null {
  const range = parseContentRange(response.headers.get('content-range') ?? '')
  const validator = validatorOf(response) ?? from.validator
  const fits = range?.offset === from.offset && validator === from.validator
  return isPart(response) && fits ? { ...range, validator, body: bodyOf(url, response) } : null
}

function bodyOf(url: string, response: Response): AsyncIterable<Uint8Array> {
  const encoding = response.headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity')
    throw refused('InvalidParameterValue', `${url} is sent encoded (${encoding}), unasked`)
  // Read from now on: Node cancels a body that nobody reads yet when its response is collected, and it would end early without an error.
  return response.body?.values() ?? emptyBody()
}

async function* emptyBody(): AsyncIterable<Uint8Array> {}

/** A strong entity tag, or a date that is one as good. */
function validatorOf({ headers }: Response): string | null {
  const tag = headers.get('etag')
  if (tag !== null && tag.length <= LONGEST_VALIDATOR && tag.startsWith('"')) return tag
  const modified = headers.get('last-modified')
  const ageMs = Date.parse(headers.get('date') ?? '') - Date.parse(modified ?? '')
  return ageMs >= DATE_IS_STRONG_AFTER_MS ? modified : null
}

function lengthOf(header: string | null): number | null {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : null
}
