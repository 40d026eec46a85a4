/**
 * Refuses writes at once while a node commits nothing: its disk hangs, or the Galera cluster waits
 * for a member that cannot keep up (flow control,
 * https://github.com/mariadb-corporation/galera/issues/510). Such a node still answers reads and
 * checks.
 *
 * Otherwise each write would wait for its limit, and such writes would take all connections. One
 * write at a time goes on trying.
 */

/** Pause between a write that was given up and the next attempt. */
const ATTEMPT_PAUSE_MS = 1_000

/**
 * How a transaction that writes ended. `stuck`: the node did not answer it within the limit.
 * `other`: it says nothing about commits.
 */
export type WriteEnd = 'committed' | 'stuck' | 'other'

/** The writes of this process at one node. */
export class WriteGate {
  readonly #monotonic: () => number
  /** Transactions between `enter` and `leave`. */
  #count = 0
  /** When the last one was given up. Null: one was committed since. */
  #givenUpMs: number | null = null

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** Whether a transaction that writes may begin. Then `leave` must follow. */
  enter(): boolean {
    if (this.#givenUpMs !== null) {
      const mayTry = this.#monotonic() - this.#givenUpMs >= ATTEMPT_PAUSE_MS
      if (this.#count > 0 || !mayTry) return false
    }
    this.#count += 1
    return true
  }

  /** The transaction has ended. */
  leave(how: WriteEnd): void {
    this.#count -= 1
    if (how === 'committed') this.#givenUpMs = null
    if (how === 'stuck') this.#givenUpMs = this.#monotonic()
  }
}
