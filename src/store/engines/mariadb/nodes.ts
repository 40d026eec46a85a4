/**
 * Which node of the cluster is used: the first of the list that is well.
 *
 * All hosts have the same list, so that in quiet times all of them write to the same node and
 * conflicts between nodes are rare. A node is left when a look at it fails; the others are looked
 * at anew, all at once, because what was known of them may be old. Nodes that are away are looked
 * at in the background, at first often, then once a second. A preferred node is taken back when it
 * has been well for a while, which grows if it disappoints again soon; at once when there is no
 * other. While all are away, whoever asks is told so immediately. Nothing here knows SQL: what a
 * look is, the caller says.
 *
 * Two kinds of node are better than none. One that serves but has other things to do (a Galera node
 * that feeds another) is away for as long as there is one that is well. One that is slow is left at
 * once for another one, but not for nobody: a machine that is busy for a second would otherwise be
 * without records for longer than that.
 */
import type { Clock } from '../../../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../../../lib/deadline.ts'
import type { Log } from '../../../lib/log.ts'
import { type Backoff, pauseMs } from '../../../lib/retry.ts'
import { unavailable } from '../../../model/errors.ts'
import { EngineError } from '../engine.ts'
import { Pace } from './pace.ts'

/**
 * A statement that takes longer makes somebody look at the node, unless it is usual for the node
 * now...
 */
const DOUBT_AFTER_MS = 200
/** ...but after so long in any case. */
const LATEST_DOUBT_MS = 1000
/**
 * A look that takes longer has failed, where somebody waits for it and statements do not take long
 * as well...
 */
export const LOOK_TIMEOUT_MS = 600
/** ...for a look takes as long as some of them... */
const STATEMENTS_PER_LOOK = 2
/** ...unless it is at the last node that was well: then it may take so much longer... */
const LAST_CHANCE_MS = 3400
/** ...and where nobody does, because the node is away already. */
const WATCH_TIMEOUT_MS = 3000
/** The pause between two looks at a node that is away: it doubles from the first to the last. */
const PAUSES: Backoff = { firstMs: 100, lastMs: 1000 }
/** How long a node must be well before it is preferred to another one that works... */
const FIRST_PROBATION_MS = 1000
/** ...doubled each time that it is left within this time after its return... */
const TRUST_MS = 60_000
/** ...but not longer than this. */
const LONGEST_PROBATION_MS = 60_000

/**
 * However slow this process is, a deadline is not longer than so many times what it is meant to be
 * (`loadTolerantClock`).
 */
const LONGEST_STRETCH = 4

/** An engine's node. */
export interface Node {
  readonly host: string
  readonly port: number
}

/** `spare`: it serves, but had better not be asked while there is another one. */
export type Standing = 'well' | 'spare'

/**
 * Resolves when the node can serve everybody; rejects when it cannot, or when the signal says that
 * it took too long.
 */
export type Look = (node: Node, signal: AbortSignal) => Promise<Standing>

type Found = Standing | 'away'

type State =
  /** Nobody knows; a look is under way. */
  | { readonly kind: 'unknown'; readonly known: Promise<void> }
  | { readonly kind: 'well' }
  | { readonly kind: 'away'; readonly reason: unknown; readonly isSpare: boolean }

interface Entry {
  readonly node: Node
  state: State
  /** The look under way, for those that come while it lasts. */
  looking: Promise<Found> | undefined
  /** It was well once. */
  hasServed: boolean
  /** Whether somebody looks at it in the background. */
  watched: boolean
  probationMs: number
  readonly pace: Pace
  /** When it came back last, on the monotonic clock. */
  returnedMs: number
}

/** The ordered list of nodes, and what is known of each. Nothing is known before `start`. */
export class Nodes {
  /** For waiting for answers of nodes. */
  readonly patient: Pick<Clock, 'after'>
  /** See `Clock`. */
  readonly monotonic: Clock['monotonic']
  readonly #entries: readonly Entry[]
  readonly #look: Look
  readonly #left: (node: Node, reason: unknown) => void
  readonly #clock: Clock
  readonly #log: Log
  readonly #closing = new AbortController()
  #inUse: Node | undefined
  /** Resolves when more is known of any node. */
  #news = Promise.withResolvers<void>()

