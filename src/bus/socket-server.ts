/**
 * The agent's end of the socket on which the processes of the API ring and ask, and get clients'
 * commands (`socket-messages.ts`).
 *
 * Nothing that they send, or do not read, delays the agent: lines are handled in pieces between
 * which packets and timers have their turn, questions and connections have limits, and a process
 * that does not read is disconnected. It connects again when it goes on.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type Clock, nextTurn } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { hasCode } from '../lib/errno.ts'
import type { Log } from '../lib/log.ts'
import { parseMeasured } from '../lib/measured-metrics.ts'
import type { MeasuredMetrics } from '../lib/metrics.ts'
import { listenPrivately, type PrivateSocket } from '../lib/private-socket.ts'
import { AtollError, assertNever, bug, unavailable } from '../model/errors.ts'
import { MIB } from '../model/sizes.ts'
import type { BusCaller } from './bus.ts'
import type { CommandQueue } from './command-queue.ts'
import { formatError, isQuestion, QUESTION_SCHEMAS } from './rabbit/messages.ts'
import { type CommandPasser, type PassedCommands, passCommands } from './socket-commands.ts'
import {
  ASKED_FOR_CLIENTS,
  createLineSplitter,
  formatLine,
  parseSaidByApi,
  type SaidByAgent,
  type SaidByApi,
} from './socket-messages.ts'

/** Connected processes at one time: more than there are workers, some of which have just ended. */
const PROCESSES_LIMIT = 64
/** Questions of one process that wait for an answer. Further ones are refused. */
const ASKS_LIMIT = 128
/** A process that leaves more bytes unread is disconnected. All commands of one host fit. */
const UNREAD_LIMIT_BYTES = 8 * MIB
/** How long a process may take to say its metrics. One that is stopped is left out. */
const MEASURE_MS = 1_000

/** The agent's end. */
export interface SocketBusServer {
  /** The number of connected processes. */
  connected(): number
  /** The metrics of all of them that say theirs in time. */
  measure(): Promise<readonly MeasuredMetrics[]>
  /** Tells all of them that the records have changed. */
  tellChanged(): void
  close(): Promise<void>
}

interface ServerParts {
  /** What bells and questions are passed on to. */
  readonly bus: BusCaller
  /** Clients' commands, which the processes answer. Null: there are none. */
  readonly commands: CommandQueue | null
  readonly clock: Clock
  readonly log: Log
  /** Called when a process has noted events in the records. */
  readonly onEvents: () => void
  /** Names the code and the settings of this agent. A process that has others is asked to end. */
  readonly build: string
}

/** Listens from now on. Errors: as `listen(2)`. */
export async function serveSocketBus(
  parts: ServerParts,
  place: PrivateSocket,
): Promise<SocketBusServer> {
  const { clock, log } = parts
  const peers = new Map<Socket, Peer>()
  const passer = parts.commands === null ? null : passCommands(parts.commands, clock)
  const server = createServer((socket) => {
    const peer = createPeer(socket, parts, passer)
    peers.set(socket, peer)
    const over = () => peers.delete(socket)
    peer.ended.then(over, (error: unknown) => {
      over()
      log.warn({ error }, 'a process of the API is disconnected')
    })
  })
  server.maxConnections = PROCESSES_LIMIT
  await listenPrivately(server, place)
  return {
    connected: () => peers.size,
    async measure() {
      const said = [...peers.values()].map((peer) => inTime(clock, MEASURE_MS, peer.measure()))
      return (await Promise.all(said)).flatMap((text) => (text == null ? [] : parseMeasured(text)))
    },
    tellChanged() {
      for (const peer of peers.values()) peer.tellChanged()
    },
    async close() {
      const closed = once(server, 'close')
      if (!server.listening) return
      server.close()
      for (const socket of peers.keys()) socket.destroy()
      await closed
    },
  }
}

