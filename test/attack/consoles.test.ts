/**
 * Clients that attack consoles over WebSocket, with and without a valid ticket.
 *
 * With the default limits of ws, a message of 100 MiB was kept whole, and so was one of 16,000
 * fragments. The framing before ws had no limit either.
 */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type ConsoleServer, createConsoleServer } from '../../src/api/console/server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import type { Terminal } from '../../src/lib/terminal.ts'
import { MIB } from '../../src/model/sizes.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type RunningApi, runApi } from '../kit/api.ts'
import { createEchoTerminal, type EchoTerminal } from '../kit/echo-terminal.ts'
import { instanceId } from '../kit/records.ts'

const ECHO = instanceId(1)
const YES = instanceId(2)
const DEADLINE_MS = 60_000
/** Looks in a row that see no change of what has stopped: one alone may come between two steps. */
const SAME_LOOKS = 10

let api: RunningApi
let server: ConsoleServer
let terminals: (EchoTerminal | YesTerminal)[]

interface YesTerminal extends Terminal {
  /** How much it has said. */
  saidBytes(): number
  isClosed(): boolean
}

/** A terminal that shows as much as is taken, and does not look at what is typed. */
function createYesTerminal(): YesTerminal {
  let said = 0
  let closed = false
  const piece = Buffer.alloc(64 * 1024, 'y\n')
  const output = new Readable({
    read() {
      said += piece.length
      this.push(piece)
    },
  })
  return {
    kind: 'shell',
    output,
    input: new Writable({ write: (_bytes, _encoding, done) => done() }),
    saidBytes: () => said,
    isClosed: () => closed,
    resize: async () => undefined,
    end: async () => ({ exitCode: 0, reason: 'over' }),
    async close() {
      closed = true
      output.destroy()
    },
  }
}

beforeEach(async () => {
  terminals = []
  server = createConsoleServer({
    async attach(instance) {
      const terminal = instance === YES ? createYesTerminal() : createEchoTerminal()
      terminals.push(terminal)
      return terminal
    },
    clock: systemClock,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    log: silentLog,
    metrics: createMetrics(),
  })
  api = await runApi([], { upgrader: server })
})
afterEach(async () => {
  await server.close()
  await api[Symbol.asyncDispose]()
})

const protocols = (ticket: string) => ['atoll.console.v1', `ticket.${ticket}`]
const url = () => `ws://127.0.0.1:${api.port}/console`

async function attach(instance = ECHO): Promise<WebSocket> {
  const socket = new WebSocket(url(), protocols(server.issue(instance)))
  await once(socket, 'open')
  return socket
}

/** A connection that was let in, for bytes that no client sends. */
async function raw(instance = ECHO, headers: object = {}): Promise<Socket> {
  const asked = request({
    ...{ host: '127.0.0.1', port: api.port, path: '/console' },
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': protocols(server.issue(instance)).join(),
      ...headers,
    },
  })
  asked.end()
  const [response, socket] = await once(asked, 'upgrade')
  expect(response.headers['sec-websocket-extensions']).toBeUndefined()
  socket.on('error', () => undefined)
  return socket
}

/** A frame of a client (RFC 6455, section 5.2), with a mask of zeros. */
function frame(first: number, payload: Buffer): Buffer {
  const length =
    payload.length < 126
      ? Buffer.of(0x80 | payload.length)
      : Buffer.of(0x80 | 126, payload.length >> 8, payload.length & 0xff)
  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(4), payload])
}

/** The code with which the host closes (RFC 6455, section 5.5.1). */
async function closedWith(socket: Socket): Promise<number> {
  const bytes = Buffer.concat(await socket.toArray())
  const at = bytes.lastIndexOf(0x88)
  return bytes.readUInt16BE(at + 2)
}

const allAreReleased = () =>
  eventually('all are let go of', () => terminals.every((one) => one.isClosed()), DEADLINE_MS)

async function works(): Promise<void> {
  const socket = await attach()
  socket.send(Buffer.from('still here'))
  let shown = ''
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) shown += data.toString()
  })
  await eventually('it echoes', () => shown === 'still here', DEADLINE_MS)
  socket.close()
  await once(socket, 'close')
}

