/**
 * Which node of the cluster is used: the first of the list that is well.
 *
 * All hosts have the same list, so that in quiet times all of them write to the same node and conflicts between nodes are rare.
 * A node is left when a look at it fails; the others are looked at anew, all at once, because what was known of them may
 * be old. Nodes that are away are looked at in the background, at first often, then once a second. A preferred node is taken back
 * when it has been well for a while, which grows if it disappoints again soon; at once when there is no other. While all are away, whoever asks is told so
 * immediately. Nothing here knows SQL: what a look is, the caller says.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { unavailable } from '../../model/errors.ts'
import { EngineError } from '../dialects.ts'
import { patience } from './patience.ts'

/** A look that takes longer has failed, where somebody waits for it... */
export const LOOK_TIMEOUT_MS = 600
/** ...and where nobody does, because the node is away already. */
const WATCH_TIMEOUT_MS = 3000
/** The pause between two looks at a node that is away: it doubles from the first to the last. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 1000
/** How long a node must be well before it is preferred to another one that works... */
const FIRST_PROBATION_MS = 1000
/** ...doubled each time that it is left within this time after its return... */
const TRUST_MS = 60_000
/** ...but not longer than this. */
const LONGEST_PROBATION_MS = 60_000

/** An engine's node. */
export interface Node {
  readonly host: string
  readonly port: number
}

/** Resolves when the node is well and can serve everybody; rejects when it is not, or when the signal says that it took too long. */
export type Look = (node: Node, signal: AbortSignal) => Promise<void>

type State =
  /** Nobody knows; a look is under way. */
  | { readonly kind: 'unknown'; readonly known: Promise<void> }
  | { readonly kind: 'well' }
  | { readonly kind: 'away'; readonly reason: unknown }

interface Entry {
  readonly node: Node
  state: State
  /** The look under way, for those that come while it lasts. */
  looking: Promise<'well' | 'away'> | undefined
  /** Whether somebody looks at it in the background. */
  watched: boolean
  probationMs: number
  /** When it came back last, on the monotonic clock. */
  returnedMs: number
}

/** The ordered list of nodes, and what is known of each. Nothing is known before `start`. */
export class Nodes {
  readonly #entries: readonly Entry[]
  readonly #look: Look
  readonly #left: (node: Node, reason: unknown) => void
  readonly #clock: Clock
  readonly #log: Log
  readonly #closing = new AbortController()
  #inUse: Node | undefined

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
    this.#log = options.log
    this.#entries = options.nodes.map((node) => ({
      node,
      state: { kind: 'well' },
      looking: undefined,
      watched: false,
      probationMs: FIRST_PROBATION_MS,
      returnedMs: Number.NEGATIVE_INFINITY,
    }))
  }

  /** Looks at all nodes at once. */
  start(): void {
    for (const entry of this.#entries) this.#doubt(entry)
  }

  /** The node to use. Rejects with an `EngineError` `away` when there is none, after `LOOK_TIMEOUT_MS` at the latest. */
  async choose(): Promise<Node> {
    for (let entry = this.#first(); entry !== undefined; entry = this.#first()) {
      if (entry.state.kind === 'unknown') {
        await entry.state.known
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

  /** Looks at a node that keeps somebody waiting; leaves it if it is not well. Those that ask together share one look. */
  async check(node: Node): Promise<'well' | 'away'> {
    const entry = this.#entries.find((one) => one.node === node)
    return entry === undefined || entry.state.kind === 'away' ? 'away' : this.#lookAt(entry)
  }

  /** Says that a node cannot be used. */
  leave(node: Node, reason: unknown): void {
    const entry = this.#entries.find((one) => one.node === node)
    if (entry !== undefined) this.#setAway(entry, reason)
  }

  /** Ends all looking. */
  close(): void {
    this.#closing.abort(new Error('the record store is closed'))
  }

  #first(): Entry | undefined {
    return this.#entries.find(({ state }) => state.kind !== 'away')
  }

  #lookAt(entry: Entry, limitMs = LOOK_TIMEOUT_MS): Promise<'well' | 'away'> {
    entry.looking ??= this.#lookOnce(entry, limitMs).finally(() => {
      entry.looking = undefined
    })
    return entry.looking
  }

  async #lookOnce(entry: Entry, limitMs: number): Promise<'well' | 'away'> {
    try {
      await withinTime(limitMs, this.#closing.signal, entry.node, this.#look)
      return 'well'
    } catch (error) {
      this.#setAway(entry, error)
      return 'away'
    }
  }

  #setAway(entry: Entry, reason: unknown): void {
    const before = entry.state.kind
    entry.state = { kind: 'away', reason }
    if (before === 'away' || this.#closing.signal.aborted) return
    this.#log.warn(
      { node: nameOf(entry.node), error: reason },
      'a node of the record store is away',
    )
    this.#left(entry.node, reason)
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
    let pauseMs = FIRST_PAUSE_MS
    let wellSinceMs: number | undefined
    while (entry.state.kind === 'away') {
      await this.#clock.sleep(pauseMs, this.#closing.signal).catch(() => {})
      if (this.#closing.signal.aborted) return
      pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2)
      const found = await this.#lookAt(entry, WATCH_TIMEOUT_MS)
      const nowMs = this.#clock.monotonic()
      wellSinceMs = found === 'well' ? (wellSinceMs ?? nowMs) : undefined
      if (wellSinceMs === undefined) continue
      const isPatient = this.#entries.some(({ state }) => state.kind === 'well')
      if (isPatient && nowMs - wellSinceMs < entry.probationMs) continue
      entry.state = { kind: 'well' }
      entry.returnedMs = nowMs
      this.#log.info({ node: nameOf(entry.node) }, 'a node of the record store is well again')
    }
    entry.watched = false
  }
}

function reasonOf({ state }: Entry): unknown {
  return state.kind === 'away' ? state.reason : undefined
}

function isThere(value: unknown): boolean {
  return value !== undefined
}

/** Something about a node that ends in time, whatever it does with the signal. Rejects with `unavailable` when it did not. */
export async function withinTime<T>(
  limitMs: number,
  closing: AbortSignal,
  node: Node,
  work: (node: Node, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const late = Promise.withResolvers<never>()
  const giveUp = (reason: unknown) => {
    over.abort(reason)
    late.reject(reason)
  }
  const close = () => giveUp(closing.reason)
  const stop = patience(limitMs, () =>
    giveUp(unavailable(`${nameOf(node)} did not answer within ${limitMs} ms.`)),
  )
  closing.addEventListener('abort', close, { once: true })
  try {
    return await Promise.race([work(node, over.signal), late.promise])
  } finally {
    stop()
    closing.removeEventListener('abort', close)
  }
}

/** A node as settings name it. */
export function nameOf({ host, port }: Node): string {
  return `${host}:${port}`
}
