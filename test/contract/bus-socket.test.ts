/**
 * What the bus contract says of sending, over the socket between a process of the API and the
 * agent, and what only two processes must survive.
 */
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import type { CommandMessage, CommandOutcome, CommandQueue } from '../../src/bus/command-queue.ts'
import { ANSWER_LIMIT_BYTES, COMMAND_LIMIT_BYTES } from '../../src/bus/command-queue.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { connectSocketBus, type SocketBus } from '../../src/bus/socket-client.ts'
import { LINE_LIMIT_BYTES } from '../../src/bus/socket-messages.ts'
import { type SocketBusServer, serveSocketBus } from '../../src/bus/socket-server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { formatId, type HostName } from '../../src/model/ids.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { fastClock } from '../kit/fast-clock.ts'
import { describeCallerContract } from './bus-contract.ts'

const HOST = 'host-1' as HostName
const ASK = { instance: formatId('i', new Uint8Array(9)) }
const VPC = formatId('vpc', new Uint8Array(9).fill(1))
const ANSWER = { output: 'x', at: '2026-11-22T08:33:27.000Z' }
const BUILD = '1.0 /dist/atolld.cjs settings'
const PATIENCE = { timeoutMs: 20_000 }
const parts = { clock: systemClock, log: silentLog }

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-bus-'))
  file = join(directory, 'agent.sock')
})
afterEach(() => rm(directory, { recursive: true }))

async function serve(
  bus: Bus,
  onEvents = () => {},
  commands: CommandQueue | null = null,
): Promise<SocketBusServer> {
  return await serveSocketBus({ ...parts, bus, commands, onEvents, build: BUILD }, { file })
}

function connectApi(
  metrics = async () => '[]',
  { build = BUILD, onChanged = () => {}, onRetire = () => {} } = {},
): SocketBus {
  return connectSocketBus({ ...parts, file, metrics, build, onChanged, onRetire })
}

/** Resolves when it is closed, with or without an error. */
function endOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve))
}

const isConnected = (api: SocketBus) => eventually('a connection', () => api.connected())

describeCallerContract('over a socket', async () => {
  const bus = createLocalBus()
  const server = await serve(bus)
  const api = connectApi()
  await isConnected(api)
  return {
    near: { bus: api },
    far: { bus, host: HOST },
    async end() {
      await api.close()
      await server.close()
      await bus.close()
    },
  }
})

