/**
 * Clients without a key: unsigned requests, keys that do not exist, connections that send nothing.
 *
 * Before: an unsigned request was read to its end (1 MiB), each unknown key cost a database
 * transaction, each request a log line, and 1,024 silent connections from a few addresses kept all
 * others out. Now requests are checked before their body is read, lookups and log lines are
 * limited, and the connection that was idle longest is closed for a new one.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Action } from '../../src/api/action.ts'
import type { Log } from '../../src/lib/log.ts'
import type { AccessKey } from '../../src/model/account-records.ts'
import { MIB } from '../../src/model/sizes.ts'
import { type InformedStore, withoutReplica } from '../../src/store/replica-reads.ts'
import { KEY, keysOnly, parts, type RunningApi, runApi } from '../kit/api.ts'
import { signedHeaders } from '../kit/signed.ts'

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** A connection that stays as it is until the test is over. */
async function hold(api: RunningApi, from: string): Promise<Socket> {
  const socket = connect({ port: api.port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

function headOf(headers: Readonly<Record<string, string>>, length: number): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST / HTTP/1.1\r\n${lines.join('')}Content-Length: ${length}\r\n\r\n`
}

/** The status that is answered to a head whose body never comes. */
async function answerWithoutBody(api: RunningApi, head: string): Promise<string> {
  const socket = await hold(api, '127.0.0.1')
  socket.write(head)
  const [bytes] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })
  return String(bytes)
}

/** Counts what the records are asked. */
function countingParts(): {
  readonly asked: () => number
  readonly parts: ReturnType<typeof parts>
} {
  let asked = 0
  const plain = parts()
  const store: InformedStore = {
    ...plain.store,
    read: (work) => {
      asked += 1
      return plain.store.read(work)
    },
  }
  return { asked: () => asked, parts: { ...plain, store } }
}

describe('an unauthenticated client is answered before the body is there', () => {
  const other: AccessKey = { ...KEY, id: 'AKIDSTRANGER' }
  it.each([
    ['without a signature', {}, 'MissingAuthenticationToken'],
    ['with half a signature', { authorization: 'AWS4-HMAC-SHA256 x=y' }, 'IncompleteSignature'],
    [
      'with a signature of yesterday',
      signedHeaders({}, KEY, Date.now() - 86_400_000),
      'RequestExpired',
    ],
    ['with a key that does not exist', signedHeaders({}, other), 'AuthFailure'],
  ])('%s', async (_what, headers, code) => {
    await using api = await runApi([])
    expect(await answerWithoutBody(api, headOf(headers, MIB))).toContain(`<Code>${code}</Code>`)
  })

  it('and may not send for ever', async () => {
    await using api = await runApi([])
    const socket = await hold(api, '127.0.0.1')
    socket.write(headOf({}, MIB))
    const flood = setInterval(() => socket.write('x'.repeat(100)), 20)
    // What is still on its way when the server closes makes a reset of the close.
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.resume().once('close', resolve))
    clearInterval(flood)
  })
})

it('ten thousand keys that do not exist ask the records a few times, and write a few lines', async () => {
  const { asked, parts: counted } = countingParts()
  let lines = 0
  const log: Log = {
    debug: () => undefined,
    info: () => {
      lines += 1
    },
    warn: () => undefined,
    error: () => undefined,
    child: () => log,
  }
  await using api = await runApi([], { parts: counted, log })
  const codes = new Set<string>()
  const socket = await hold(api, '127.0.0.1')
  socket.on('data', (bytes) => {
    for (const [, code = ''] of String(bytes).matchAll(/<Code>(\w+)<\/Code>/g)) codes.add(code)
  })
  for (let n = 0; n < 10_000; n += 1) {
    const headers = signedHeaders({}, { id: `AKID${n}`, secret: 'x' })
    socket.write(headOf(headers, 0))
    // No more at once than one connection may have under way.
    if (n % 4 === 3) await once(socket, 'data')
  }
  await expect.poll(() => codes.size, { timeout: 20_000 }).toBe(2)
  expect([...codes].sort()).toEqual(['AuthFailure', 'RequestLimitExceeded'])
  expect(asked()).toBeLessThan(500)
  expect(lines).toBeLessThan(100)
  // Whoever has a key is not affected once it is known, and nobody from another address.
  const answer = await fetchSigned(api, '127.0.0.2')
  expect(answer).toContain('<Code>MissingParameter</Code>')
})

/** A signed request without an action, from another address. */
async function fetchSigned(api: RunningApi, from: string): Promise<string> {
  const socket = await hold(api, from)
  const body = 'Version=2016-11-15'
  socket.write(headOf({ ...signedHeaders({ body }), connection: 'close' }, body.length) + body)
  return await text(socket)
}

describe('connections', () => {
  it('that say nothing, from many addresses, shut nobody out', async () => {
    await using api = await runApi([], {
      limits: { maxConnections: 128, maxConnectionsOfOne: 32, reservedForLoopback: 8 },
    })
    for (let n = 0; n < 200; n += 1) await hold(api, `127.0.1.${1 + (n % 8)}`)
    expect(await fetchSigned(api, '127.0.0.9')).toContain('<Code>MissingParameter</Code>')
  })

  it('that send one byte after the other are ended in time', async () => {
    await using api = await runApi([], { limits: { headTimeoutMs: 300 } })
    const socket = await hold(api, '127.0.0.1')
    const drip = setInterval(() => socket.write('G'), 20)
    await once(socket.resume(), 'close', { signal: AbortSignal.timeout(20_000) })
    clearInterval(drip)
  })

  it('that send many requests at once without waiting are cut off', async () => {
    const { parts: counted } = countingParts()
    await using api = await runApi([], { parts: counted, limits: { maxPipelined: 4 } })
    const body = 'Version=2016-11-15'
    const one = headOf(signedHeaders({ body }), body.length) + body
    const socket = await hold(api, '127.0.0.1')
    socket.write(one.repeat(100))
    await once(socket.resume(), 'close', { signal: AbortSignal.timeout(20_000) })
  })

  it('that do not read their answer hold no more than their share, and not for ever', async () => {
    const big: Action = {
      name: 'DescribeTags',
      input: z.unknown(),
      run: async () => ({
        Tags: Array.from({ length: 40_000 }, () => ({
          Key: 'k'.repeat(100),
          Value: 'v'.repeat(200),
        })),
      }),
    }
    await using api = await runApi([big], {
      limits: { answerTimeoutMs: 1_000, unreadBytesOfOne: 20 * MIB },
    })
    const body = 'Action=DescribeTags&Version=2016-11-15'
    const request = headOf({ ...signedHeaders({ body }), connection: 'close' }, body.length) + body
    const unread = await hold(api, '127.0.0.1')
    unread.write(request)
    await once(unread, 'readable')
    const again = async () => {
      const socket = await hold(api, '127.0.0.1')
      socket.write(request)
      return (await text(socket)).slice(0, 'HTTP/1.1 200'.length)
    }
    expect(await again()).toBe('HTTP/1.1 503')
    await expect.poll(again, { timeout: 20_000, interval: 100 }).toBe('HTTP/1.1 200')
  })
})

describe('a key', () => {
  it('that asks too fast is told so, and another is not', async () => {
    const another: AccessKey = { ...KEY, id: 'AKIDANOTHER' }
    const plain = parts({ store: withoutReplica(keysOnly([KEY, another])) })
    await using api = await runApi([], {
      parts: plain,
      limits: { requestBurst: 5, requestsPerSecond: 1 },
    })
    const codeOf = async (key: AccessKey) => {
      const { host: _host, ...headers } = signedHeaders(
        { method: 'GET', host: `127.0.0.1:${api.port}` },
        key,
      )
      return /<Code>(\w+)</.exec(await (await fetch(api.url, { headers })).text())?.[1]
    }
    const codes: (string | undefined)[] = []
    for (let n = 0; n < 8; n += 1) codes.push(await codeOf(KEY))
    expect(codes.slice(0, 5)).toEqual(Array(5).fill('MissingParameter'))
    expect(codes.at(-1)).toBe('RequestLimitExceeded')
    expect(await codeOf(another)).toBe('MissingParameter')
  })
})

it('without credentials /healthz says nothing but whether the host is healthy', async () => {
  let isHealthy = true
  await using api = await runApi([], { isHealthy: () => isHealthy })
  const ask = async () => {
    const response = await fetch(`${api.url}/healthz`)
    return [response.status, await response.text()]
  }
  expect(await ask()).toEqual([200, '{"healthy":true}'])
  isHealthy = false
  expect(await ask()).toEqual([503, '{"healthy":false}'])
})
