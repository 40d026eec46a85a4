/** The gate: what it connects to, with and without a proxy. */
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readEnvironment } from '../../../src/config.ts'
import { parseConfig } from '../../../src/config-file.ts'
import { createOutbound, type OutboundSettings } from '../../../src/images/outbound.ts'
import { parseReach } from '../../../src/images/outbound-policy.ts'
import { outboundSettings } from '../../../src/settings.ts'

const never = new AbortController().signal
let servers: Server[]
/** What servers were asked, in order. */
let asked: string[]

beforeEach(() => {
  servers = []
  asked = []
})
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A server that says its name. */
async function serve(name: string, address: string, port = 0): Promise<number> {
  const server = createServer((request, response) => {
    asked.push(`${name} ${request.headers.host} ${request.url}`)
    response.end(name)
  })
  servers.push(server)
  server.listen(port, address)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function settings(
  reach: readonly string[],
  proxy: Partial<OutboundSettings['proxy']> = {},
): OutboundSettings {
  return {
    reach: reach.flatMap((one) => parseReach(one) ?? []),
    engines: [],
    proxy: { http: null, https: null, except: [], ...proxy },
  }
}

describe('without a proxy', () => {
  test('the address that was checked is the one that is asked, whatever the name leads to a moment later', async () => {
    const port = await serve('good', '127.0.0.2')
    await serve('victim', '127.0.0.1', port)
    const answers = ['127.0.0.2', '127.0.0.1', '127.0.0.1']
    const turning = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }]
    const { get } = createOutbound(settings(['127.0.0.2']), turning)
    const url = new URL(`http://rebinding.example:${port}/x`)
    expect(await text(await get(url, {}, never))).toBe('good')
    await expect(get(url, {}, never)).rejects.toThrow(/is not public/)
    expect(asked).toEqual([`good rebinding.example:${port} /x`])
  })

  test('of several addresses only those that may be reached are asked', async () => {
    const port = await serve('good', '127.0.0.2')
    await serve('victim', '127.0.0.1', port)
    const both = async () =>
      ['127.0.0.1', '127.0.0.2', '::1'].map((address) => ({
        address,
        family: address === '::1' ? 6 : 4,
      }))
    const { get } = createOutbound(settings(['127.0.0.2']), both)
    expect(await text(await get(new URL(`http://two.example:${port}/`), {}, never))).toBe('good')
    expect(asked).toHaveLength(1)
  })

  test('a resolver that does not answer is left when the time is over', async () => {
    const { get } = createOutbound(settings([]), () => new Promise(() => undefined))
    const over = AbortSignal.timeout(50)
    await expect(get(new URL('http://slow.example/'), {}, over)).rejects.toThrow(/timeout/i)
  })
})

describe('through a proxy', () => {
  /** Sends everything to the one server, whatever name it is asked for. */
  async function startProxy(port: number): Promise<string> {
    const proxy = createServer((incoming, response) => {
      asked.push(`proxy ${incoming.method} ${incoming.url}`)
      const on = request({ host: '127.0.0.1', port, path: new URL(incoming.url ?? '').pathname })
      on.on('response', (answer) => answer.pipe(response)).end()
    })
    proxy.on('connect', ({ url }, socket) => {
      asked.push(`proxy CONNECT ${url}`)
      const on = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      on.on('error', () => socket.destroy())
      socket.on('error', () => on.destroy())
      on.pipe(socket).pipe(on)
    })
    servers.push(proxy)
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  }
  const unresolved = async (host: string) =>
    /^[0-9.]+$/.test(host) ? [{ address: host, family: 4 }] : []

  test("a name of the world is the proxy's to resolve", async () => {
    const http = await startProxy(await serve('far', '127.0.0.1'))
    const { get } = createOutbound(settings([], { http }), unresolved)
    expect(await text(await get(new URL('http://mirror.example/a.img'), {}, never))).toBe('far')
    expect(asked[0]).toBe('proxy GET http://mirror.example/a.img')
  })

  test('https is tunnelled', async () => {
    const https = await startProxy(await serve('far', '127.0.0.1'))
    const { get } = createOutbound(settings([], { https }), unresolved)
    // The server behind speaks no TLS.
    await expect(get(new URL('https://mirror.example/a.img'), {}, never)).rejects.toThrow()
    expect(asked).toEqual(['proxy CONNECT mirror.example:443'])
  })

  test.each([
    '127.0.0.1',
    '169.254.169.254',
    '10.0.0.1',
    'localhost',
    'db',
    'vault.internal',
    '[::1]',
  ])('%s is not asked for', async (host) => {
    const http = await startProxy(await serve('near', '127.0.0.1'))
    const { get } = createOutbound(settings([], { http }), unresolved)
    await expect(get(new URL(`http://${host}/`), {}, never)).rejects.toThrow()
    expect(asked).toEqual([])
  })

  test('a name that leads to a private address here is not asked for', async () => {
    const http = await startProxy(await serve('near', '127.0.0.1'))
    const { get } = createOutbound(settings([], { http }), async () => [
      { address: '10.0.0.1', family: 4 },
    ])
    await expect(get(new URL('http://mirror.example/'), {}, never)).rejects.toThrow(/private/)
    expect(asked).toEqual([])
  })

  test('what is excepted is asked directly, and passes the gate', async () => {
    const port = await serve('direct', '127.0.0.1')
    const http = await startProxy(port)
    const here = async () => [{ address: '127.0.0.1', family: 4 }]
    const except = ['other.example', ' .mirror.example']
    const { get } = createOutbound(settings(['127.0.0.1'], { http, except }), here)
    expect(await text(await get(new URL(`http://a.mirror.example:${port}/`), {}, never))).toBe(
      'direct',
    )
    expect(asked).toEqual([`direct a.mirror.example:${port} /`])
    const shut = createOutbound(settings([], { http, except }), here)
    await expect(shut.get(new URL(`http://mirror.example:${port}/`), {}, never)).rejects.toThrow(
      /is not public/,
    )
  })
})

describe('settings', () => {
  const environment = {
    proxies: { http: 'proxy.example:3128', https: undefined, except: 'a.example, .b.example' },
  }
  test.each([
    ['', { http: 'http://proxy.example:3128', https: null, except: ['a.example', ' .b.example'] }],
    ['images: {proxy: none}', { http: null, https: null, except: ['a.example', ' .b.example'] }],
    [
      'images: {proxy: "http://p:1"}',
      { http: 'http://p:1', https: 'http://p:1', except: ['a.example', ' .b.example'] },
    ],
  ])('%j', (text, proxy) => {
    expect(outboundSettings(parseConfig(text, 'x'), environment).proxy).toEqual(proxy)
  })

  test.each([
    'images: {proxy: ftp://p}',
    'images: {proxy: p}',
    'images: {reach: [10.0.0.0/40]}',
    'images: {registries: ["http://x"]}',
  ])('%s is refused', (text) => expect(() => parseConfig(text, 'x')).toThrow(/images\./))

  test('engines are named by the configuration, and read from the environment are proxies in either case', () => {
    const text =
      'store: {kind: mariadb, nodes: ["10.0.0.1:3306"]}\nbus: {kind: rabbitmq, nodes: [mq.example]}\n'
    expect(outboundSettings(parseConfig(text, 'x'), environment).engines).toEqual([
      '10.0.0.1:3306',
      'mq.example',
    ])
    expect(Object.keys(readEnvironment().proxies)).toEqual(['http', 'https', 'except'])
  })
})