/** One connected process. */
interface Peer {
  /** Its metrics. Null when it ends before it says them. */
  measure(): Promise<string | null>
  tellChanged(): void
  /** Resolves when the connection has ended. Rejects when it was ended for what was said. */
  readonly ended: Promise<void>
}

function createPeer(socket: Socket, parts: ServerParts, passer: CommandPasser | null): Peer {
  const gone = new AbortController()
  /** The last question for metrics, and what ends it. */
  let measuring: { readonly re: number; end(text: string | null): void } = { re: 0, end() {} }
  const answer = createAnswerer(parts.bus, gone.signal, send)
  let taken: PassedCommands | null = null

  function send(message: SaidByAgent): void {
    if (socket.writableLength > UNREAD_LIMIT_BYTES) socket.destroy()
    else if (!socket.destroyed) socket.write(formatLine(message))
  }

  function hear(said: SaidByApi): void {
    switch (said.kind) {
      case 'hello':
        if (said.build !== parts.build) send({ kind: 'retire' })
        return
      case 'ring':
        parts.bus.ring(said.host)
        return
      case 'ring-vpc':
        parts.bus.ringVpc(said.vpc)
        return
      case 'ring-all':
        parts.bus.ringAll()
        return
      case 'events':
        parts.onEvents()
        return
      case 'ask':
        void answer(said)
        return
      case 'metrics':
        if (said.re === measuring.re) measuring.end(said.text)
        return
      case 'commands':
        taken ??= passer?.connect(send) ?? null
        taken?.wants(said.taken)
        return
      case 'outcome':
        taken?.hear(said)
        return
      default:
        assertNever(said)
    }
  }

  async function listen(): Promise<void> {
    const splitter = createLineSplitter()
    try {
      for await (const bytes of socket) {
        for (const line of splitter.take(bytes)) {
          const said = parseSaidByApi(line)
          if (said !== undefined) hear(said)
        }
        await nextTurn()
      }
    } finally {
      socket.destroy()
      gone.abort(unavailable('The process that asked is gone.'))
      measuring.end(null)
      taken?.end()
    }
  }

  // It ends when the process does, at any moment.
  socket.on('error', () => undefined)
  return {
    ended: listen().catch((error: unknown) => {
      if (!isGone(error)) throw error
    }),
    tellChanged: () => send({ kind: 'changed' }),
    measure() {
      const said = Promise.withResolvers<string | null>()
      measuring.end(null)
      measuring = { re: measuring.re + 1, end: said.resolve }
      if (gone.signal.aborted) said.resolve(null)
      else send({ kind: 'measure', re: measuring.re })
      return said.promise
    },
  }
}

type Asked = Extract<SaidByApi, { kind: 'ask' }>

/** Passes questions of one process on, while it is there. The returned function never fails. */
function createAnswerer(
  bus: BusCaller,
  signal: AbortSignal,
  send: (message: SaidByAgent) => void,
): (asked: Asked) => Promise<void> {
  let asks = 0

  async function passOn({ host, question, ask, timeoutMs }: Asked): Promise<unknown> {
    if (asks > ASKS_LIMIT) throw unavailable('Too many questions wait for an answer; try again.')
    if (!isQuestion(question) || !ASKED_FOR_CLIENTS.includes(question))
      throw unavailable(`The API may not ask the question "${question}".`)
    const asked = QUESTION_SCHEMAS[question].ask.safeParse(ask)
    if (!asked.success) throw unavailable(`The question "${question}" cannot be read.`)
    return await bus.ask(host, question, asked.data, { timeoutMs, signal })
  }

  return async (asked) => {
    const head = { kind: 'answer', re: asked.id } as const
    asks += 1
    try {
      send({ ...head, answer: await passOn(asked) })
    } catch (error) {
      const known = error instanceof AtollError ? error : bug('The host failed to answer.')
      send({ ...head, error: formatError(known) })
    } finally {
      asks -= 1
    }
  }
}

/** Whether the error says no more than that the other end is gone. */
function isGone(error: unknown): boolean {
  return hasCode(error, 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR')
}
