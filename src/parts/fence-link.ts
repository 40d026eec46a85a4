/**
 * The agent's end of the process `fence`: it writes the orders, tells what has to be stopped, and
 * hears of the permission. It connects again and again; each process is told everything.
 *
 * What was last heard runs out by itself, so a process that is gone or stopped gives nobody
 * permission. One that does not answer is killed: the next one goes on in the same term, or stops
 * what must stop.
 */
import { mkdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type Orders, openFenceFiles } from '../fence/files.ts'
import type { Clock } from '../lib/clock.ts'
import { withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import { type Backoff, pauseMs } from '../lib/retry.ts'
import { unavailable } from '../model/errors.ts'
import type { FenceLevel } from '../model/fence-levels.ts'
import type { Guarded } from '../model/guarded.ts'
import type { HostName } from '../model/ids.ts'
import type { Round } from '../plan/failover/round.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import { FENCE_SOCKET } from './fence-places.ts'
import {
  type FenceOrder,
  type FenceReply,
  type FenceState,
  parseFenceSaying,
} from './fence-protocol.ts'
import { createLineReader } from './protocol.ts'

interface FenceLinkParts {
  /** Of the process. It is made if it is missing. */
  readonly directory: string
  /** What does not change while this agent runs. */
  readonly orders: Omit<Orders, 'membership' | 'addresses'>
  readonly times: FailoverTimes
  /** CLOCK_BOOTTIME, in ms. */
  readonly nowMs: () => number
  readonly clock: Clock
  readonly log: Log
  /** The process has ended, or is to be replaced. */
  readonly lost: () => void
  /** Kills the process that does not answer. */
  readonly kill: () => void
}

interface Permission {
  readonly term: number
  readonly id: string
  readonly untilMs: number
}

/** One with a new list waits for the next grant, where there is a watchdog to arm. */
const REPLY_MS = 5_000
const PING_MS = 2_000
const CONNECT: Backoff = { firstMs: 10, lastMs: 250 }
const NEVER = Number.NEGATIVE_INFINITY

/** Connects from `begin` on. Satisfies the agent's port `Fence`. */
export class FenceLink {
  readonly times: FailoverTimes
  readonly #parts: FenceLinkParts
  readonly #files
  readonly #listeners = new Set<(permission: Permission) => void>()
  readonly #waiting = new Map<number, (reply: FenceReply | null) => void>()
  #orders: Orders | null = null
  #guarded: readonly Guarded[] | null = null
  #socket: Socket | null = null
  #state: FenceState | null = null
  #known: Permission = { term: 0, id: '', untilMs: NEVER }
  #n = 0
  #failures = 0
  #isClosed = false
  #cancelConnect = () => {}
  #cancelPing = () => {}
  #cancelEnd = () => {}

  constructor(parts: FenceLinkParts) {
    this.#parts = parts
    this.times = parts.times
    mkdirSync(parts.directory, { recursive: true, mode: 0o700 })
    this.#files = openFenceFiles(parts.directory)
  }

  begin(): void {
    this.#connect()
  }

  nowMs(): number {
    return this.#parts.nowMs()
  }

  permission(): Permission {
    return this.#known
  }

  level(): FenceLevel | null {
    return this.#state === null ? null : (this.#state.watchdog ?? 'muted')
  }

  onChange(listener: (permission: Permission) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The version of the membership that the process goes by; 0: none. */
  version(): number {
    return this.#state?.version ?? 0
  }

  /** Has the process go by this membership. It is told when it can be. */
  order(change: Pick<Orders, 'membership' | 'addresses'>): void {
    const orders = { ...this.#parts.orders, ...change }
    if (this.#orders !== null && sameOrders(orders, this.#orders)) return
    this.#orders = orders
    this.#files.writeOrders(orders)
    this.#ask({ kind: 'orders', n: this.#next() }).catch((error: unknown) => {
      this.#parts.log.info({ error }, 'the process fence is told its members later')
    })
  }

  async guard(all: readonly Guarded[]): Promise<void> {
    this.#guarded = all
    await this.#ask({ kind: 'guard', n: this.#next(), guarded: all })
  }

  async askConsent(about: HostName): Promise<Round> {
    const { round } = await this.#ask({ kind: 'consent', n: this.#next(), about })
    if (round === undefined) throw unavailable('the process fence did not say who consents')
    const { id, askedAtMs, version, members, yes } = round
    return { id, askedAtMs, membership: { version, members }, yes: new Set(yes) }
  }

  /** Leaves the process alone. */
  close(): void {
    this.#isClosed = true
    this.#cancelConnect()
    this.#cancelPing()
    this.#cancelEnd()
    this.#socket?.destroy()
  }

  #connect(): void {
    if (this.#isClosed) return
    const socket = connect({ path: below(this.#parts.directory, FENCE_SOCKET) })
    socket.setEncoding('utf8')
    const read = createLineReader(
      (line) => this.#hear(socket, line),
      () => socket.destroy(),
    )
    socket.on('data', (text: string) => read(text))
    socket.on('error', () => socket.destroy())
    socket.once('connect', () => this.#greet(socket))
    socket.once('close', () => this.#ended(socket))
  }

  #greet(socket: Socket): void {
    this.#socket = socket
    this.#failures = 0
    const guarded = this.#guarded
    const told = async () => {
      if (this.#orders !== null) await this.#ask({ kind: 'orders', n: this.#next() })
      if (guarded !== null) await this.#ask({ kind: 'guard', n: this.#next(), guarded })
    }
    told().catch((error: unknown) => {
      if (!this.#isClosed) this.#parts.log.warn({ error }, 'the process fence has not taken it all')
    })
    this.#pingLater(socket)
  }

  /** Orders that have not changed change nothing. */
  #pingLater(socket: Socket): void {
    this.#cancelPing = this.#parts.clock.after(PING_MS, () => {
      if (this.#socket !== socket) return
      this.#ask({ kind: 'orders', n: this.#next() })
        .catch((error: unknown) => {
          if (this.#socket !== socket || this.#isClosed || this.#orders === null) return
          this.#parts.log.error({ error }, 'the process fence does not answer; it is replaced')
          this.#parts.kill()
          socket.destroy()
        })
        .finally(() => this.#pingLater(socket))
    })
  }

  async #ask(order: FenceOrder): Promise<FenceReply> {
    const socket = this.#socket
    const silent = () => unavailable('the process fence of this host does not answer')
    if (socket === null) throw silent()
    const answered = new Promise<FenceReply | null>((resolve) => {
      this.#waiting.set(order.n, resolve)
    })
    socket.write(`${JSON.stringify(order)}\n`)
    try {
      const { clock } = this.#parts
      const reply = await withDeadline({ clock, ms: REPLY_MS, late: silent }, () => answered)
      if (reply === null) throw silent()
      if (reply.error !== undefined) throw unavailable(`the process fence: ${reply.error}`)
      return reply
    } finally {
      this.#waiting.delete(order.n)
    }
  }

  #hear(socket: Socket, line: string): void {
    const said = parseFenceSaying(line)
    if (said === null) socket.destroy()
    else if (said.kind === 'reply') this.#waiting.get(said.n)?.(said)
    else this.#learn(said)
  }

  #learn(state: FenceState): void {
    this.#state = state
    const before = this.#known
    const hadOne = this.nowMs() < before.untilMs
    const { term, id } = state
    this.#known = { term: id === '' ? 0 : term, id, untilMs: state.untilMs ?? NEVER }
    const hasOne = this.nowMs() < this.#known.untilMs
    this.#cancelEnd()
    if (hasOne) this.#endLater()
    if (hadOne !== hasOne || before.id !== id) this.#tell()
  }

  #endLater(): void {
    const leftMs = Math.max(0, this.#known.untilMs - this.nowMs())
    this.#cancelEnd = this.#parts.clock.after(leftMs, () => {
      if (this.nowMs() < this.#known.untilMs) this.#endLater()
      else this.#tell()
    })
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#known)
  }

  #ended(socket: Socket): void {
    for (const answer of this.#waiting.values()) answer(null)
    if (this.#socket === socket) {
      this.#socket = null
      this.#state = null
      this.#cancelPing()
    }
    if (this.#isClosed) return
    this.#parts.lost()
    this.#failures += 1
    const ms = pauseMs(CONNECT, this.#failures)
    this.#cancelConnect = this.#parts.clock.after(ms, () => this.#connect())
  }

  #next(): number {
    this.#n += 1
    return this.#n
  }
}

function sameOrders(a: Orders, b: Orders): boolean {
  const text = (orders: Orders) => JSON.stringify({ ...orders, addresses: [...orders.addresses] })
  return text(a) === text(b)
}
