/** Limits how many bytes of request bodies are received at once, for each address and in all. */
import { createTally } from '../../lib/per-source.ts'

export interface BodyLimits {
  /** Largest request body, in bytes: what a body that does not tell its length counts for. */
  readonly bodyBytes: number
  /** Bytes of all bodies that are being received. */
  readonly receivedBytes: number
  /** The same, of one address. */
  readonly receivedBytesOfOne: number
}

export interface BodyLimiter {
  /** Takes room for a body; null when there is none. What is returned gives it back, once. */
  take(remote: string, length: string | undefined): (() => void) | null
}

/** Nothing is being received. */
export function createBodyLimiter(limits: BodyLimits): BodyLimiter {
  const received = createTally<string>()
  return {
    take(remote, length) {
      const stated = length === undefined ? limits.bodyBytes : Number(length)
      // More than that is refused by whoever reads it, before it reads.
      const bytes = Math.min(Number.isNaN(stated) ? limits.bodyBytes : stated, limits.bodyBytes)
      const isTooMuch =
        received.all() + bytes > limits.receivedBytes ||
        received.of(remote) + bytes > limits.receivedBytesOfOne
      return isTooMuch ? null : received.hold(remote, bytes)
    },
  }
}
