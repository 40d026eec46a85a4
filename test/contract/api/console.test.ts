/**
 * Consoles between two hosts: the real console servers and API listeners, real records, a bus. The
 * terminals are ones that echo.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket as Ws } from 'ws'
import { wantsConsole } from '../../../src/api/console/handshake.ts'
import { type ConsoleLocator, createConsoleLocator } from '../../../src/api/console/locate.ts'
import { createConsoleRelay } from '../../../src/api/console/relay.ts'
import { serveRelayedConsoles } from '../../../src/api/console/relay-server.ts'
import {
  type ConsoleServer,
  createConsoleServer,
  SESSION_LIMITS,
} from '../../../src/api/console/server.ts'
import type { Bus } from '../../../src/bus/bus.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createTerminalLink, type TerminalLink } from '../../../src/lib/terminal-link.ts'
import {
  MESSAGE_LIMIT_BYTES,
  TERMINAL_PROTOCOLS,
  type TerminalMessage,
} from '../../../src/lib/terminal-protocol.ts'
import { refused } from '../../../src/model/errors.ts'
import type { HostName, InstanceId } from '../../../src/model/ids.ts'
import { withoutReplica } from '../../../src/store/replica-reads.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { type RunningApi, runApi } from '../../kit/api.ts'
import { OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { createEchoTerminal, type EchoTerminal } from '../../kit/echo-terminal.ts'
import { hostName, hostRecord, instanceId, instanceRecord, nicRecord } from '../../kit/records.ts'

const [NEAR, FAR] = [hostName('near'), hostName('far')]
const HERE = instanceId(1)
const THERE = instanceId(2)
const NEW = instanceId(3)
const NOWHERE = instanceId(9)
const FORBIDDEN = 403

interface TestHost {
  readonly server: ConsoleServer
  readonly consoleLocator: ConsoleLocator
  readonly api: RunningApi
  readonly terminals: EchoTerminal[]
  readonly states: Map<InstanceId, 'running' | 'stopped'>
  end(): void | Promise<void>
}

/** The agent's socket, and the relay of a process of the API. */
async function relayTo(server: ConsoleServer, host: HostName) {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-consoles-'))
  const file = join(directory, `${host}.sock`)
  const stop = await serveRelayedConsoles(server, { file })
  const upgrader = createConsoleRelay({ file, clock: systemClock, log: silentLog })
  const end = async () => {
    await upgrader.close()
    await stop()
    await rm(directory, { recursive: true })
  }
  return { upgrader, end }
}

const SHAPES = [
  ['in the process of the agent', false],
  ['in a process of the API', true],
] as const

