/**
 * Verifies AWS Signature Version 4 in the Authorization header.
 *
 * `readClaim` parses the signature and checks its form and time. `proves` recomputes it from the
 * raw request and a secret. `authenticate` combines them with a key lookup. Query-string signatures
 * are refused.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { createBoundedMap } from '../../lib/bounded-map.ts'
import type { AccessKey } from '../../model/account-records.ts'
import { AtollError, refused } from '../../model/errors.ts'
import type { Caller } from '../action.ts'
import { parseForm } from '../wire/query.ts'

/** Maximum difference between a signature's time and ours. EC2 allows 15 minutes. */
export const MAX_SKEW_MS = 15 * 60 * 1000
/** Maximum number of headers that a signature may cover. */
export const MAX_SIGNED_HEADERS = 64
const MAX_AUTHORIZATION_LENGTH = 4096
const ALGORITHM = 'AWS4-HMAC-SHA256'
const SERVICES: readonly string[] = ['ec2', 'iam', 'sts', 'cloudtrail']

/**
 * Finds a key, or temporary credentials by their token, which is bound to the key's id: a signature
 * need not cover it.
 */
export type FindKey = (id: string, token: string | null) => Promise<AccessKey | undefined>

/** The part of a request before its body. */
export interface RequestHead {
  /**
   * By lower-case name, with all values of repeated headers in order (Node's `headersDistinct`).
   */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>
}

/** A raw request. */
export interface SignedRequest extends RequestHead {
  readonly method: string
  /** The path of the request line, without the query string. */
  readonly path: string
  /** The query string of the request line, without `?`. */
  readonly query: string
  readonly body: Uint8Array
}

/** The contents of the Authorization header, with valid form and time, but not yet verified. */
export interface Claim {
  readonly accessKey: string
  /** Of temporary credentials. Null: there is none. */
  readonly token: string | null
  /** `20261122T083327Z`. */
  readonly time: string
  /** `20261122/region/service/aws4_request`. */
  readonly scope: string
  readonly signedHeaders: readonly string[]
  /** 64 lower-case hex digits. */
  readonly signature: string
}

/**
 * Returns the sender of the request. Refusals: `MissingAuthenticationToken`, `IncompleteSignature`
 * (form), `RequestExpired` (time), `AuthFailure` (unknown key or wrong signature; only the
 * operator's log tells which).
 */
export async function authenticate(
  request: SignedRequest,
  findKey: FindKey,
  nowMs: number,
  signingKey: SigningKey = deriveKey,
): Promise<Caller> {
  const claim = readClaim(request, nowMs)
  const key = await findKey(claim.accessKey, claim.token)
  // An unknown key costs the same time as a known one.
  const proved = proves(claim, request, signingKey(key?.secret ?? '', claim.scope))
  if (key === undefined) throw unknownKey(claim)
  if (!proved) throw notValid({ why: 'wrong signature', accessKey: claim.accessKey })
  return callerOf(key)
}

/** The caller that a key proves. */
export function callerOf(key: AccessKey): Caller {
  const { id, account, user, parent, userPath, userId, role, federated } = key
  const caller: Caller = {
    ...{ account, user, accessKey: parent ?? id },
    rights: key.rights === 'policies' ? 'policies' : 'all',
    ...(userPath === undefined ? {} : { userPath }),
    ...(userId === undefined ? {} : { userId }),
  }
  // All sessions of a role share the limits of one key.
  if (role !== undefined) return { ...caller, accessKey: role.id, isTemporary: true, role }
  if (federated !== undefined) {
    // Never all rights: those of the session's policies, as far as the user has them.
    const limited = { ...federated, hasAllRights: caller.rights === 'all' }
    return { ...caller, rights: 'policies', isTemporary: true, federated: limited }
  }
  return parent === undefined ? caller : { ...caller, isTemporary: true }
}

