/**
 * Who may ask, and how much: one entry for each address of this host's instances, for the host
 * itself, and for nobody else.
 *
 * A source that asks too fast is not answered beyond its share, so that one instance cannot take
 * the resolver, or the forwarders, away from the others.
 */
import type { Clock } from '../../lib/clock.ts'
import { createPlaces, type Places } from '../../lib/per-source.ts'
import { createTokenBucket, type TokenBucket } from '../../lib/token-bucket.ts'

export interface SourceLimits {
  /**
   * As EC2's resolver allows for each network interface (VPC user guide, "DNS quotas": 1024 packets
   * a second).
   */
  readonly queriesPerSecond: number
  /** Questions to other resolvers that all sources, and one, may wait for. */
  readonly maxOutstanding: number
  readonly maxOutstandingPerSource: number
  readonly maxConnections: number
  readonly maxConnectionsPerSource: number
}

/**
 * Questions that go out, of one source and of all: each costs the one thread as much as 50 answers
 * of our own, and the host an entry of its connection table for half a minute.
 */
const QUESTIONS_OF_ONE = 50
const QUESTIONS_OF_ALL = 1000
const LEAST_QUESTIONS = 10
/** As a page of the web may want: a second's worth at once would hold everybody up. */
const QUESTION_BURST = 20

/** What all sources have in common. */
interface Shared {
  /** Of one source's questions; it changes with the number of sources. */
  readonly questions: { burst: number; perSecond: number }
  readonly waiting: Places<Source>
  readonly connections: Places<Source>
}

/** One instance address that may ask. */
export class Source {
  readonly #clock: Clock
  readonly #shared: Shared
  readonly #queries: TokenBucket
  readonly #questions: TokenBucket

  constructor({ queriesPerSecond }: SourceLimits, clock: Clock, shared: Shared) {
    this.#clock = clock
    this.#shared = shared
    // One second's worth may come at once.
    this.#queries = createTokenBucket(
      { burst: queriesPerSecond, perSecond: queriesPerSecond },
      clock.monotonic(),
    )
    this.#questions = createTokenBucket(shared.questions, clock.monotonic())
  }

  /** Takes one query out of the source's share; false when there is none left. */
  takeQuery(): boolean {
    return this.#queries.take(this.#clock.monotonic())
  }

  /**
   * Claims a place among the waiting, for a question that goes out; the caller gives it back by
   * `doneWaiting`.
   */
  startWaiting(): boolean {
    if (!this.#questions.take(this.#clock.monotonic())) return false
    return this.#shared.waiting.take(this)
  }

  doneWaiting(): void {
    this.#shared.waiting.give(this)
  }

  /** Claims a TCP connection; the caller gives it back by `disconnected`. */
  connect(): boolean {
    return this.#shared.connections.take(this)
  }

  disconnected(): void {
    this.#shared.connections.give(this)
  }
}

/** The sources of this host. */
export class Sources {
  readonly #limits: SourceLimits
  readonly #clock: Clock
  readonly #shared: Shared
  #known = new Map<string, Source>()

  constructor(limits: SourceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#shared = {
      questions: { burst: 0, perSecond: 0 },
      waiting: createPlaces({
        total: limits.maxOutstanding,
        limitOfOne: limits.maxOutstandingPerSource,
      }),
      connections: createPlaces({
        total: limits.maxConnections,
        limitOfOne: limits.maxConnectionsPerSource,
      }),
    }
  }

  /** Exactly these addresses may ask from now on; those that stay keep what they have used up. */
  replace(addresses: readonly string[]): void {
    const share = QUESTIONS_OF_ALL / Math.max(1, addresses.length)
    const { questions } = this.#shared
    questions.perSecond = Math.max(LEAST_QUESTIONS, Math.min(QUESTIONS_OF_ONE, share))
    questions.burst = Math.min(QUESTION_BURST, questions.perSecond)
    const known = this.#known
    const create = () => new Source(this.#limits, this.#clock, this.#shared)
    this.#known = new Map(addresses.map((one) => [one, known.get(one) ?? create()]))
  }

  find(address: string): Source | undefined {
    return this.#known.get(address)
  }
}
