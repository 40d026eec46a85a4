/**
 * What was found out the last time that somebody looked at what changes by itself, and takes time
 * to look at.
 */
import type { Clock } from './clock.ts'

/** One look at a time; between looks the last answer counts. */
export interface LastLook<Found> {
  /** The last answer; null: none yet. */
  last(): Found | null
  /** The same, and begins a look when the last one is old. Never waits. */
  known(): Found | null
  /** Looks now. A look that has begun already counts. */
  lookNow(): Promise<Found>
  /** Looks from now on. */
  lookAnew(): Promise<Found>
}

/** Nothing is looked at before the first call. */
export function createLastLook<Found>(parts: {
  /** Never rejects. */
  readonly look: () => Promise<Found>
  /** For how long such an answer counts. */
  readonly ageMs: (found: Found) => number
  /** Hears of each answer, with the one before it; null: there was none. */
  readonly heard: (found: Found, before: Found | null) => void
  readonly clock: Pick<Clock, 'monotonic'>
}): LastLook<Found> {
  const { look, ageMs, heard, clock } = parts
  let found: Found | null = null
  let lookedMs = Number.NEGATIVE_INFINITY
  let looking: Promise<Found> | null = null

  async function lookOnce(): Promise<Found> {
    const now = await look()
    heard(now, found)
    found = now
    lookedMs = clock.monotonic()
    looking = null
    return now
  }

  function lookNow(): Promise<Found> {
    looking ??= lookOnce()
    return looking
  }

  return {
    last: () => found,
    known() {
      if (found === null || clock.monotonic() - lookedMs > ageMs(found)) void lookNow()
      return found
    },
    lookNow,
    async lookAnew() {
      await looking
      return await lookNow()
    },
  }
}