describe('the agent', () => {
  let bus: Bus
  let server: SocketBusServer
  let api: SocketBus
  let events: number
  beforeEach(async () => {
    events = 0
    bus = createLocalBus()
    server = await serve(bus, () => {
      events += 1
    })
    api = connectApi()
    await isConnected(api)
  })
  afterEach(async () => {
    await api.close()
    await server.close()
    await bus.close()
  })

  /** The socket of something that is no API. */
  async function connectRaw(): Promise<Socket> {
    const socket = connect(file)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }

  it('lets nobody but root connect, unless a group is named', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await server.close()
    server = await serveSocketBus(
      { ...parts, bus, commands: null, onEvents() {}, build: BUILD },
      { file, group: 65_534 },
    )
    const { mode, uid, gid } = await stat(file)
    expect([mode & 0o777, uid, gid]).toStrictEqual([0o660, 0, 65_534])
  })

  it('hears every bell that was rung while it was away, once for each addressee', async () => {
    await server.close()
    await eventually('the end', () => !api.connected())
    const rung: string[] = []
    for (let count = 0; count < 10; count += 1) {
      api.ring(HOST)
      api.ringVpc(VPC)
      api.ringAll()
      api.tellEvents()
    }
    const hearing = {
      ...bus,
      ring: () => void rung.push('own'),
      ringVpc: () => void rung.push('vpc'),
      ringAll: () => void rung.push('all'),
    }
    server = await serve(hearing, () => void rung.push('events'))
    await eventually('all bells', () => rung.length >= 4)
    expect(rung.toSorted()).toStrictEqual(['all', 'events', 'own', 'vpc'])
  })

  it('is told that events were noted', async () => {
    api.tellEvents()
    await eventually('to be told', () => events === 1)
  })

  it('that ends fails open questions at once, and answers the next ones when it is back', async () => {
    bus.onAsk('console', () => new Promise<never>(() => {}))
    const open = api.ask(HOST, 'console', ASK, { timeoutMs: 600_000 })
    const failed = expect(open).rejects.toMatchObject({ kind: 'unavailable' })
    await server.close()
    await failed
    const away = api.ask(HOST, 'console', ASK, { timeoutMs: 600_000 })
    await expect(away).rejects.toMatchObject({ kind: 'unavailable' })
    const other = createLocalBus()
    other.onAsk('console', async () => ANSWER)
    server = await serve(other)
    await isConnected(api)
    expect(await api.ask(HOST, 'console', ASK, PATIENCE)).toStrictEqual(ANSWER)
    await other.close()
  })

  it('asks a process to end that runs other code or settings, and no other one', async () => {
    let asked = 0
    const onRetire = () => {
      asked += 1
    }
    const older = connectApi(undefined, { build: '0.9 /dist/atolld.cjs settings', onRetire })
    await eventually('to be asked', () => asked === 1)
    const other = connectApi(undefined, { onRetire })
    await isConnected(other)
    await server.measure()
    expect(asked).toBe(1)
    await Promise.all([older.close(), other.close()])
  })

  it('tells all processes that the records have changed', async () => {
    let changes = 0
    const other = connectApi(undefined, {
      onChanged: () => {
        changes += 1
      },
    })
    await eventually('two connections', () => server.connected() === 2)
    server.tellChanged()
    await eventually('to be told', () => changes === 1)
    await other.close()
  })

  it('gives nobody a ticket for a console', async () => {
    bus.onAsk('attach', async () => ({ address: '127.0.0.1', port: 1, ticket: 'secret' }))
    const asked = api.ask(HOST, 'attach', ASK, PATIENCE)
    await expect(asked).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(asked).rejects.not.toThrow(/secret/)
  })

  it('leaves out what it does not understand, and hears what follows', async () => {
    const raw = await connectRaw()
    const lines = ['', 'nonsense', '{}', '{"kind":"later"}', '{"kind":"ring","host":"../x"}']
    raw.write(`${[...lines, '{"kind":"events"}'].join('\n')}\n`)
    await eventually('the last line', () => events === 1)
    expect(raw.destroyed).toBe(false)
    raw.destroy()
  })

  it('disconnects whoever writes an endless line, and serves the others', async () => {
    const raw = await connectRaw()
    const closed = endOf(raw)
    raw.write(Buffer.alloc(LINE_LIMIT_BYTES + 1, 'x'))
    await closed
    api.tellEvents()
    await eventually('the other', () => events === 1)
  })

  it('disconnects whoever asks and does not read, before its answers take much memory', async () => {
    const output = 'x'.repeat(200_000)
    let answered = 0
    bus.onAsk('console', async () => {
      answered += 1
      return { ...ANSWER, output }
    })
    const raw = await connectRaw()
    raw.pause()
    const closed = endOf(raw)
    const ask = { kind: 'ask', host: HOST, question: 'console', ask: ASK, timeoutMs: 20_000 }
    for (let count = 0; count < 2_000; count += 1)
      raw.write(`${JSON.stringify({ ...ask, id: `question-${count}` })}\n`)
    await eventually('to be disconnected', () => server.connected() === 1)
    expect(answered).toBeLessThan(500)
    raw.resume()
    await closed
  })

  it('adds up what processes measure, without one that is stopped', async () => {
    const counted = createMetrics()
    counted.counter('atoll_calls_total', 'Calls').inc(2)
    const other = connectApi(counted.measure)
    const stopped = connectApi(() => new Promise<never>(() => {}))
    await eventually('three connections', () => server.connected() === 3)
    await isConnected(other)
    for (const _round of [1, 2]) {
      const measured = (await server.measure()).flat()
      expect(measured).toMatchObject([{ name: 'atoll_calls_total', values: [{ value: 2 }] }])
    }
    await Promise.all([other.close(), stopped.close()])
  })
})

