/**
 * Chooses the node of the cluster to use: the first healthy one of the list.
 *
 * All hosts have the same list. So normally they all write to the same node, and conflicts between
 * nodes are rare. A node is left when a check of it fails. Then all others are checked at once,
 * because what is known of them may be old. Nodes that are away are checked in the background,
 * often at first, then once a second. A preferred node is used again when it has been healthy for a
 * probation time, which grows if it fails again soon; at once if there is no other. While all are
 * away, callers get an error immediately. Nothing here knows SQL: the caller provides the check,
 * and a thorough one for a node that answers checks and nothing else. A node that has failed a
 * thorough check must pass one to be used again.
 *
 * Two kinds of node are used only if there is no better one. A `spare` node serves requests but has
 * other work (a Galera donor). A slow node is left at once for another node, but not if it is the
 * only one: a machine that is busy for a second would otherwise cost more than a second without
 * records.
 */
import type { Clock } from '../../../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../../../lib/deadline.ts'
import type { Log } from '../../../lib/log.ts'
import { type Backoff, pauseMs } from '../../../lib/retry.ts'
import { unavailable } from '../../../model/errors.ts'
import { EngineError } from '../engine.ts'
import { Pace } from './pace.ts'
import { WriteGate } from './write-gate.ts'

/**
 * A statement that takes longer causes a check of the node, unless the node is usually as slow now.
 */
const DOUBT_AFTER_MS = 200
/** A statement that takes longer always causes a check. */
const LATEST_DOUBT_MS = 1000
/**
 * Time limit of a check that a caller waits for. It is longer while statements are slow as well.
 */
export const CHECK_TIMEOUT_MS = 600
/** A check may take as long as this many statements. */
const STATEMENTS_PER_CHECK = 2
/** The limit is longer by this for the last healthy node. */
const LAST_CHANCE_MS = 3400
/** Time limit of a check of a node that is away, which nobody waits for. */
const WATCH_TIMEOUT_MS = 3000
/** The pause between two checks of a node that is away. It doubles from the first to the last. */
const PAUSES: Backoff = { firstMs: 100, lastMs: 1000 }
/** How long a node must be healthy before it is preferred to a working one. */
const FIRST_PROBATION_MS = 1000
/** The probation doubles when the node fails within this time after its return. */
const TRUST_MS = 60_000
/** The longest probation. */
const LONGEST_PROBATION_MS = 60_000

/** A deadline is at most this many times longer on a slow process (`loadTolerantClock`). */
const LONGEST_STRETCH = 4

/** A node of an engine. */
export interface Node {
  readonly host: string
  readonly port: number
}

/** `spare`: it serves requests, but should not be used while there is another node. */
export type Standing = 'healthy' | 'spare'

/**
 * Resolves when the node can serve requests. Rejects when it cannot, or when the signal says that
 * the check took too long.
 */
export type HealthCheck = (
  node: Node,
  how: { readonly signal: AbortSignal; readonly isThorough: boolean },
) => Promise<Standing>

type Found = Standing | 'away'

type State =
  /** Unknown: a check is under way. */
  | { readonly kind: 'unknown'; readonly known: Promise<void> }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'away'; readonly reason: unknown; readonly isSpare: boolean }

interface Entry {
  readonly node: Node
  state: State
  /** The checks under way, by whether they are thorough. Further callers share them. */
  readonly probing: Map<boolean, Promise<Found>>
  /** It has failed a thorough check, and passed none since. */
  isSuspect: boolean
  /** Whether it was ever healthy. */
  hasServed: boolean
  /** Whether it is checked in the background. */
  watched: boolean
  probationMs: number
  readonly pace: Pace
  /** Of the time since it was last left. */
  gate: WriteGate
  /** When it last came back, by the monotonic clock. */
  returnedMs: number
}

/** The ordered list of nodes, and their states. Nothing is known before `start`. */
export class Nodes {
  /** A clock for waiting for answers of nodes. */
  readonly tolerantClock: Pick<Clock, 'after'>
  /** See `Clock`. */
  readonly monotonic: Clock['monotonic']
  readonly #entries: readonly Entry[]
  readonly #healthCheck: HealthCheck
  readonly #left: (node: Node, reason: unknown) => void
  readonly #clock: Clock
  readonly #log: Log
  readonly #closing = new AbortController()
  #inUse: Node | undefined
  /** Resolves when the state of any node changes. */
  #news = Promise.withResolvers<void>()