describe('with a ticket', () => {
  it.each([
    ['a frame without a mask', Buffer.of(0x82, 1, 65), 1002],
    ['a frame that says it is compressed', frame(0xc2, Buffer.from('x')), 1002],
    ['a frame of a kind that there is not', frame(0x83, Buffer.from('x')), 1002],
    ['a ping that is too long', frame(0x89, Buffer.alloc(126)), 1002],
    ['the rest of no message', frame(0x80, Buffer.from('x')), 1002],
    ['a length of 2^63', Buffer.from('82ffffffffffffffffff00000000', 'hex'), 1009],
    ['text that is no UTF-8', frame(0x81, Buffer.of(0xff)), 1007],
    ['a message of 2,000 fragments', fragments(2000), 1008],
    ['a close with a code that may not be sent', frame(0x88, Buffer.of(3, 237)), 1002],
  ])('%s is put out', async (_what, bytes, code) => {
    const socket = await raw()
    socket.end(bytes)
    expect(await closedWith(socket)).toBe(code)
    await allAreReleased()
    await works()
  })

  it('no client makes the host buffer a message of 1 MiB, compressed or not', async () => {
    const socket = await raw(ECHO, {
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
    })
    socket.write(Buffer.from('82ff000000000010000000000000', 'hex'))
    const flood = setInterval(() => socket.write(Buffer.alloc(64 * 1024)), 1)
    expect(await closedWith(socket).finally(() => clearInterval(flood))).toBe(1009)
    await allAreReleased()
  })

  it('a paste of 8 MiB in pieces arrives complete, though the terminal reads slowly', async () => {
    const socket = await attach()
    const paste = Buffer.alloc(8 * MIB, 'paste\n')
    let seen = 0
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) seen += data.length
    })
    for (let at = 0; at < paste.length; at += 200_000) socket.send(paste.subarray(at, at + 200_000))
    await eventually('all of it is echoed', () => seen === paste.length, DEADLINE_MS)
    socket.close()
    await allAreReleased()
  })

  it('a client that sends a million pings and reads no answer is disconnected', async () => {
    const socket = await raw()
    socket.pause()
    const ping = frame(0x89, Buffer.alloc(125))
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping))
    const before = process.memoryUsage()
    let rounds = 0
    while (rounds < 1000 && !socket.destroyed) {
      rounds += 1
      if (!socket.write(pings))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined)
    }
    const { external, arrayBuffers } = process.memoryUsage()
    expect(arrayBuffers + external - before.arrayBuffers - before.external).toBeLessThan(32 * MIB)
    await allAreReleased()
    expect(rounds).toBeLessThan(1000)
    await works()
  })

  it('a client that reads nothing stops its own terminal only, and uses no memory', async () => {
    const slow = await raw(YES)
    slow.pause()
    const said = () => {
      const [terminal] = terminals
      return terminal !== undefined && 'saidBytes' in terminal ? terminal.saidBytes() : 0
    }
    let last = 0
    let same = 0
    await eventually(
      'it has stopped',
      () => {
        same = said() > 0 && said() === last ? same + 1 : 0
        last = said()
        return same === SAME_LOOKS
      },
      DEADLINE_MS,
    )
    // The kernel's buffers of the connection, and a little of ours.
    expect(said()).toBeLessThan(16 * MIB)
    await works()
    expect(said()).toBe(last)
    slow.destroy()
    await allAreReleased()
  })

  it('a ticket that many use at once admits one', async () => {
    const ticket = server.issue(ECHO)
    const tries = Array.from({ length: 50 }, async () => {
      const socket = new WebSocket(url(), protocols(ticket))
      return once(socket, 'open').then(
        () => 'open',
        () => 'refused',
      )
    })
    const ended = await Promise.all(tries)
    expect(ended.filter((event) => event === 'open')).toHaveLength(1)
    expect(terminals).toHaveLength(1)
  })
})

function fragments(count: number): Buffer {
  const rest = Array.from({ length: count - 1 }, () => frame(0x00, Buffer.from('x')))
  return Buffer.concat([frame(0x02, Buffer.from('x')), ...rest])
}

describe('without a ticket', () => {
  it('a thousand connections that ask for a console disconnect no attached client', async () => {
    const mine = await attach()
    let shown = 0
    mine.on('message', (_data, isBinary) => {
      if (isBinary) shown += 1
    })
    const head = 'GET /console HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
    const forged = 'Sec-WebSocket-Protocol: atoll.console.v1, ticket.AAAA\r\n\r\n'
    let closed = 0
    const strangers = Array.from({ length: 1000 }, (_, n) => {
      const socket = connect(api.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.once('close', () => {
        closed += 1
      })
      // Half of them never end what they ask.
      socket.write(n % 2 === 0 ? head + forged : head)
      socket.resume()
      return socket
    })
    mine.send(Buffer.from('x'))
    await eventually('mine goes on', () => shown > 0, DEADLINE_MS)
    await eventually('all that asked are turned away', () => closed >= 500, DEADLINE_MS)
    expect(terminals).toHaveLength(1)
    for (const socket of strangers) socket.destroy()
    // Until the server has seen that they are gone they may be as many as it has room for.
    await eventually(
      'others are let in',
      () =>
        works().then(
          () => true,
          () => false,
        ),
      DEADLINE_MS,
    )
    mine.close()
    await allAreReleased()
  })

  it.each([
    ['no key', { 'sec-websocket-key': '' }],
    ['another version', { 'sec-websocket-version': '7' }],
    ['a protocol twice', { 'sec-websocket-protocol': 'atoll.console.v1, atoll.console.v1' }],
  ])('with %s nobody is admitted, and nothing is left', async (_what, headers) => {
    const { 'sec-websocket-protocol': twice, ...more } = headers as Record<string, string>
    const shown = protocols(server.issue(ECHO)).join()
    const asked = request({
      ...{ host: '127.0.0.1', port: api.port, path: '/console' },
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
        'sec-websocket-protocol': twice === undefined ? shown : `${twice},${shown}`,
        ...more,
      },
    })
    asked.end()
    const [response] = await once(asked, 'response')
    expect(response.statusCode).toBe(400)
    response.resume()
    await once(response, 'close')
    expect(terminals).toHaveLength(0)
    await works()
  })
})