describe('commands', () => {
  const MESSAGE: CommandMessage = {
    body: Buffer.from([0, 255, 10, 128]),
    headers: { 'x-atoll-date': '20261130T000000Z', 'x-atoll-access-key': 'AK' },
    replyTo: 'amq.rabbitmq.reply-to.x',
    correlationId: 'c\n"1',
    deliveries: 3,
  }
  const AGAIN: CommandOutcome = { kind: 'again', afterMs: 0 }
  const answer = (text: string): CommandOutcome => ({ kind: 'answer', answer: text })
  type Take = Parameters<CommandQueue['onCommand']>[0]

  let bus: Bus
  let server: SocketBusServer
  /** What the agent's queue passes commands to. Null while it takes none off. */
  let take: Take | null
  const opened: SocketBus[] = []
  beforeEach(async () => {
    take = null
    bus = createLocalBus()
    const onCommand: CommandQueue['onCommand'] = (handle) => {
      take = handle
      return async () => {
        take = null
      }
    }
    server = await serve(bus, undefined, { onCommand })
  })
  afterEach(async () => {
    for (const api of opened.splice(0)) await api.close()
    await server.close()
    await bus.close()
  })

  async function connected(): Promise<SocketBus> {
    const api = connectApi()
    opened.push(api)
    await isConnected(api)
    return api
  }
  const given = async (message: Partial<CommandMessage> = {}) => {
    await eventually('commands are taken', () => take !== null)
    return await take?.({ ...MESSAGE, ...message })
  }

  it('arrive as they were sent, and so do their answers', async () => {
    const seen: CommandMessage[] = []
    const api = await connected()
    api.commands.onCommand(async (message) => {
      seen.push(message)
      return answer('{"id":"\\u0000 ümlaut"}')
    })
    expect(await given()).toEqual(answer('{"id":"\\u0000 ümlaut"}'))
    expect(seen.map(({ body, ...rest }) => ({ ...rest, body: Buffer.from(body) }))).toEqual([
      MESSAGE,
    ])
  })

  it('of the greatest size arrive, and a larger one is known to be too large', async () => {
    const sizes: number[] = []
    const api = await connected()
    api.commands.onCommand(async ({ body }) => {
      sizes.push(body.length)
      return answer('"'.repeat(ANSWER_LIMIT_BYTES))
    })
    const full = Buffer.alloc(COMMAND_LIMIT_BYTES, 255)
    expect(await given({ body: full })).toEqual(answer('"'.repeat(ANSWER_LIMIT_BYTES)))
    await given({ body: Buffer.alloc(4 * COMMAND_LIMIT_BYTES) })
    expect(sizes).toEqual([COMMAND_LIMIT_BYTES, COMMAND_LIMIT_BYTES + 1])
  })

  it('have no more of their headers than can mean something', async () => {
    let headers: CommandMessage['headers'] = {}
    const api = await connected()
    api.commands.onCommand(async (message) => {
      headers = message.headers
      return AGAIN
    })
    const many = Array.from({ length: 1_000 }, (_, n) => [`x-atoll-${'a'.repeat(n % 40)}`, 'x'])
    const odd = { 'x-atoll-date': { a: 1 }, 'x-atoll-key': 'x'.repeat(100_000) }
    await given({ headers: { ...odd, ...Object.fromEntries(many) } })
    expect(Object.keys(headers).length).toBeLessThanOrEqual(16)
    expect(headers['x-atoll-date']).toBeUndefined()
    expect(headers['x-atoll-key']).toBeUndefined()
  })

  it('are taken only while a process takes them, and what one leaves goes back', async () => {
    const one = await connected()
    expect(take).toBeNull()
    one.commands.onCommand(() => new Promise<never>(() => {}))
    const left = given()
    const other = await connected()
    const stop = other.commands.onCommand(async () => answer('other'))
    // The other one has fewer as soon as it takes any.
    const found: unknown[] = []
    await eventually('the other answers', () => {
      void given().then((outcome) => found.push(outcome))
      return found.some((outcome) => outcome !== undefined)
    })
    expect(found[0]).toEqual(answer('other'))
    await one.close()
    expect(await left).toEqual(AGAIN)
    expect(await given()).toEqual(answer('other'))
    await stop()
    await eventually('none are taken', () => take === null)
    other.commands.onCommand(async () => answer('again'))
    expect(await given()).toEqual(answer('again'))
  })

  it('are given back by a process that does not answer, which gets no more until it does', async () => {
    await server.close()
    const onCommand: CommandQueue['onCommand'] = (handle) => {
      take = handle
      return async () => {
        take = null
      }
    }
    server = await serveSocketBus(
      {
        ...parts,
        clock: fastClock(100),
        bus,
        commands: { onCommand },
        onEvents() {},
        build: BUILD,
      },
      { file },
    )
    const hanging = Promise.withResolvers<CommandOutcome>()
    const api = await connected()
    api.commands.onCommand(() => hanging.promise)
    expect(await given()).toEqual(AGAIN)
    expect(take).toBeNull()
    hanging.resolve(answer('late'))
    expect(await given()).toEqual(answer('late'))
  })

  it('are given back when what is said of them cannot be read', async () => {
    const raw = connect(file)
    raw.on('error', () => undefined)
    await once(raw, 'connect')
    raw.write('{"kind":"commands","taken":true}\n')
    await eventually('commands are taken', () => take !== null)
    const outcome = take?.(MESSAGE)
    const bad = [
      { kind: 'outcome', re: 1 },
      { kind: 'outcome', re: 1, outcome: { kind: 'answer', answer: 'x'.repeat(1_100_000) } },
      { kind: 'outcome', re: 1, outcome: { kind: 'again', afterMs: 1e9 } },
      { kind: 'outcome', re: 2, outcome: { kind: 'answer', answer: 'of another' } },
    ]
    for (const line of bad) raw.write(`${JSON.stringify(line)}\n`)
    raw.end()
    expect(await outcome).toEqual(AGAIN)
  })
})