describe.each(SHAPES)('%s', (_shape, isRelayed) => {
  let store: Store
  let near: TestHost
  let far: TestHost
  let buses: Map<HostName, Bus>
  let isStoreAway: boolean

  async function startHost(host: HostName): Promise<TestHost> {
    const terminals: EchoTerminal[] = []
    const states = new Map<InstanceId, 'running' | 'stopped'>()
    const metrics = createMetrics()
    const server = createConsoleServer({
      async attach(instance) {
        if (states.get(instance) !== 'running')
          throw refused('IncorrectInstanceState', `${instance} has gone meanwhile`)
        const terminal = createEchoTerminal()
        terminals.push(terminal)
        return terminal
      },
      clock: systemClock,
      random: randomBytes,
      log: silentLog,
      metrics,
    })
    const { upgrader, end } = isRelayed
      ? await relayTo(server, host)
      : { upgrader: server, end() {} }
    const api = await runApi([], { upgrader })
    const own = createLocalBus()
    buses.set(host, own)
    const bus: Bus = {
      ...own,
      ask: (to, ...question) => (buses.get(to) ?? own).ask(to, ...question),
    }
    const read: Store['read'] = (work) =>
      isStoreAway ? Promise.reject(new Error('away')) : store.read(work)
    const consoleLocator = createConsoleLocator({
      host,
      server,
      holds: async (instance) => states.has(instance),
      store: withoutReplica({ ...store, read }),
      bus,
      reachedAt: { address: '127.0.0.1', port: api.port },
    })
    return { server, consoleLocator, api, terminals, states, end }
  }

  beforeEach(async () => {
    isStoreAway = false
    buses = new Map()
    store = await openRecords([NEAR, FAR])
    const records = [
      { ...instanceRecord(HERE, NEAR), state: 'running' as const },
      { ...instanceRecord(THERE, FAR), state: 'running' as const },
      instanceRecord(NEW, NEAR),
    ]
    await store.change(async (tx) => {
      for (const [n, record] of records.entries()) {
        await tx.insertInstance(record)
        await tx.insertNic(nicRecord(record.id, n + 1))
      }
    })
    near = await startHost(NEAR)
    far = await startHost(FAR)
    near.states.set(HERE, 'running')
    far.states.set(THERE, 'running')
  })
  afterEach(async () => {
    for (const { server, api, end } of [near, far]) {
      await server.close()
      await api[Symbol.asyncDispose]()
      await end()
    }
    for (const bus of buses.values()) await bus.close()
    await store.close()
  })

  /** Where the API of a test takes consoles; it is on this host, so nobody needs TLS. */
  const consoleUrl = (port: number) => `ws://127.0.0.1:${port}/console`

  interface Refusal {
    readonly status: number
    readonly text: string
  }

  /**
   * Opens a WebSocket; returns what `use` makes of it before its first message, or
   * the refusal.
   */
  async function openFor<T>(
    use: (socket: Ws) => T,
    url: string,
    protocols: string[],
  ): Promise<T | Refusal> {
    const socket = new Ws(url, protocols)
    const answered = Promise.withResolvers<T | Refusal>()
    socket.once('open', () => answered.resolve(use(socket)))
    socket.once('error', answered.reject)
    socket.once('unexpected-response', async (_request, response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      answered.resolve({ status: response.statusCode ?? 0, text })
    })
    return answered.promise
  }

  const open = (url: string, protocols: string[]) => openFor((socket) => socket, url, protocols)

  /** Presents a ticket; returns the link, or the status of the refusal. */
  async function enter(port: number, ticket: string): Promise<TerminalLink | number> {
    const protocols = [TERMINAL_PROTOCOLS.v1, `ticket.${ticket}`]
    const link = await openFor(
      (one) => createTerminalLink(one, 'client'),
      consoleUrl(port),
      protocols,
    )
    return 'status' in link ? link.status : link
  }

  async function attach(host: TestHost, instance: InstanceId): Promise<TerminalLink> {
    const { at, ticket } = await near.consoleLocator.seek(instance)
    const link = await enter(at?.port ?? host.api.port, ticket)
    if (typeof link === 'number') throw new Error(`refused with ${link}`)
    return link
  }

  async function lastOf(link: TerminalLink): Promise<TerminalMessage | undefined> {
    let last: TerminalMessage | undefined
    for await (const message of link.messages()) {
      last = message
    }
    return last
  }

  describe('a console', () => {
    test('is found on this host and on another, and carries much both ways in order', async () => {
      expect(await near.consoleLocator.seek(HERE)).toMatchObject({ at: null, host: NEAR })
      expect(await near.consoleLocator.seek(THERE)).toMatchObject({
        at: { address: '127.0.0.1', port: far.api.port },
        host: FAR,
      })
      const link = await attach(far, THERE)
      const typed = randomBytes(3_000_000)
      const typing = (async () => {
        await link.send({ kind: 'resize', columns: 100, rows: 40 })
        await link.send({ kind: 'data', bytes: typed })
        await link.send({ kind: 'eof' })
      })()
      const shown: Buffer[] = []
      const others: TerminalMessage[] = []
      for await (const message of link.messages())
        if (message.kind === 'data') shown.push(message.bytes)
        else others.push(message)
      await typing
      expect(Buffer.concat(shown).equals(typed)).toBe(true)
      expect(others).toEqual([
        { kind: 'attached', terminal: 'shell' },
        { kind: 'exit', exitCode: 5, reason: 'all was echoed' },
      ])
      const [terminal] = far.terminals
      expect(terminal?.sizes).toEqual(['100x40'])
      await eventually('the terminal is let go of', () => terminal?.isClosed() === true)
    })

    test('of this host needs no records; of another it says that they are away', async () => {
      isStoreAway = true
      expect((await near.consoleLocator.seek(HERE)).at).toBeNull()
      await expect(near.consoleLocator.seek(THERE)).rejects.toThrow('away')
    })

    test('whose user vanishes leaves nothing attached', async () => {
      const link = await attach(near, HERE)
      await eventually('it is attached', () => near.terminals.length === 1)
      await link.close()
      await eventually('it is let go of', () => near.terminals[0]?.isClosed() === true)
    })

    test('ends with its daemon, which says so', async () => {
      const link = await attach(near, HERE)
      await eventually('it is attached', () => near.terminals.length === 1)
      const last = lastOf(link)
      await near.server.close()
      expect(await last).toMatchObject({ kind: 'exit', reason: expect.stringMatching(/stopping/) })
      expect(near.terminals[0]?.isClosed()).toBe(true)
      await expect(near.consoleLocator.seek(HERE)).rejects.toMatchObject({ kind: 'unavailable' })
    })

    test('is had by so many at a time only, and the next is told', async () => {
      const links: TerminalLink[] = []
      const ticket = near.server.issue(HERE)
      while (links.length < SESSION_LIMITS.ofInstance) links.push(await attach(near, HERE))
      await eventually('all are in', () => near.terminals.length === links.length)
      await expect(near.consoleLocator.seek(HERE)).rejects.toThrow(
        /already has 8 consoles attached/,
      )
      const tooMany = await enter(near.api.port, ticket)
      if (typeof tooMany === 'number') throw new Error('not told')
      expect(await lastOf(tooMany)).toMatchObject({
        reason: expect.stringMatching(/already has 8 consoles/),
      })
      for (const link of links) await link.close()
      await eventually('all have left', () => near.terminals.every((one) => one.isClosed()))
      await attach(near, HERE)
    })

    test('that is gone when its ticket is shown says why', async () => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      near.states.delete(HERE)
      const link = await enter(near.api.port, ticket)
      if (typeof link === 'number') throw new Error('not told')
      const reason = `${HERE} has gone meanwhile`
      expect(await lastOf(link)).toEqual({ kind: 'error', reason })
    })
  })

  describe('nobody gets in', () => {
    test('without a ticket of this host, or twice with the same', async () => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      for (const wrong of ['', 'x', ticket.slice(0, -1), near.server.issue(HERE).toLowerCase()])
        expect(await enter(near.api.port, wrong)).toBe(FORBIDDEN)
      expect(await enter(far.api.port, ticket)).toBe(FORBIDDEN)
      const link = await enter(near.api.port, ticket)
      expect(await enter(near.api.port, ticket)).toBe(FORBIDDEN)
      if (typeof link !== 'number') await link.close()
    })

    test('and who speaks nonsense inside is put out, and told why', async () => {
      const nonsense: [string | Buffer, number, RegExp][] = [
        ['ls -l', 1008, /control messages in JSON; for plain text, offer atoll\.console\.text\.v1/],
        ['{"type":"resize","columns":0,"rows":24}', 1008, /control message: columns: /],
        ['{"type":"exit","exitCode":0,"reason":""}', 1008, /control message: type: /],
        ['{}', 1008, /control message: type: /],
        ['x'.repeat(5000), 1008, /longer than 4096 characters/],
        [Buffer.alloc(MESSAGE_LIMIT_BYTES + 1), 1009, /^$/],
      ]
      for (const [message, code, reason] of nonsense) {
        const { ticket } = await near.consoleLocator.seek(HERE)
        const socket = await open(consoleUrl(near.api.port), [
          TERMINAL_PROTOCOLS.v1,
          `ticket.${ticket}`,
        ])
        if ('status' in socket) throw new Error('not let in')
        socket.send(message)
        const [closedWith, why] = await once(socket, 'close')
        expect([closedWith, String(why)]).toEqual([code, expect.stringMatching(reason)])
      }
      const isLetGo = () => near.terminals.every((one) => one.isClosed())
      await eventually('all are let go of', isLetGo)
      expect(near.terminals).toHaveLength(nonsense.length)
    })

    test('and bytes that are no frames of WebSocket end the connection', async () => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
        'sec-websocket-protocol': `atoll.console.v1, ticket.${ticket}`,
      }
      const asked = request({ host: '127.0.0.1', port: near.api.port, path: '/console', headers })
      asked.end()
      const [, socket] = (await once(asked, 'upgrade')) as [unknown, Socket]
      socket.resume()
      socket.write(Buffer.alloc(1000, 0xee))
      await once(socket, 'close')
      await eventually('it is let go of', () => near.terminals[0]?.isClosed() === true)
    })

    test.each([
      ['no protocol of ours', '/console', [], /offer one of atoll\.console\.v1, /],
      ['half a screen', '/console?columns=80', ['atoll.console.v1'], /^rows: give the screen as/],
      ['no screen', '/console?columns=1e3&rows=24', ['atoll.console.v1'], /^columns: /],
      ['a hostile name', '/console?columns=80&rows=24&term=x%0ay', ['atoll.console.v1'], /^term: /],
    ])('with a ticket and %s, but is told', async (_what, path, protocols, expected) => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      const url = `ws://127.0.0.1:${near.api.port}${path}`
      const answer = await open(url, [...protocols, `ticket.${ticket}`])
      expect(answer).toEqual({ status: 400, text: expect.stringMatching(expected) })
      expect(near.terminals).toHaveLength(0)
    })

    test('with an older atoll, which reads what to do in its own protocol', async () => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      const headers = { connection: 'Upgrade', upgrade: 'atoll-console', 'atoll-ticket': ticket }
      const asked = request({ host: '127.0.0.1', port: near.api.port, path: '/console', headers })
      asked.end()
      const [, socket, head] = (await once(asked, 'upgrade')) as [unknown, Socket, Buffer]
      const frame = Buffer.concat([head, ...(await socket.toArray())])
      // A frame of kind 5 (end), its length, no exit code, a reason.
      expect([frame[0], frame.readUInt16BE(1), frame[3]]).toEqual([5, frame.length - 3, 0])
      expect(frame.subarray(5).toString()).toMatch(/older than the host.*upgrade it/)
    })

    test('but a client that only offers another protocol is answered as ever', async () => {
      const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' }
      const asked = request({ host: '127.0.0.1', port: near.api.port, path: '/', headers })
      asked.end()
      const [response] = await once(asked, 'response')
      expect(response.headers['content-type']).toMatch(/xml/)
      response.resume()
    })
  })

  describe('errors say what to do', () => {
    const message = (instance: InstanceId) => near.consoleLocator.seek(instance).catch(String)

    test.each([
      ['an instance that nobody knows', () => NOWHERE, /does not exist; see: atoll instances/],
      ['one that is yet to come', () => NEW, /has not been started yet/],
    ])('%s', async (_what, instance, expected) => {
      expect(await message(instance())).toMatch(expected)
    })

    test('a stopped instance, wherever its host keeps it', async () => {
      far.states.set(THERE, 'stopped')
      expect(await lastOf(await attach(far, THERE))).toMatchObject({
        kind: 'error',
        reason: `${THERE} has gone meanwhile`,
      })
      far.states.delete(THERE)
      expect(await message(THERE)).toMatch(/has not been started yet/)
      await store.change((tx) => tx.updateInstance(THERE, { state: 'stopped' }))
      expect(await message(THERE)).toMatch(/is stopped; start it with: aws ec2 start-instances/)
      await store.change((tx) => tx.updateInstance(THERE, { state: 'terminated' }))
      expect(await message(THERE)).toMatch(/is terminated$/)
    })

    test('a lost host', async () => {
      await store.change((tx) =>
        tx.renewLease(hostRecord(FAR), OVER_MS, {
          lastSeenAt: '2026-11-22T08:00:00.000Z',
          shortOf: null,
        }),
      )
      expect(await message(THERE)).toMatch(/far, is lost \(last seen: 2026-11-22T08:00:00\.000Z\)/)
    })
  })

  describe('other clients', () => {
    /** What a client is shown, and with which code and reason it is closed. */
    function watch(socket: Ws) {
      const shown: { data: Buffer; isBinary: boolean }[] = []
      socket.on('message', (data: Buffer, isBinary) => shown.push({ data, isBinary }))
      const closed = once(socket, 'close').then(([code, reason]) => ({
        code,
        reason: String(reason),
      }))
      return { shown, closed, text: () => Buffer.concat(shown.map(({ data }) => data)).toString() }
    }

    async function ask(protocol: string, query = ''): Promise<Ws> {
      const { ticket } = await near.consoleLocator.seek(HERE)
      const socket = await open(`${consoleUrl(near.api.port)}${query}`, [
        protocol,
        `ticket.${ticket}`,
      ])
      if ('status' in socket) throw new Error(socket.text)
      expect(socket.protocol).toBe(protocol)
      return socket
    }

    test('type and read text, whole characters only, and read in the close how it ended', async () => {
      const socket = await ask('atoll.console.text.v1')
      const { shown, closed, text } = watch(socket)
      socket.send('echo ')
      for (const byte of Buffer.from('é')) socket.send(Buffer.of(byte))
      await eventually('all is shown', () => text() === 'echo é')
      near.terminals[0]?.input.end()
      expect(shown.every(({ isBinary }) => !isBinary)).toBe(true)
      expect(await closed).toEqual({ code: 1000, reason: 'all was echoed' })
    })

    test.each([
      ['a pipe', '', '\n'],
      ['a terminal', '?columns=80&rows=24', '\r'],
    ])('type lines, as wscat does, into %s', async (_what, query, end) => {
      const socket = await ask('atoll.console.lines.v1', query)
      const [shown] = await Promise.all([once(socket, 'message'), socket.send('echo hello')])
      expect(String(shown[0])).toBe(`echo hello${end}`)
      socket.close()
      await eventually('it is let go of', () => near.terminals[0]?.isClosed() === true)
    })

    test('are told in the close why there is no console', async () => {
      const { ticket } = await near.consoleLocator.seek(HERE)
      near.states.delete(HERE)
      const url = consoleUrl(near.api.port)
      const socket = await open(url, ['atoll.console.text.v1', `ticket.${ticket}`])
      if ('status' in socket) throw new Error(socket.text)
      expect(await watch(socket).closed).toEqual({
        code: 4000,
        reason: `${HERE} has gone meanwhile`,
      })
    })
  })

  test('a page attaches with the lines of docs/consoles.md, in the WebSocket that browsers have', async () => {
    const page = await readFile(resolve(import.meta.dirname, '../../../docs/consoles.md'), 'utf8')
    const code = /```js\n([\s\S]+?)```/.exec(page)?.[1] ?? ''
    expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(12)
    const { ticket } = await near.consoleLocator.seek(HERE)
    const place = {
      url: consoleUrl(near.api.port),
      protocols: [TERMINAL_PROTOCOLS.v1, `ticket.${ticket}`],
    }
    const shown: Buffer[] = []
    const text = () => Buffer.concat(shown).toString()
    const typing: ((text: string) => void)[] = []
    const resizing: ((size: { cols: number; rows: number }) => void)[] = []
    const terminal = {
      ...{ cols: 80, rows: 24 },
      write: (bytes: Uint8Array | string) => shown.push(Buffer.from(bytes as string)),
      onData: (listener: (text: string) => void) => typing.push(listener),
      onResize: (listener: (size: { cols: number; rows: number }) => void) =>
        resizing.push(listener),
    }
    new Function('place', 'terminal', code)(place, terminal)
    // The host has the terminal before the page knows that it is connected.
    await eventually('it is attached', () => near.terminals.length === 1 && typing.length === 1)
    typing[0]?.('grüße')
    await eventually('what is typed is shown', () => text() === 'grüße')
    resizing[0]?.({ cols: 100, rows: 40 })
    await eventually('the size follows', () => near.terminals[0]?.sizes[0] === '100x40')
    near.terminals[0]?.input.end()
    await eventually('the end is shown', () => text() === 'grüße\r\nall was echoed\r\n')
  })
})

describe('a process of the API', () => {
  test('says that the agent is away, also when it does not listen any more', async () => {
    const file = join(tmpdir(), 'atoll-no-such-agent.sock')
    const upgrader = createConsoleRelay({ file, clock: systemClock, log: silentLog })
    await using api = await runApi([], { upgrader })
    const socket = new Ws(`ws://127.0.0.1:${api.port}/console`, [TERMINAL_PROTOCOLS.v1, 'ticket.x'])
    const [, answer] = await once(socket, 'unexpected-response')
    expect(answer.statusCode).toBe(503)
    socket.on('error', () => undefined)
    socket.terminate()
  })

  test('passes nothing but consoles on', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-consoles-'))
    const file = join(directory, 'agent.sock')
    const taken = () => {
      throw new Error('was taken')
    }
    const stop = await serveRelayedConsoles({ wants: wantsConsole, take: taken }, { file })
    const asked = request({ socketPath: file, path: '/v1/status', headers: { upgrade: 'x' } })
    asked.end()
    const [answer] = await once(asked, 'response')
    expect(answer.statusCode).toBe(404)
    await stop()
    await rm(directory, { recursive: true })
  })
})