/**
 * Parses the Authorization header of a request that was received at `nowMs` (milliseconds since the
 * epoch).
 */
export function readClaim(request: RequestHead, nowMs: number): Claim {
  if (headerOf(request, 'authorization') === undefined) {
    throw refused(
      'MissingAuthenticationToken',
      'Request is missing Authentication Token: sign it with Signature Version 4 in the Authorization header',
    )
  }
  const parts = splitAuthorization(single(request, 'authorization'))
  const time = single(request, 'x-amz-date')
  const signedAt = parseTime(time)
  if (signedAt === undefined) throw incomplete('X-Amz-Date must look like 20261122T083327Z')
  const { accessKey, scope } = splitCredential(parts.credential, time)
  const signedHeaders = checkSignedHeaders(parts.signedHeaders, request)
  if (!/^[0-9a-f]{64}$/.test(parts.signature)) {
    throw incomplete('Signature must be 64 lower-case hexadecimal digits')
  }
  if (Math.abs(nowMs - signedAt) > MAX_SKEW_MS) {
    const now = new Date(nowMs).toISOString()
    throw refused(
      'RequestExpired',
      `Request has expired: it was signed at ${time} and it is ${now} here: the clock of the client or of this host is wrong`,
    )
  }
  const hasToken = headerOf(request, 'x-amz-security-token') !== undefined
  const token = hasToken ? single(request, 'x-amz-security-token') : null
  return { accessKey, token, time, scope, signedHeaders, signature: parts.signature }
}

/** The key of a secret's signatures in a scope: of one day, region and service. */
type SigningKey = (secret: string, scope: string) => Buffer

/** Derived keys that are remembered. */
const KEYS_LIMIT = 4_096

/**
 * Derives each key once, as long as it is remembered. A key follows from the secret and the scope
 * alone, so it is never out of date.
 */
export function createSigningKeys(): SigningKey {
  const known = createBoundedMap<string, Buffer>(KEYS_LIMIT)
  return (secret, scope) => {
    const name = `${scope}\n${secret}`
    const key = known.get(name) ?? deriveKey(secret, scope)
    known.set(name, key)
    return key
  }
}

function deriveKey(secret: string, scope: string): Buffer {
  return scope
    .split('/')
    .reduce(
      (key, part) => createHmac('sha256', key).update(part).digest(),
      Buffer.from(`AWS4${secret}`),
    )
}

/**
 * Whether the claim's signature is valid for this key and request. Compares in constant time.
 */
function proves(claim: Claim, request: SignedRequest, key: Buffer): boolean {
  const bodyHash = sha256(request.body)
  const stated = headerOf(request, 'x-amz-content-sha256')
  if (stated !== undefined && (stated.length !== 1 || stated[0] !== bodyHash)) return false
  const canonical = [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...claim.signedHeaders.map((name) => `${name}:${canonicalHeader(request, name)}`),
    '',
    claim.signedHeaders.join(';'),
    bodyHash,
  ].join('\n')
  const text = [ALGORITHM, claim.time, claim.scope, sha256(canonical)].join('\n')
  const expected = createHmac('sha256', key).update(text).digest()
  return timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'))
}

interface AuthorizationParts {
  readonly credential: string
  readonly signedHeaders: string
  readonly signature: string
}

function splitAuthorization(header: string): AuthorizationParts {
  if (header.length > MAX_AUTHORIZATION_LENGTH) {
    throw incomplete(`the Authorization header is longer than ${MAX_AUTHORIZATION_LENGTH} bytes`)
  }
  if (!header.startsWith(`${ALGORITHM} `)) throw incomplete(`the algorithm must be ${ALGORITHM}`)
  const fields = new Map<string, string>()
  for (const field of header.slice(ALGORITHM.length + 1).split(',')) {
    const [name = '', value] = trimBlanks(field).split('=')
    if (value === undefined || fields.has(name)) {
      throw incomplete('the Authorization header must be a list of distinct name=value pairs')
    }
    fields.set(name, value)
  }
  const take = (name: string): string => {
    const value = fields.get(name)
    if (value === undefined) throw incomplete(`the Authorization header lacks ${name}`)
    return value
  }
  return {
    credential: take('Credential'),
    signedHeaders: take('SignedHeaders'),
    signature: take('Signature'),
  }
}

