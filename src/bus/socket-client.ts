/**
 * The bus of a process of the API: over a Unix socket to the agent of its host
 * (`socket-messages.ts`), which rings and asks for it, and passes on clients' commands. So a host
 * has one connection to a broker, whatever the number of processes.
 *
 * While the agent is away or stopped, bells are kept (one for each addressee) and sent when it is
 * back, and questions fail with `unavailable`. It connects again at once and for ever.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Clock, nextTurn } from '../lib/clock.ts'
import { unlessAborted, withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, pauseMs } from '../lib/retry.ts'
import { unavailable } from '../model/errors.ts'
import type { HostName, VpcId } from '../model/ids.ts'
import { KIB } from '../model/sizes.ts'
import { type BusCaller, type Question, type Questions, VPCS_LIMIT } from './bus.ts'
import type { CommandQueue } from './command-queue.ts'
import { parseError, QUESTION_SCHEMAS } from './rabbit/messages.ts'
import { receiveCommands } from './socket-commands.ts'
import {
  createLineSplitter,
  formatLine,
  parseSaidByAgent,
  type SaidByAgent,
  type SaidByApi,
} from './socket-messages.ts'

const PAUSES: Backoff = { firstMs: 20, lastMs: 500 }
/** Maximum number of open questions. Further ones are refused. */
const QUESTIONS_LIMIT = 128
/** Hosts whose bell is kept. The timers of the others make up for it. */
const HOSTS_LIMIT = 8_192
/** Bells wait while more than this is unsent, because the agent does not read. */
const UNSENT_LIMIT_BYTES = 64 * KIB
const AWAY = 'The agent of this host does not run at the moment; try again.'

/** The bus of a process of the API. */
export interface SocketBus extends BusCaller {
  /** Says that events were noted in the records. */
  tellEvents(): void
  /** Whether the agent is connected. */
  connected(): boolean
  /** Clients' commands. The agent has the queue, and passes some on. */
  readonly commands: CommandQueue
  close(): Promise<void>
}

/** What the bus needs. */
export interface SocketBusOptions {
  /** The agent's socket, which need not exist yet. */
  readonly file: string
  readonly clock: Clock
  readonly log: Log
  /** When to connect first: a process counts from then on. Absent: at once. */
  readonly ready?: Promise<void>
  /** The metrics of this process, as the agent wants them. */
  readonly metrics: () => Promise<string>
  /** Names the code and the settings that this process runs with. */
  readonly build: string
  /** Called when the agent has heard that the records have changed. */
  readonly onChanged: () => void
  /** Called when the agent wants this process to end, because it has other code or settings. */
  readonly onRetire: () => void
}

/** Can be used at once, and connects in the background. */
export function connectSocketBus(options: SocketBusOptions): SocketBus {
  const bells = createKeptBells()
  const asking = createAsking(options.clock)
  const commands = receiveCommands(options.clock, () => {
    const socket = agent.socket()
    if (socket !== null) sayWhetherTaken(socket)
  })
  const agent = keepConnected(options, {
    began: (socket) => sayWhetherTaken(socket),
    connected: (socket) => flush(socket),
    hear: (said) => asking.hear(said),
    hearCommand: (said, socket) =>
      commands.hear(said, (outcome) => void socket.write(formatLine(outcome))),
  })

  function sayWhetherTaken(socket: Socket): void {
    socket.write(formatLine({ kind: 'commands', taken: commands.areTaken() }))
  }

  function flush(socket: Socket): void {
    if (socket.writableLength > UNSENT_LIMIT_BYTES) return
    for (const bell of bells.take()) socket.write(formatLine(bell))
  }

  /** In a later turn, so that equal bells are merged. */
  function ringSoon(): void {
    void nextTurn().then(() => {
      const socket = agent.socket()
      if (socket !== null) flush(socket)
    })
  }

  return {
    ring: (host) => bells.ring(host, ringSoon),
    ringAll: () => bells.ringAll(ringSoon),
    ringVpc: (vpc) => bells.ringVpc(vpc, ringSoon),
    tellEvents: () => bells.tellEvents(ringSoon),
    connected: () => agent.socket() !== null,
    commands,
    ask: (host, question, ask, asked) =>
      asking.ask(agent.socket(), { host, question, ask, ...asked }, agent.gone()),
    close: agent.close,
  }
}

/** The connection to the agent, which is made again for ever. */
interface Agent {
  /** Null while there is none. */
  socket(): Socket | null
  /** Aborts when the connection that there is now has ended, or the bus is closed. */
  gone(): AbortSignal
  close(): Promise<void>
}

interface Listener {
  /** There is a new connection. */
  began(socket: Socket): void
  /** There is a connection, or room on it again. */
  connected(socket: Socket): void
  hear(said: Answer): void
  hearCommand(said: Extract<SaidByAgent, { kind: 'command' }>, socket: Socket): void
}

type Answer = Extract<SaidByAgent, { kind: 'answer' }>

