import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  authenticate,
  MAX_SIGNED_HEADERS,
  MAX_SKEW_MS,
  readClaim,
  type SignedRequest,
} from '../../../../src/api/http/auth.ts'
import { KEY, known } from '../../../kit/api.ts'
import { signedBySdk } from '../../../kit/sdk.ts'
import recorded from '../recorded/signed-requests.json' with { type: 'json' }

const findKey = async (id: string, token: string | null) =>
  id === KEY.id && token === null ? KEY : undefined

function signedAt({ headers }: SignedRequest): number {
  const [time = ''] = headers['x-amz-date'] ?? []
  const [, ...parts] = known(/^(....)(..)(..)T(..)(..)(..)Z$/.exec(time) ?? undefined).map(Number)
  const [year = 0, month = 0, day, hour, minute, second] = parts
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

async function codeOf(request: SignedRequest, nowMs = signedAt(request)): Promise<string> {
  try {
    const caller = await authenticate(request, findKey, nowMs)
    const { account, user, id: accessKey } = KEY
    expect(caller).toEqual({ account, user, accessKey, rights: 'all' })
    return 'OK'
  } catch (error) {
    expect(error).toHaveProperty('kind', 'refused')
    return String(Reflect.get(error as Error, 'code'))
  }
}

/** As sent by clients that nobody can change, with AWS's example key. */
const recordings: readonly { readonly client: string; readonly request: SignedRequest }[] =
  recorded.map(({ client, body, ...request }) => ({
    client,
    request: { ...request, body: Buffer.from(body) },
  }))
const [cli, , , get] = recordings.map(({ request }) => request)
const post = known(cli)
const fromSdk = await signedBySdk('DescribeInstances', { InstanceIds: ['i-1'] })

const genuine = [...recordings, { client: 'AWS SDK for JavaScript 3', request: fromSdk }]

function withHeader(request: SignedRequest, name: string, ...values: string[]): SignedRequest {
  return { ...request, headers: { ...request.headers, [name]: values } }
}

function withoutHeader(request: SignedRequest, name: string): SignedRequest {
  const { [name]: _, ...headers } = request.headers
  return { ...request, headers }
}

function authorizationOf(request: SignedRequest): string {
  return known(request.headers['authorization']?.[0])
}

/** Replaces a piece of the Authorization header that must be there. */
function withAuthorization(request: SignedRequest, from: RegExp, to: string): SignedRequest {
  const before = authorizationOf(request)
  expect(before).toMatch(from)
  return withHeader(request, 'authorization', before.replace(from, to))
}

describe.each(genuine)('$client', ({ request }) => {
  it('is recognised', async () => {
    expect(await codeOf(request)).toBe('OK')
  })

  it.each([-MAX_SKEW_MS, MAX_SKEW_MS])('is recognised %i ms off', async (skewMs) => {
    expect(await codeOf(request, signedAt(request) + skewMs)).toBe('OK')
  })

  it.each([-MAX_SKEW_MS - 1, MAX_SKEW_MS + 1, 1e12])('has expired %i ms off', async (skewMs) => {
    expect(await codeOf(request, signedAt(request) + skewMs)).toBe('RequestExpired')
  })

  it('is not recognised with one bit of its body flipped', async () => {
    if (request.body.length === 0) return
    await fc.assert(
      fc.asyncProperty(fc.nat(request.body.length * 8 - 1), async (bit) => {
        expect(await codeOf({ ...request, body: flipBytes(request.body, bit) })).toBe('AuthFailure')
      }),
    )
  })

  it('is not recognised with one bit of a signed header flipped', async () => {
    const names = known(/SignedHeaders=([^,]+)/.exec(authorizationOf(request))?.[1]).split(';')
    const anyHeader = fc.constantFrom(...names).chain((name) => {
      const value = known(request.headers[name]?.[0])
      return fc
        .nat(value.length * 8 - 1)
        .map((bit) => withHeader(request, name, flipText(value, bit)))
    })
    await fc.assert(
      fc.asyncProperty(anyHeader, async (changed) => {
        expect(await codeOf(changed, signedAt(request))).not.toBe('OK')
      }),
      { numRuns: 500 },
    )
  })

  it('is not recognised with one bit of its Authorization flipped', async () => {
    const value = authorizationOf(request)
    await fc.assert(
      fc.asyncProperty(fc.nat(value.length * 8 - 1), async (bit) => {
        const changed = withHeader(request, 'authorization', flipText(value, bit))
        expect(await codeOf(changed)).not.toBe('OK')
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['method', { method: 'PUT' }],
    ['path', { path: '/x' }],
    ['query', { query: 'Action=TerminateInstances' }],
  ])('is not recognised with another %s', async (_what, change) => {
    expect(await codeOf({ ...request, ...change })).toBe('AuthFailure')
  })

  it('is recognised whatever else is in the headers', async () => {
    expect(await codeOf(withHeader(request, 'x-forwarded-for', '10.0.0.1'))).toBe('OK')
  })
})

describe('a request', () => {
  it.each([
    ['without Authorization', withoutHeader(post, 'authorization'), 'MissingAuthenticationToken'],
    [
      'with two Authorizations',
      withHeader(post, 'authorization', authorizationOf(post), authorizationOf(post)),
      'IncompleteSignature',
    ],
    ['without time', withoutHeader(post, 'x-amz-date'), 'IncompleteSignature'],
    [
      'with a time of another form',
      withHeader(post, 'x-amz-date', '2026-11-22T12:51:27Z'),
      'IncompleteSignature',
    ],
    [
      'with an impossible time',
      withHeader(post, 'x-amz-date', '20261322T125127Z'),
      'IncompleteSignature',
    ],
    ['without a host', withoutHeader(post, 'host'), 'IncompleteSignature'],
    ['without a header that it signs', withoutHeader(post, 'content-type'), 'IncompleteSignature'],
    ['with a session token', withHeader(post, 'x-amz-security-token', 't'), 'AuthFailure'],
    [
      'with a basic Authorization',
      withHeader(post, 'authorization', 'Basic YTpi'),
      'IncompleteSignature',
    ],
    [
      'of Signature Version 2',
      withHeader(post, 'authorization', 'AWS AKIDEXAMPLE:x='),
      'IncompleteSignature',
    ],
    [
      'with a huge Authorization',
      withHeader(post, 'authorization', 'AWS4-HMAC-SHA256 '.padEnd(5000, 'a')),
      'IncompleteSignature',
    ],
    ['with an unknown key', withAuthorization(post, /AKIDEXAMPLE/, 'AKIDNOBODY'), 'AuthFailure'],
    ['for another service', withAuthorization(post, /\/ec2\//, '/s3/'), 'IncompleteSignature'],
    ['for another region', withAuthorization(post, /\/atoll\//, '/eu/'), 'AuthFailure'],
    ['for no region', withAuthorization(post, /\/atoll\//, '//'), 'IncompleteSignature'],
    [
      'of another day',
      withAuthorization(post, /\/20261122\//, '/20261121/'),
      'IncompleteSignature',
    ],
    [
      'with a longer scope',
      withAuthorization(post, /aws4_request/, 'aws4_request/x'),
      'IncompleteSignature',
    ],
    ['with no host signed', withAuthorization(post, /;host;/, ';'), 'IncompleteSignature'],
    ['with no time signed', withAuthorization(post, /;x-amz-date/, ''), 'IncompleteSignature'],
    [
      'with a header twice in the list',
      withAuthorization(post, /;host;/, ';host;host;'),
      'AuthFailure',
    ],
    [
      'that signs a prototype',
      withAuthorization(post, /;host;/, ';__proto__;host;'),
      'IncompleteSignature',
    ],
    [
      'that signs a method',
      withAuthorization(post, /;host;/, ';constructor;host;'),
      'IncompleteSignature',
    ],
    [
      'with many signed headers',
      withAuthorization(post, /;host;/, `;host${';host'.repeat(MAX_SIGNED_HEADERS)};`),
      'IncompleteSignature',
    ],
    ['with no signature', withAuthorization(post, /, Signature=.*/, ''), 'IncompleteSignature'],
    ['with a short signature', withAuthorization(post, /.$/, ''), 'IncompleteSignature'],
    [
      'with an upper-case signature',
      withAuthorization(post, /Signature=.*/, `Signature=${'A'.repeat(64)}`),
      'IncompleteSignature',
    ],
    [
      'with two signatures',
      withAuthorization(post, /(Signature=.*)/, '$1, $1'),
      'IncompleteSignature',
    ],
    [
      'with a field of no value',
      withAuthorization(post, /, Signature/, ', x, Signature'),
      'IncompleteSignature',
    ],
  ])('%s is refused', async (_what, request, code) => {
    expect(await codeOf(request, signedAt(post))).toBe(code)
  })

  it('whose stated body hash is not that of its body is refused', async () => {
    const other = createHash('sha256').update('other').digest('hex')
    for (const hash of [other, 'UNSIGNED-PAYLOAD', '']) {
      expect(await codeOf(withHeader(post, 'x-amz-content-sha256', hash))).toBe('AuthFailure')
    }
    const right = createHash('sha256').update(post.body).digest('hex')
    expect(await codeOf(withHeader(post, 'x-amz-content-sha256', right))).toBe('OK')
  })

  it('may have its query in any order and any encoding of the same text', async () => {
    const request = known(get)
    const pairs = request.query.split('&')
    const spaced = request.query
      .replace('a%20b', 'a+b')
      .replace('%C3%A4', '%c3%a4')
      .replace('~', '%7E')
    expect(spaced).not.toBe(request.query)
    for (const query of [pairs.toReversed().join('&'), spaced]) {
      expect(await codeOf({ ...request, query })).toBe('OK')
    }
  })

  it('tells a caller nothing about which of key and secret is wrong, but tells the operator', async () => {
    const unknown = withAuthorization(post, /AKIDEXAMPLE/, 'AKIDNOBODY')
    const wrong = withAuthorization(post, /Signature=.*/, `Signature=${'0'.repeat(64)}`)
    const refusal = (request: SignedRequest) =>
      authenticate(request, findKey, signedAt(post)).catch((error: Error) => error)
    const first = await refusal(unknown)
    const second = await refusal(wrong)
    expect(first).toMatchObject({ detail: { why: 'unknown access key', accessKey: 'AKIDNOBODY' } })
    expect(second).toMatchObject({ detail: { why: 'wrong signature' } })
    expect(Reflect.get(first, 'message')).toBe(Reflect.get(second, 'message'))
  })

  it('with any Authorization at all is refused and nothing worse', () => {
    const anyAuthorization = fc
      .array(
        fc.constantFrom(
          'AWS4-HMAC-SHA256 ',
          'Credential=',
          'SignedHeaders=',
          'Signature=',
          'AKIDEXAMPLE',
          '/',
          ';',
          ',',
          '=',
          ' ',
          'host',
          '__proto__',
          'aws4_request',
          '\u00ff',
        ),
      )
      .map((pieces) => `AWS4-HMAC-SHA256 ${pieces.join('')}`)
    fc.assert(
      fc.property(anyAuthorization, (value) => {
        expect(() => readClaim(withHeader(post, 'authorization', value), signedAt(post))).toThrow(
          expect.objectContaining({ kind: 'refused' }),
        )
      }),
    )
  })
})

function flipBytes(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = bit >> 3
  copy[at] = known(copy[at]) ^ (1 << (bit & 7))
  return copy
}

function flipText(text: string, bit: number): string {
  return Buffer.from(flipBytes(Buffer.from(text, 'latin1'), bit)).toString('latin1')
}
