/**
 * How long an answer of a node may be waited for before it is doubted: reckoned from what its
 * answers took lately, as TCP reckons its retransmission timer (RFC 6298, section 2).
 *
 * A node that everybody keeps busy answers late. Were it doubted after a fixed time, everybody
 * would look at it by connections of their own, give it up, and connect anew, all of which makes it
 * later still.
 */

/**
 * Weights of the newest answer in the mean and in the deviation (RFC 6298, 2.3: alpha, beta and K).
 */
const ALPHA = 1 / 8
const BETA = 1 / 4
const DEVIATIONS = 4

/** What one node's answers take. */
export class Pace {
  #meanMs: number | undefined
  #deviationMs = 0

  /** An answer came after so long. */
  answered(ms: number): void {
    if (this.#meanMs === undefined) {
      this.#meanMs = ms
      this.#deviationMs = ms / 2
      return
    }
    this.#deviationMs += BETA * (Math.abs(this.#meanMs - ms) - this.#deviationMs)
    this.#meanMs += ALPHA * (ms - this.#meanMs)
  }

  /**
   * An answer that takes longer is unusual: not less than `shortestMs` and not more than
   * `longestMs`.
   */
  patienceMs(shortestMs: number, longestMs: number): number {
    const usualMs = (this.#meanMs ?? 0) + DEVIATIONS * this.#deviationMs
    return Math.min(longestMs, Math.max(shortestMs, usualMs))
  }
}