  /** `left` is called when a node is left: nothing that waits for it will get an answer. */
  constructor(options: {
    readonly nodes: readonly Node[]
    readonly healthCheck: HealthCheck
    readonly left: (node: Node, reason: unknown) => void
    readonly clock: Clock
    readonly log: Log
  }) {
    this.#healthCheck = options.healthCheck
    this.#left = options.left
    this.#clock = options.clock
    this.tolerantClock = loadTolerantClock(options.clock, LONGEST_STRETCH)
    this.monotonic = options.clock.monotonic
    this.#log = options.log
    this.#entries = options.nodes.map((node) => ({
      node,
      state: { kind: 'healthy' },
      probing: new Map(),
      isSuspect: false,
      hasServed: false,
      watched: false,
      probationMs: FIRST_PROBATION_MS,
      pace: new Pace(),
      gate: new WriteGate(options.clock.monotonic),
      returnedMs: Number.NEGATIVE_INFINITY,
    }))
  }

  /** Checks all nodes. */
  start(): void {
    for (const entry of this.#entries) this.#doubt(entry)
  }

  /**
   * The node to use. Rejects with an `EngineError` `away` when there is none, after the time of two
   * checks and `LAST_CHANCE_MS` at the latest.
   */
  async choose(): Promise<Node> {
    for (let entry = this.#first(); entry !== undefined; entry = this.#first()) {
      if (entry.state.kind === 'unknown') {
        // Another node may be back before this one answers.
        await Promise.race([entry.state.known, this.#news.promise])
        continue
      }
      const { node } = entry
      if (this.#inUse !== node) this.#log.info({ node: nameOf(node) }, 'database node in use')
      this.#inUse = node
      return node
    }
    throw new EngineError('away', this.#entries.map(reasonOf).find(isThere), {
      nodes: this.#entries.map(({ node }) => nameOf(node)),
    })
  }

  /** Whether the node is the one that `choose` would return. */
  isChosen(node: Node): boolean {
    return this.#first()?.node === node
  }

  /**
   * Checks a node that a caller waits for, and leaves it if it is not healthy. Concurrent callers
   * share one check.
   */
  async check(node: Node, { isThorough = false } = {}): Promise<'healthy' | 'away'> {
    const entry = this.#entryOf(node)
    if (entry === undefined || isGone(entry)) return 'away'
    await this.#probe(entry, isThorough)
    return isGone(entry) ? 'away' : 'healthy'
  }

  /** Reports that a node cannot be used. */
  leave(node: Node, reason: unknown): void {
    const entry = this.#entryOf(node)
    if (entry !== undefined) this.#setAway(entry, reason, false)
  }

  /** What transactions that write pass through at this node. */
  gateOf(node: Node): WriteGate {
    return this.#entryOf(node)?.gate ?? new WriteGate(this.monotonic)
  }

  /** Reports how long an answer of a node took. */
  answered(node: Node, ms: number): void {
    this.#entryOf(node)?.pace.answered(ms)
  }

  /** A statement that takes longer is a reason to `check` the node. */
  doubtAfterMs(node: Node): number {
    const pace = this.#entryOf(node)?.pace
    return pace?.patienceMs(DOUBT_AFTER_MS, LATEST_DOUBT_MS) ?? DOUBT_AFTER_MS
  }

  /** Like `withinTime`, but with more time for the last node. */
  async withinItsTime<T>(
    node: Node,
    work: (node: Node, signal: AbortSignal) => Promise<T>,
    limitMs = Math.max(CHECK_TIMEOUT_MS, STATEMENTS_PER_CHECK * this.doubtAfterMs(node)),
  ): Promise<T> {
    return withinTime(this.tolerantClock, limitMs, this.#closing.signal, node, work, () =>
      this.#lastChanceMs(node),
    )
  }

  /** Ends all checks. */
  close(): void {
    this.#closing.abort(new Error('the database connection is closed'))
  }

  #first(): Entry | undefined {
    return this.#entries.find(({ state }) => state.kind !== 'away') ?? this.#entries.find(isSpare)
  }

  #entryOf(node: Node): Entry | undefined {
    return this.#entries.find((one) => one.node === node)
  }

  #probe(entry: Entry, isThorough: boolean, limitMs?: number): Promise<Found> {
    const underWay = entry.probing.get(isThorough)
    if (underWay !== undefined) return underWay
    const probing = this.#probeOnce(entry, isThorough, limitMs).finally(() => {
      entry.probing.delete(isThorough)
      this.#tell()
    })
    entry.probing.set(isThorough, probing)
    return probing
  }

  async #probeOnce(entry: Entry, isThorough: boolean, limitMs: number | undefined): Promise<Found> {
    const check = (node: Node, signal: AbortSignal) =>
      this.#healthCheck(node, { signal, isThorough })
    try {
      const standing = await this.withinItsTime(entry.node, check, limitMs)
      if (isThorough) entry.isSuspect = false
      if (standing === 'spare')
        this.#setAway(entry, unavailable(`${nameOf(entry.node)} is busy with another node.`), true)
      else entry.hasServed = true
      return standing
    } catch (error) {
      if (isThorough) entry.isSuspect = true
      this.#setAway(entry, error, false)
      return 'away'
    }
  }

  /** Extra time for a slow node that was healthy until now, if there is no other. */
  #lastChanceMs(node: Node): number {
    const entry = this.#entryOf(node)
    const isLast = this.#entries.every((one) => one === entry || isGone(one))
    return isLast && entry?.hasServed === true && !isGone(entry) ? LAST_CHANCE_MS : 0
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers()
  }

  #setAway(entry: Entry, reason: unknown, spare: boolean): void {
    const { kind: before } = entry.state
    const wasSpare = isSpare(entry)
    entry.state = { kind: 'away', reason, isSpare: spare }
    if (this.#closing.signal.aborted) return
    // Whoever still waits can use a spare node.
    if (!spare && (before !== 'away' || wasSpare)) {
      entry.gate = new WriteGate(this.monotonic)
      this.#left(entry.node, reason)
    }
    if (before === 'away') return
    this.#log.warn(
      { node: nameOf(entry.node), error: reason },
      spare ? 'a database node is a spare' : 'a database node is away',
    )
    void this.#watch(entry)
    if (before === 'healthy')
      for (const other of this.#entries) if (other !== entry) this.#doubt(other)
  }

  /** Checks a node whose state may be old. */
  #doubt(entry: Entry): void {
    if (entry.state.kind !== 'healthy') return
    const known = this.#probe(entry, false).then((found) => {
      if (found === 'healthy' && entry.state.kind === 'unknown') entry.state = { kind: 'healthy' }
    })
    entry.state = { kind: 'unknown', known }
  }

  /** Checks a node that is away until it has been healthy for its probation. */
  async #watch(entry: Entry): Promise<void> {
    if (entry.watched) return
    entry.watched = true
    const isSoon = this.#clock.monotonic() - entry.returnedMs < TRUST_MS
    entry.probationMs = isSoon
      ? Math.min(LONGEST_PROBATION_MS, entry.probationMs * 2)
      : FIRST_PROBATION_MS
    let probes = 0
    let healthySinceMs: number | undefined
    while (entry.state.kind === 'away') {
      probes += 1
      await this.#clock.sleep(pauseMs(PAUSES, probes), this.#closing.signal).catch(() => {})
      if (this.#closing.signal.aborted) return
      const found = await this.#probe(entry, entry.isSuspect, WATCH_TIMEOUT_MS)
      const nowMs = this.#clock.monotonic()
      healthySinceMs = found === 'healthy' ? (healthySinceMs ?? nowMs) : undefined
      if (healthySinceMs === undefined) continue
      const hasHealthy = this.#entries.some(({ state }) => state.kind === 'healthy')
      if (hasHealthy && nowMs - healthySinceMs < entry.probationMs) continue
      entry.state = { kind: 'healthy' }
      entry.returnedMs = nowMs
      this.#tell()
      this.#log.info({ node: nameOf(entry.node) }, 'a database node is healthy again')
    }
    entry.watched = false
  }
}

