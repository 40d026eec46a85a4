/**
 * How long to wait for a node's answer before checking the node. It is computed from the times of
 * recent answers, as TCP computes its retransmission timer (RFC 6298, section 2).
 *
 * A busy node answers late. With a fixed limit, all hosts would check it through further
 * connections, leave it and connect again, which would make it even slower.
 */

/**
 * Weights of the newest answer in the mean and in the deviation (RFC 6298, 2.3: alpha, beta and K).
 */
const ALPHA = 1 / 8
const BETA = 1 / 4
const DEVIATIONS = 4

/** The times of one node's answers. */
export class Pace {
  #meanMs: number | undefined
  #deviationMs = 0

  /** An answer took this long. */
  answered(ms: number): void {
    if (this.#meanMs === undefined) {
      this.#meanMs = ms
      this.#deviationMs = ms / 2
      return
    }
    this.#deviationMs += BETA * (Math.abs(this.#meanMs - ms) - this.#deviationMs)
    this.#meanMs += ALPHA * (ms - this.#meanMs)
  }

  /** A longer answer is unusual. The result is between `shortestMs` and `longestMs`. */
  patienceMs(shortestMs: number, longestMs: number): number {
    const usualMs = (this.#meanMs ?? 0) + DEVIATIONS * this.#deviationMs
    return Math.min(longestMs, Math.max(shortestMs, usualMs))
  }
}
