/**
 * Who may ask, and how much: an entry for each address of this host's instances, and one for the
 * host itself.
 *
 * A source above its limit gets no reply. So one instance cannot use up the resolver, or the
 * upstream servers, for all others.
 */
import type { Clock } from '../../lib/clock.ts'
import { createPlaces, type Places } from '../../lib/per-source.ts'
import { type BucketLimits, createTokenBucket, type TokenBucket } from '../../lib/token-bucket.ts'
import { type Ipv4, ipv4ToNumber } from '../../model/addr.ts'

export interface SourceLimits {
  /**
   * The same limit as EC2's for each network interface (VPC user guide, "DNS quotas": 1024
   * packets a second).
   */
  readonly queriesPerSecond: number
  /**
   * Questions that are forwarded: of one source, and of all. Each costs as much time as 50 answers
   * of our own, and an entry in the host's connection table for half a minute.
   */
  readonly questionsPerSecond: number
  readonly questionsPerSecondOfAll: number
  /** Questions to upstream servers that may be under way: of all sources, and of one. */
  readonly maxOutstanding: number
  readonly maxOutstandingPerSource: number
  readonly maxConnections: number
  readonly maxConnectionsPerSource: number
}

/** Every source may forward so many a second, however many sources there are. */
const LEAST_QUESTIONS = 10
/** Enough for a web page. A burst as large as a second's share would delay all others. */
const QUESTION_BURST = 20
/**
 * When the service has just begun, it reads what sources have asked while it was started again, as
 * if it came at once: their questions of this time.
 */
const ASKED_BEFORE_MS = 2_000
/** For how long after its beginning. */
const BEGINNING_MS = 10_000

/** What all sources share. */
interface Shared {
  /** Limit of one source's questions. It changes with the number of sources, and with time. */
  readonly questions: BucketLimits & { perSecond: number }
  readonly waiting: Places<Source>
  readonly connections: Places<Source>
}

/** An instance address that may ask. */
export class Source {
  readonly #clock: Clock
  readonly #shared: Shared
  readonly #queries: TokenBucket
  readonly #questions: TokenBucket

  constructor({ queriesPerSecond }: SourceLimits, clock: Clock, shared: Shared) {
    this.#clock = clock
    this.#shared = shared
    // A burst may be as large as one second's share.
    this.#queries = createTokenBucket(
      { burst: queriesPerSecond, perSecond: queriesPerSecond },
      clock.monotonic(),
    )
    this.#questions = createTokenBucket(shared.questions, clock.monotonic())
  }

  /** Counts one query of the source. False when it is above its limit. */
  takeQuery(): boolean {
    return this.#queries.take(this.#clock.monotonic())
  }

  /**
   * Reserves a place for a question that is forwarded. The caller returns it with `doneWaiting`.
   */
  startWaiting(): boolean {
    if (!this.#questions.take(this.#clock.monotonic())) return false
    return this.#shared.waiting.take(this)
  }

  doneWaiting(): void {
    this.#shared.waiting.give(this)
  }

  /** Reserves a TCP connection. The caller returns it with `disconnected`. */
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
  /** By `ipv4ToNumber`. */
  #known = new Map<number, Source>()

  constructor(limits: SourceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    const usualFromMs = clock.monotonic() + BEGINNING_MS
    this.#shared = {
      questions: {
        perSecond: 0,
        get burst() {
          return clock.monotonic() < usualFromMs
            ? (this.perSecond * ASKED_BEFORE_MS) / 1000
            : Math.min(QUESTION_BURST, this.perSecond)
        },
      },
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

  /**
   * Only these addresses may ask from now on. Those that stay keep what they have used of their
   * limits.
   */
  replace(addresses: readonly Ipv4[]): void {
    const { questionsPerSecond, questionsPerSecondOfAll } = this.#limits
    const share = questionsPerSecondOfAll / Math.max(1, addresses.length)
    const { questions } = this.#shared
    questions.perSecond = Math.max(LEAST_QUESTIONS, Math.min(questionsPerSecond, share))
    const known = this.#known
    const create = () => new Source(this.#limits, this.#clock, this.#shared)
    this.#known = new Map(
      addresses.map(ipv4ToNumber).map((one) => [one, known.get(one) ?? create()]),
    )
  }

  /** The source with this address (`ipv4ToNumber`). */
  find(address: number): Source | undefined {
    return this.#known.get(address)
  }
}