/**
 * `<key id>/<date>/<region>/<service>/aws4_request`. The date must be that of the signature's time.
 */
function splitCredential(credential: string, time: string): { accessKey: string; scope: string } {
  const [accessKey = '', date = '', region = '', service = '', end = '', more] =
    credential.split('/')
  if (more !== undefined || end !== 'aws4_request' || region === '') {
    throw incomplete('Credential must be <key id>/<date>/<region>/<service>/aws4_request')
  }
  if (!/^\w{1,128}$/.test(accessKey)) throw incomplete('Credential has a malformed access key id')
  if (date !== time.slice(0, 8)) throw incomplete('the dates of Credential and X-Amz-Date differ')
  if (!SERVICES.includes(service)) {
    throw incomplete(`Credential must be for one of the services ${SERVICES.join(', ')}`)
  }
  return { accessKey, scope: `${date}/${region}/${service}/${end}` }
}

/**
 * Host and time must be covered, or the signature could be used for another host or hour. All
 * covered headers must exist.
 */
function checkSignedHeaders(list: string, request: RequestHead): readonly string[] {
  const names = list.split(';')
  if (names.length > MAX_SIGNED_HEADERS) {
    throw incomplete(`more than ${MAX_SIGNED_HEADERS} headers are signed`)
  }
  for (const required of ['host', 'x-amz-date']) {
    if (!names.includes(required)) throw incomplete(`SignedHeaders must include ${required}`)
    single(request, required)
  }
  for (const name of names) {
    if (headerOf(request, name) !== undefined) continue
    throw incomplete('a header that is named in SignedHeaders is not in the request')
  }
  return names
}

/** All values of a header. Names come from the client, and must not reach an object's prototype. */
function headerOf({ headers }: RequestHead, name: string): readonly string[] | undefined {
  return Object.hasOwn(headers, name) ? headers[name] : undefined
}

/** The value of a header that must occur exactly once. */
function single(request: RequestHead, name: string): string {
  const [value, more] = headerOf(request, name) ?? []
  if (value !== undefined && more === undefined) return value
  throw incomplete(`the header ${name} must be given exactly once`)
}

/** `20261122T083327Z` in milliseconds since the epoch. Undefined when malformed. */
export function parseTime(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? undefined : time
}

/** Each segment of the path is encoded once more, as for every service except S3. */
function canonicalPath(path: string): string {
  return path.split('/').map(encode).join('/')
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return parseForm(query)
    .map(({ name, value }) => ({ name: encode(name), value: encode(value) }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&')
}

function canonicalHeader(request: SignedRequest, name: string): string {
  const values = headerOf(request, name) ?? []
  return values.map((value) => trimBlanks(value).replaceAll(/[ \t]+/g, ' ')).join(',')
}

/**
 * Without surrounding spaces and tabs. JavaScript's `trim` removes more characters than HTTP
 * regards as white space.
 */
function trimBlanks(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]+$/g, '')
}

/** RFC 3986; only unreserved characters stay as they are. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** The refusal for an unknown key. */
export function unknownKey({ accessKey }: Claim): AtollError {
  return notValid({ why: 'unknown access key', accessKey })
}

function notValid(detail: Readonly<Record<string, unknown>>): AtollError {
  return new AtollError(
    'refused',
    'AuthFailure',
    'AWS was not able to validate the provided access credentials',
    { detail },
  )
}

function incomplete(why: string): AtollError {
  return refused(
    'IncompleteSignature',
    `The request signature does not conform to AWS standards: ${why}`,
  )
}