function isSpare({ state }: Entry): boolean {
  return state.kind === 'away' && state.isSpare
}

function isGone({ state }: Entry): boolean {
  return state.kind === 'away' && !state.isSpare
}

function reasonOf({ state }: Entry): unknown {
  return state.kind === 'away' ? state.reason : undefined
}

function isThere(value: unknown): boolean {
  return value !== undefined
}

/**
 * Runs a check with a time limit, even if it ignores the signal. Rejects with `unavailable` when it
 * takes too long. `extensionMs` is asked once, at the limit, for more time.
 */
async function withinTime<T>(
  tolerantClock: Pick<Clock, 'after'>,
  limitMs: number,
  closing: AbortSignal,
  node: Node,
  work: (node: Node, signal: AbortSignal) => Promise<T>,
  extensionMs: () => number,
): Promise<T> {
  let allowedMs = limitMs
  const after: Clock['after'] = (ms, late) => {
    let stop = tolerantClock.after(ms, () => {
      const moreMs = extensionMs()
      allowedMs += moreMs
      if (moreMs === 0) late()
      else stop = tolerantClock.after(moreMs, late)
    })
    return () => stop()
  }
  const late = () => unavailable(`${nameOf(node)} did not answer within ${allowedMs} ms.`)
  return await withDeadline({ clock: { after }, ms: limitMs, late, signal: closing }, (over) =>
    work(node, over),
  )
}

/** The node as in the settings. */
export function nameOf({ host, port }: Node): string {
  return `${host}:${port}`
}
