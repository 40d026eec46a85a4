import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OLDER_METADATA } from '../../../../src/model/metadata-options.ts'
import type { MetadataRequest } from '../../../../src/services/metadata/answer.ts'
import { answer, TOKEN_TTL_HEADER } from '../../../../src/services/metadata/answer.ts'
import { createTokens } from '../../../../src/services/metadata/tokens.ts'
import { metadataTree } from '../../../../src/services/metadata/tree.ts'
import { instance } from '../../../../tools/kit/instance.ts'

const SETTINGS = { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' }

const NOW_MS = Date.parse('2026-11-22T09:00:00Z')
const tokens = createTokens(new Uint8Array(32).fill(1))
const caller = {
  instance: instance(7).id,
  tree: metadataTree(instance(7), SETTINGS),
  options: OLDER_METADATA,
}
const stranger = {
  instance: instance(8).id,
  tree: metadataTree(instance(8), SETTINGS),
  options: OLDER_METADATA,
}

function ask(request: Partial<MetadataRequest>, from = caller, nowMs = NOW_MS) {
  const whole: MetadataRequest = {
    method: 'GET',
    target: '/latest/meta-data/instance-id',
    token: undefined,
    tokenTtl: undefined,
    isForwarded: false,
    hasBody: false,
    ...request,
  }
  return answer(whole, from, tokens, nowMs)
}

const askToken = (tokenTtl: string | undefined, more: Partial<MetadataRequest> = {}) =>
  ask({ method: 'PUT', target: '/latest/api/token', tokenTtl, ...more })

describe('tokens', () => {
  test('a token opens its own instance, until it ends', () => {
    const { status, headers, body } = askToken('60')
    expect(status).toBe(200)
    expect(headers[TOKEN_TTL_HEADER]).toBe('60')
    const token = String(body)
    expect(ask({ token }).body).toBe(instance(7).id)
    expect(ask({ token }, caller, NOW_MS + 59_999).status).toBe(200)
    expect(ask({ token }, caller, NOW_MS + 60_000).status).toBe(401)
    expect(ask({ token }, stranger).status).toBe(401)
  })

  test.each(['0', '21601', '-1', '1.5', '', 'x', '1, 1', '1e3', undefined])(
    'a life of %s is refused',
    (ttl) => expect(askToken(ttl).status).toBe(400),
  )

  test.each(['1', '21600'])('a TTL of %s is accepted', (ttl) =>
    expect(askToken(ttl).status).toBe(200),
  )

  test('a request that a proxy passes on gets no token', () => {
    expect(askToken('60', { isForwarded: true }).status).toBe(403)
  })

  test('a clock set back does not make a token live longer than six hours', () => {
    const token = String(askToken('21600').body)
    expect(ask({ token }, caller, NOW_MS - 1).status).toBe(401)
  })

  test('no other text is a token', () => {
    const good = String(askToken('60').body)
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, character) => {
          const token = good.slice(0, at) + character + good.slice(at + 1)
          // The last character carries two bits that mean nothing.
          fc.pre(token !== good && at < good.length - 1)
          expect(ask({ token }).status).toBe(401)
        },
      ),
    )
    fc.assert(fc.property(fc.string({ maxLength: 100 }), (token) => ask({ token }).status === 401))
  })

  test('another key opens nothing', () => {
    const other = createTokens(new Uint8Array(32).fill(2)).issue(caller.instance, 60, NOW_MS)
    expect(ask({ token: other }).status).toBe(401)
    expect(() => createTokens(new Uint8Array(15))).toThrow(RangeError)
  })
})

describe('requests', () => {
  test.each<[string, string, number]>([
    ['GET', '/latest/meta-data/', 200],
    ['GET', '/latest/meta-data', 200],
    ['GET', '//latest//meta-data//mac', 200],
    ['GET', '/latest/meta-data/mac?x=/y', 200],
    ['HEAD', '/latest/meta-data/mac', 200],
    ['GET', '/latest/meta-data/nothing', 404],
    ['GET', '/latest/meta-data/%zz', 400],
    ['GET', '/latest/meta-data%2fmac', 404],
    ['GET', '/latest/api/token', 405],
    ['POST', '/latest/meta-data/mac', 405],
    ['PUT', '/latest/meta-data/mac', 405],
    ['DELETE', '/', 405],
  ])('%s %s: %i', (method, target, status) => {
    expect(ask({ method, target }).status).toBe(status)
  })

  test('405 names what is allowed', () => {
    expect(ask({ method: 'POST' }).headers).toEqual({ allow: 'GET, HEAD' })
    expect(ask({ method: 'POST', target: '/latest/api/token' }).headers).toEqual({ allow: 'PUT' })
  })

  test('errors are XHTML pages', () => {
    const { contentType, body } = ask({ target: '/latest/meta-data/nothing' })
    expect(contentType).toBe('text/html')
    expect(body).toContain('<title>404 - Not Found</title>')
  })

  test('user data comes as it went in', () => {
    const { contentType, body } = ask({ target: '/latest/user-data' })
    expect(contentType).toBe('application/octet-stream')
    expect(Buffer.from(body)).toEqual(Buffer.from([0, 255, 10, 35, 33]))
  })

  test('a body is refused', () => expect(ask({ hasBody: true }).status).toBe(413))

  test('never throws, whatever the target', () => {
    const methods = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST')
    fc.assert(
      fc.property(
        methods,
        fc.string({ maxLength: 200 }),
        (method, target) => void ask({ method, target }),
      ),
    )
  })
})
