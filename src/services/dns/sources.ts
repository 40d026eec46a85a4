/**
 * Who may ask, and how much: one entry for each address of this host's instances, for the host itself, and for nobody else.
 *
 * A source that asks too fast is not answered beyond its share, so that one instance cannot take the resolver, or the forwarders,
 * away from the others.
 */
import type { Clock } from '../../lib/clock.ts'
import { createTokenBucket, type TokenBucket } from '../../lib/token-bucket.ts'

export interface SourceLimits {
  /** As EC2's resolver allows for each network interface (VPC user guide, "DNS quotas": 1024 packets a second). */
  readonly queriesPerSecond: number
  /** Questions to other resolvers that one source may wait for. */
  readonly maxOutstandingPerSource: number
  readonly maxConnectionsPerSource: number
}

/** One instance address that may ask. */
export class Source {
  readonly #limits: SourceLimits
  readonly #clock: Clock
  readonly #queries: TokenBucket
  #outstanding = 0
  #connections = 0

  constructor(limits: SourceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    const { queriesPerSecond } = limits
    // One second's worth may come at once.
    this.#queries = createTokenBucket(
      { burst: queriesPerSecond, perSecond: queriesPerSecond },
      clock.monotonic(),
    )
  }

  /** Takes one query out of the source's share; false when there is none left. */
  takeQuery(): boolean {
    return this.#queries.take(this.#clock.monotonic())
  }

  /** Claims a place among the waiting; the caller gives it back by `doneWaiting`. */
  startWaiting(): boolean {
    if (this.#outstanding >= this.#limits.maxOutstandingPerSource) return false
    this.#outstanding += 1
    return true
  }

  doneWaiting(): void {
    this.#outstanding -= 1
  }

  /** Claims a TCP connection; the caller gives it back by `disconnected`. */
  connect(): boolean {
    if (this.#connections >= this.#limits.maxConnectionsPerSource) return false
    this.#connections += 1
    return true
  }

  disconnected(): void {
    this.#connections -= 1
  }
}

/** The sources of this host. */
export class Sources {
  readonly #limits: SourceLimits
  readonly #clock: Clock
  #known = new Map<string, Source>()

  constructor(limits: SourceLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Exactly these addresses may ask from now on; those that stay keep what they have used up. */
  replace(addresses: readonly string[]): void {
    const known = this.#known
    const create = () => new Source(this.#limits, this.#clock)
    this.#known = new Map(addresses.map((one) => [one, known.get(one) ?? create()]))
  }

  find(address: string): Source | undefined {
    return this.#known.get(address)
  }
}
