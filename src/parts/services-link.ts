/**
 * The agent's end of the process that serves DHCP, DNS and metadata: what that process should have,
 * and whatever it takes that it has it.
 *
 * - What is wanted is kept here, by namespace. Each time a process is connected to, it is told
 *   everything; after that, differences. So a process that has just been started serves at once,
 *   and no pass is needed.
 * - Nobody waits for that process for long. One that does not answer is killed, and the next one
 *   gets the same sockets.
 * - One that runs other code or other settings is asked to end in order.
 */
import { connect, type Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import { type Backoff, pauseMs } from '../lib/retry.ts'
import { bug, unavailable } from '../model/errors.ts'
import {
  ANSWERS,
  type AnswerName,
  createLineReader,
  MAX_LINE,
  type NamespaceName,
  type Order,
  parseReply,
  type Reply,
  type ServicesSettings,
} from './protocol.ts'
import { Told } from './told.ts'
import type { Wanted } from './wanted.ts'

/**
 * How long an answer may take: it is a matter of milliseconds. Time in which this process does not
 * run either does not count, up to a limit.
 */
const REPLY_MS = 1_500
const MOST_STRETCH = 4
/** How long a pass waits for a process that is being started or does not answer. */
const PASS_MS = 2_000
const PING_MS = 1_000
/** How long one may take to start. */
const START_MS = 30_000
/**
 * How long one may take to end that has said so, and the next one to start: where both listen at
 * the same socket, a connection that the one before did not take is the next one's.
 */
const END_MS = 10_000
/** Between attempts to connect. */
const CONNECT: Backoff = { firstMs: 10, lastMs: 250 }
const METRICS_MS = 500
/** What a process that is asked for metrics may say. Those of others are not its to count. */
const METRIC_LINE = /^(?:# (?:HELP|TYPE) )?atoll_(?:dhcp|dns|metadata)_/

export interface ServicesLinkParts {
  /** Of the process's two sockets. */
  readonly controlPath: string
  readonly inboxPath: string
  readonly settings: ServicesSettings
  /** Names the code that this agent has for it. */
  readonly build: string
  readonly session: () => string
  readonly sendDescriptors: (path: string, bytes: Uint8Array, fds: readonly number[]) => void
  /** The process at the other end of a connection. */
  readonly peerOf: (socket: Socket) => number
  /** Takes copies of the sockets of a process that an earlier agent has left. */
  readonly adopt: (pid: number) => void
  /** Whether a process is one that serves. Before it listens, another one seems to. */
  readonly isServing: (pid: number) => boolean
  /** Kills it. */
  readonly kill: (pid: number) => void
  /** It is told what to serve. The number is what the process says. */
  readonly serves: (pid: number) => void
  /** The process has ended, or is about to: another one is needed. */
  readonly lost: (why: 'ended' | 'retiring') => void
  readonly clock: Clock
  readonly log: Log
}

/** A connection to one process. */
interface Session {
  readonly socket: Socket
  readonly told: Told
  readonly waiting: Map<number, (reply: Reply | null) => void>
  pid: number
}

/** Connects from `begin` on, again and again. */
export class ServicesLink {
  readonly #parts: ServicesLinkParts
  readonly #wanted = new Map<NamespaceName, Wanted>()
  readonly #inTurn = createQueue()
  #session: Session | null = null
  #ready = Promise.withResolvers<void>()
  /** The process that has said that it is about to end; 0: none. */
  #retiring = 0
  #hasAdopted = false
  #isClosed = false
  #n = 0
  #failures = 0
  #cancel = () => {}

  constructor(parts: ServicesLinkParts) {
    this.#parts = parts
  }

  begin(): void {
    this.#connect()
  }

  /**
   * Resolves when an earlier agent's sockets have been taken over, if there are any, or after a
   * moment: nothing must be bound before.
   */
  async settled(): Promise<void> {
    if (!this.#hasAdopted) await this.#waitForSession()
  }

  /** Has the process serve this, and waits a moment until it does. Errors: `unavailable`. */
  async apply(wanted: Wanted, answer: AnswerName): Promise<void> {
    this.#wanted.set(wanted.namespace, wanted)
    wanted.answers.add(answer)
    await this.#waitForSession()
    await withDeadline(
      { clock: this.#parts.clock, ms: PASS_MS, late: () => silent() },
      async () => await this.#inTurn(async () => await this.#tell(wanted, answer)),
    )
  }

  /** The namespace is no more. */
  end(namespace: NamespaceName): void {
    this.#wanted.delete(namespace)
    this.#session?.told.end(namespace)
    this.#say({ kind: 'end', namespace })
  }

  /** Metrics of the process in Prometheus's text format; empty when it does not answer. */
  async metrics(): Promise<string> {
    try {
      const { text = '' } = await this.#ask({ kind: 'metrics', n: this.#next() }, METRICS_MS)
      const lines = text.split('\n').filter((line) => METRIC_LINE.test(line))
      return lines.map((line) => `${line}\n`).join('')
    } catch {
      return ''
    }
  }

  /** Leaves the process alone. */
  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#session?.socket.destroy()
  }

  #connect(): void {
    if (this.#isClosed) return
    const socket = connect({ path: this.#parts.controlPath })
    socket.setEncoding('utf8')
    const session: Session = { socket, told: new Told(), waiting: new Map(), pid: 0 }
    const read = createLineReader(
      (line) => this.#hear(session, line),
      () => socket.destroy(),
    )
    socket.on('data', (text: string) => read(text))
    socket.on('error', () => socket.destroy())
    socket.once('connect', () => {
      this.#greet(session).catch((error: unknown) => {
        if (!this.#isClosed)
          this.#parts.log.warn({ error }, 'the process of DHCP, DNS and metadata is not ready')
        this.#replace(session)
      })
    })
    socket.once('close', () => this.#ended(session))
  }

  /** The first that is said. Then everything that is wanted. */
  async #greet(session: Session): Promise<void> {
    const { settings, build, log } = this.#parts
    const name = this.#parts.session()
    session.pid = this.#parts.peerOf(session.socket)
    const isServing = this.#parts.isServing(session.pid)
    if (!this.#hasAdopted && isServing) this.#parts.adopt(session.pid)
    this.#hasAdopted = true
    const order = { kind: 'hello', n: this.#next(), session: name, settings } as const
    const usualMs = session.pid === this.#retiring ? END_MS : REPLY_MS
    const hello = await this.#askOf(session, order, isServing ? usualMs : START_MS)
    this.#retiring = 0
    session.told.session = name
    this.#failures = 0
    if (hello.build !== build || hello.differs === true) {
      log.info({ pid: session.pid }, 'DHCP, DNS and metadata run with other code or settings')
      this.#sayOf(session, { kind: 'retire' })
      return
    }
    this.#session = session
    this.#ready.resolve()
    // The kernel names whoever listened when the connection was made.
    this.#parts.serves(hello.pid ?? session.pid)
    log.info({ pid: session.pid }, 'DHCP, DNS and metadata are told what to serve')
    for (const wanted of this.#wanted.values())
      for (const answer of ANSWERS)
        if (wanted.answers.has(answer))
          await this.#inTurn(async () => await this.#tell(wanted, answer)).catch((error: unknown) =>
            log.warn({ service: answer, error }, 'could not be applied in the new process'),
          )
    this.#pingLater(session)
  }

  /** What the process lacks, and that it is to be applied. */
  async #tell(wanted: Wanted, answer: AnswerName): Promise<void> {
    const session = this.#session
    if (session === null) throw silent()
    const { namespace } = wanted
    for (const { fds, order } of session.told.sockets(wanted, () => this.#next())) {
      this.#parts.sendDescriptors(this.#parts.inboxPath, Buffer.from(session.told.session), fds)
      this.#must(await this.#askOf(session, order, REPLY_MS))
      session.told.hasSockets(order)
    }
    for (const order of session.told.differences(wanted)) {
      this.#sayOf(session, order)
      if (session.socket.writableNeedDrain) await drained(session.socket)
    }
    this.#must(
      await this.#askOf(session, { kind: 'apply', n: this.#next(), namespace, answer }, REPLY_MS),
    )
  }

  #must({ error }: Reply): void {
    if (error !== undefined) throw unavailable(`the process of DHCP, DNS and metadata: ${error}`)
  }

  #hear(session: Session, line: string): void {
    const reply = parseReply(line)
    if (reply === null) {
      session.socket.destroy()
      return
    }
    if ('retiring' in reply) {
      // The next one listens elsewhere, or the service manager starts it.
      this.#retiring = session.pid
      this.#parts.lost('retiring')
      session.socket.destroy()
      return
    }
    session.waiting.get(reply.n)?.(reply)
    session.waiting.delete(reply.n)
  }

  #ended(session: Session): void {
    for (const answer of session.waiting.values()) answer(null)
    session.waiting.clear()
    if (this.#session === session) {
      this.#session = null
      this.#ready = Promise.withResolvers()
      this.#parts.log.warn({ pid: session.pid }, 'the process of DHCP, DNS and metadata is gone')
    }
    if (this.#isClosed) return
    this.#parts.lost('ended')
    this.#failures += 1
    const ms = pauseMs(CONNECT, this.#failures)
    this.#cancel = this.#parts.clock.after(ms, () => this.#connect())
  }

  #pingLater(session: Session): void {
    this.#cancel = this.#parts.clock.after(PING_MS, () => {
      if (this.#session !== session) return
      this.#askOf(session, { kind: 'ping', n: this.#next() }, REPLY_MS).then(
        () => this.#pingLater(session),
        () => this.#replace(session),
      )
    })
  }

  /** It lives and does not answer: another one has to. */
  #replace(session: Session): void {
    if (session.socket.destroyed || this.#isClosed) return
    this.#parts.log.error(
      { pid: session.pid },
      'the process of DHCP, DNS and metadata does not answer; it is replaced',
    )
    if (this.#parts.isServing(session.pid)) this.#parts.kill(session.pid)
    session.socket.destroy()
  }

  async #waitForSession(): Promise<void> {
    if (this.#session !== null) return
    const { clock } = this.#parts
    await withDeadline({ clock, ms: PASS_MS, late: silent }, () => this.#ready.promise)
  }

  #next(): number {
    this.#n += 1
    return this.#n
  }

  #say(order: Order): void {
    if (this.#session !== null) this.#sayOf(this.#session, order)
  }

  #sayOf({ socket }: Session, order: Order): void {
    const line = JSON.stringify(order)
    if (line.length > MAX_LINE) throw bug('a line for the process of services is too long')
    socket.write(`${line}\n`)
  }

  async #ask(order: Order & { readonly n: number }, ms: number): Promise<Reply> {
    if (this.#session === null) throw silent()
    return await this.#askOf(this.#session, order, ms)
  }

  async #askOf(
    session: Session,
    order: Order & { readonly n: number },
    ms: number,
  ): Promise<Reply> {
    const answer = Promise.withResolvers<Reply | null>()
    session.waiting.set(order.n, answer.resolve)
    if (session.socket.destroyed) answer.resolve(null)
    else this.#sayOf(session, order)
    const clock = loadTolerantClock(this.#parts.clock, MOST_STRETCH)
    const reply = await withDeadline({ clock, ms, late: silent }, () => answer.promise)
    if (reply === null) throw silent()
    return reply
  }
}

function silent() {
  return unavailable(
    'the process of DHCP, DNS and metadata does not answer; it is started again (if this stays: systemctl status atolld-services, or its lines in the log)',
  )
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('drain', resolve)
    socket.once('close', resolve)
  })
}