  /** `left` is called when a node is left: whatever still waits for it waits in vain. */
  constructor(options: {
    readonly nodes: readonly Node[]
    readonly look: Look
    readonly left: (node: Node, reason: unknown) => void
    readonly clock: Clock
    readonly log: Log
  }) {
    this.#look = options.look
    this.#left = options.left
    this.#clock = options.clock
    this.patient = loadTolerantClock(options.clock, LONGEST_STRETCH)
    this.monotonic = options.clock.monotonic
    this.#log = options.log
    this.#entries = options.nodes.map((node) => ({
      node,
      state: { kind: 'well' },
      looking: undefined,
      hasServed: false,
      watched: false,
      probationMs: FIRST_PROBATION_MS,
      pace: new Pace(),
      returnedMs: Number.NEGATIVE_INFINITY,
    }))
  }

  /** Looks at all nodes at once. */
  start(): void {
    for (const entry of this.#entries) this.#doubt(entry)
  }

  /**
   * The node to use. Rejects with an `EngineError` `away` when there is none, after two looks' and
   * a last chance's time at the latest.
   */
  async choose(): Promise<Node> {
    for (let entry = this.#first(); entry !== undefined; entry = this.#first()) {
      if (entry.state.kind === 'unknown') {
        // One that was away may be back before this one answers.
        await Promise.race([entry.state.known, this.#news.promise])
        continue
      }
      const { node } = entry
      if (this.#inUse !== node) this.#log.info({ node: nameOf(node) }, 'record store node in use')
      this.#inUse = node
      return node
    }
    throw new EngineError('away', this.#entries.map(reasonOf).find(isThere), {
      nodes: this.#entries.map(({ node }) => nameOf(node)),
    })
  }

  /** Whether the node is the one that `choose` would give. */
  isChosen(node: Node): boolean {
    return this.#first()?.node === node
  }

  /**
   * Looks at a node that keeps somebody waiting; leaves it if it is not well. Those that ask
   * together share one look.
   */
  async check(node: Node): Promise<'well' | 'away'> {
    const entry = this.#entryOf(node)
    if (entry === undefined || isGone(entry)) return 'away'
    await this.#lookAt(entry)
    return isGone(entry) ? 'away' : 'well'
  }

  /** Says that a node cannot be used. */
  leave(node: Node, reason: unknown): void {
    const entry = this.#entryOf(node)
    if (entry !== undefined) this.#setAway(entry, reason, false)
  }

  /** Hears what an answer of a node took. */
  answered(node: Node, ms: number): void {
    this.#entryOf(node)?.pace.answered(ms)
  }

  /** A statement that takes longer is a reason to `check` the node. */
  doubtAfterMs(node: Node): number {
    const pace = this.#entryOf(node)?.pace
    return pace?.patienceMs(DOUBT_AFTER_MS, LATEST_DOUBT_MS) ?? DOUBT_AFTER_MS
  }

  /** `withinTime`, with more of it for a node that is the last one. */
  async withinItsTime<T>(
    node: Node,
    work: (node: Node, signal: AbortSignal) => Promise<T>,
    limitMs = Math.max(LOOK_TIMEOUT_MS, STATEMENTS_PER_LOOK * this.doubtAfterMs(node)),
  ): Promise<T> {
    return withinTime(this.patient, limitMs, this.#closing.signal, node, work, () =>
      this.#lastChanceMs(node),
    )
  }

  /** Ends all looking. */
  close(): void {
    this.#closing.abort(new Error('the record store is closed'))
  }

  #first(): Entry | undefined {
    return this.#entries.find(({ state }) => state.kind !== 'away') ?? this.#entries.find(isSpare)
  }

  #entryOf(node: Node): Entry | undefined {
    return this.#entries.find((one) => one.node === node)
  }

  #lookAt(entry: Entry, limitMs?: number): Promise<Found> {
    entry.looking ??= this.#lookOnce(entry, limitMs).finally(() => {
      entry.looking = undefined
      this.#tell()
    })
    return entry.looking
  }

  async #lookOnce(entry: Entry, limitMs: number | undefined): Promise<Found> {
    try {
      const standing = await this.withinItsTime(entry.node, this.#look, limitMs)
      if (standing === 'spare')
        this.#setAway(entry, unavailable(`${nameOf(entry.node)} is busy with another node.`), true)
      else entry.hasServed = true
      return standing
    } catch (error) {
      this.#setAway(entry, error, false)
      return 'away'
    }
  }

  /** A node that was well until now, and is slow, while no other one is left. */
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
    // Whoever still waits for a spare node is served by it.
    if (!spare && (before !== 'away' || wasSpare)) this.#left(entry.node, reason)
    if (before === 'away') return
    this.#log.warn(
      { node: nameOf(entry.node), error: reason },
      spare ? 'a node of the record store is a spare' : 'a node of the record store is away',
    )
    void this.#watch(entry)
    if (before === 'well')
      for (const other of this.#entries) if (other !== entry) this.#doubt(other)
  }

  /** Has a look at a node of which nothing new is known. */
  #doubt(entry: Entry): void {
    if (entry.state.kind !== 'well') return
    const known = this.#lookAt(entry).then((found) => {
      if (found === 'well' && entry.state.kind === 'unknown') entry.state = { kind: 'well' }
    })
    entry.state = { kind: 'unknown', known }
  }

  /** Looks at a node that is away until it is well for long enough. */
  async #watch(entry: Entry): Promise<void> {
    if (entry.watched) return
    entry.watched = true
    const isSoon = this.#clock.monotonic() - entry.returnedMs < TRUST_MS
    entry.probationMs = isSoon
      ? Math.min(LONGEST_PROBATION_MS, entry.probationMs * 2)
      : FIRST_PROBATION_MS
    let looks = 0
    let wellSinceMs: number | undefined
    while (entry.state.kind === 'away') {
      looks += 1
      await this.#clock.sleep(pauseMs(PAUSES, looks), this.#closing.signal).catch(() => {})
      if (this.#closing.signal.aborted) return
      const found = await this.#lookAt(entry, WATCH_TIMEOUT_MS)
      const nowMs = this.#clock.monotonic()
      wellSinceMs = found === 'well' ? (wellSinceMs ?? nowMs) : undefined
      if (wellSinceMs === undefined) continue
      const isPatient = this.#entries.some(({ state }) => state.kind === 'well')
      if (isPatient && nowMs - wellSinceMs < entry.probationMs) continue
      entry.state = { kind: 'well' }
      entry.returnedMs = nowMs
      this.#tell()
      this.#log.info({ node: nameOf(entry.node) }, 'a node of the record store is well again')
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
 * Something about a node that ends in time, whatever it does with the signal. Rejects with
 * `unavailable` when it did not. When the time is up, `extensionMs` is asked once whether there is
 * more of it.
 */
async function withinTime<T>(
  patient: Pick<Clock, 'after'>,
  limitMs: number,
  closing: AbortSignal,
  node: Node,
  work: (node: Node, signal: AbortSignal) => Promise<T>,
  extensionMs: () => number,
): Promise<T> {
  let allowedMs = limitMs
  const after: Clock['after'] = (ms, late) => {
    let stop = patient.after(ms, () => {
      const moreMs = extensionMs()
      allowedMs += moreMs
      if (moreMs === 0) late()
      else stop = patient.after(moreMs, late)
    })
    return () => stop()
  }
  const late = () => unavailable(`${nameOf(node)} did not answer within ${allowedMs} ms.`)
  return await withDeadline({ clock: { after }, ms: limitMs, late, signal: closing }, (over) =>
    work(node, over),
  )
}

/** A node as settings name it. */
export function nameOf({ host, port }: Node): string {
  return `${host}:${port}`
}