function keepConnected(
  { file, clock, log, metrics, ready, build, ...heard }: SocketBusOptions,
  listener: Listener,
): Agent {
  const closing = new AbortController()
  let gone = new AbortController()
  let current: Socket | null = null

  async function talk(socket: Socket): Promise<void> {
    gone = new AbortController()
    current = socket
    socket.on('drain', () => listener.connected(socket))
    socket.write(formatLine({ kind: 'hello', build }))
    listener.began(socket)
    listener.connected(socket)
    const splitter = createLineSplitter()
    try {
      for await (const bytes of socket)
        for (const line of splitter.take(bytes)) {
          const said = parseSaidByAgent(line)
          if (said?.kind === 'answer') listener.hear(said)
          else if (said?.kind === 'command') listener.hearCommand(said, socket)
          else if (said?.kind === 'measure') void tellMetrics(socket, said.re)
          else if (said?.kind === 'changed') heard.onChanged()
          else if (said?.kind === 'retire') heard.onRetire()
        }
    } finally {
      current = null
      socket.destroy()
      gone.abort(unavailable(AWAY))
    }
  }

  /** Nothing waits for it. */
  async function tellMetrics(socket: Socket, re: number): Promise<void> {
    try {
      socket.write(formatLine({ kind: 'metrics', re, text: await metrics() }))
    } catch (error) {
      log.warn({ error }, 'metrics could not be told to the agent')
    }
  }

  async function connectForEver(): Promise<void> {
    await unlessAborted(closing.signal, async () => ready)
    for (let failures = 1; ; failures += 1) {
      try {
        const socket = await openConnection(file, closing.signal)
        failures = 1
        await talk(socket)
      } catch (error) {
        closing.signal.throwIfAborted()
        log.debug({ error }, 'the agent is not connected')
      }
      await clock.sleep(pauseMs(PAUSES, failures), closing.signal)
    }
  }

  const keeping = connectForEver().catch(() => undefined)
  return {
    socket: () => current,
    gone: () => AbortSignal.any([closing.signal, gone.signal]),
    async close() {
      closing.abort(unavailable('The bus is closed.'))
      current?.destroy()
      await keeping
    },
  }
}

/** A question, and how long its asker waits. */
interface Asked<Q extends Question> extends AskOptions {
  readonly host: HostName
  readonly question: Q
  readonly ask: Questions[Q]['ask']
}

type AskOptions = Parameters<BusCaller['ask']>[3]

/** No question is open at first. */
function createAsking(clock: Clock) {
  const open = new Map<string, (said: Answer) => void>()
  let count = 0
  return {
    hear: (said: Answer) => open.get(said.re)?.(said),
    async ask<Q extends Question>(
      socket: Socket | null,
      { timeoutMs, signal, ...asked }: Asked<Q>,
      gone: AbortSignal,
    ): Promise<Questions[Q]['answer']> {
      signal?.throwIfAborted()
      gone.throwIfAborted()
      if (socket === null) throw unavailable(AWAY)
      if (open.size >= QUESTIONS_LIMIT)
        throw unavailable('Too many questions wait for an answer; try again.')
      count += 1
      const id = `question-${count}`
      const ended = signal === undefined ? gone : AbortSignal.any([gone, signal])
      const late = () => unavailable(`The host did not answer within ${timeoutMs} ms.`)
      const answered = Promise.withResolvers<Answer>()
      open.set(id, answered.resolve)
      try {
        socket.write(formatLine({ kind: 'ask', id, ...asked, timeoutMs }))
        const deadline = { clock, ms: timeoutMs, late, signal: ended }
        const { answer, error } = await withDeadline(deadline, () => answered.promise)
        if (error !== undefined) throw parseError(error)
        const parsed = QUESTION_SCHEMAS[asked.question].answer.safeParse(answer)
        if (parsed.success) return parsed.data
        throw unavailable(`The answer to "${asked.question}" cannot be read.`, parsed.error)
      } finally {
        open.delete(id)
      }
    },
  }
}

/** A connection. Rejects when there is none. */
async function openConnection(file: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(file)
  socket.on('error', () => undefined)
  try {
    await once(socket, 'connect', { signal })
  } catch (error) {
    socket.destroy()
    throw error
  }
  return socket
}

/** Bells that were not sent yet, one for each addressee. */
function createKeptBells() {
  const hosts = new Set<HostName>()
  const vpcs = new Set<VpcId>()
  const others = new Set<'ring-all' | 'events'>()
  const add = <T>(kept: Set<T>, one: T, limit: number, added: () => void): void => {
    if (hosts.size + vpcs.size + others.size === 0) added()
    if (kept.size < limit) kept.add(one)
  }
  return {
    ring: (host: HostName, added: () => void) => add(hosts, host, HOSTS_LIMIT, added),
    ringVpc: (vpc: VpcId, added: () => void) => add(vpcs, vpc, VPCS_LIMIT, added),
    ringAll: (added: () => void) => add(others, 'ring-all', Number.POSITIVE_INFINITY, added),
    tellEvents: (added: () => void) => add(others, 'events', Number.POSITIVE_INFINITY, added),
    take(): readonly SaidByApi[] {
      const taken: SaidByApi[] = [
        ...[...hosts].map((host) => ({ kind: 'ring', host }) as const),
        ...[...vpcs].map((vpc) => ({ kind: 'ring-vpc', vpc }) as const),
        ...[...others].map((kind) => ({ kind })),
      ]
      hosts.clear()
      vpcs.clear()
      others.clear()
      return taken
    },
  }
}
