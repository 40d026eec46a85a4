/**
 * Limits the bytes of request bodies that are received at the same time, for each address and in
 * total.
 */
import { createTally } from '../../lib/per-source.ts'

export interface BodyLimits {
  /** Largest request body in bytes. A body without a stated length counts as this large. */
  readonly bodyBytes: number
  /** Bytes of all bodies that are being received. */
  readonly receivedBytes: number
  /** The same for one address. */
  readonly receivedBytesOfOne: number
}

export interface BodyLimiter {
  /**
   * Reserves space for a body. Null when there is none. The returned function releases it, once.
   */
  take(remote: string, length: string | undefined): (() => void) | null
}

/** Nothing is being received at first. */
export function createBodyLimiter(limits: BodyLimits): BodyLimiter {
  const received = createTally<string>()
  return {
    take(remote, length) {
      const stated = length === undefined ? limits.bodyBytes : Number(length)
      // A longer body is refused before it is read.
      const bytes = Math.min(Number.isNaN(stated) ? limits.bodyBytes : stated, limits.bodyBytes)
      const isTooMuch =
        received.all() + bytes > limits.receivedBytes ||
        received.of(remote) + bytes > limits.receivedBytesOfOne
      return isTooMuch ? null : received.hold(remote, bytes)
    },
  }
}
