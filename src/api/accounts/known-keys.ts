/**
 * Checks whether an access key exists before anything expensive is done for a request.
 *
 * This does not authenticate; that happens later. It only prevents unauthenticated clients from
 * having bodies read and the database queried at will. Authenticated keys are remembered for a
 * while, unknown ones for a moment, and lookups are limited, for each address and in total.
 */

import { createBoundedMap } from '../../lib/bounded-map.ts'
import type { Clock } from '../../lib/clock.ts'
import { createRates } from '../../lib/per-source.ts'
import { createTokenBucket } from '../../lib/token-bucket.ts'
import { refused } from '../../model/errors.ts'

export interface KnownKeys {
  /**
   * Whether the key exists. Refuses with `RequestLimitExceeded` after too many lookups of unknown
   * keys.
   */
  exists(id: string, remote: string): Promise<boolean>
  /** A request with this key was authenticated. */
  proved(id: string): void
}

const KNOWN_MS = 600_000
const UNKNOWN_MS = 1_000
/** Number of remembered keys of each kind. */
const KEYS_LIMIT = 4_096
/** Lookups of unknown keys: of one address, and in total. */
const LOOKUPS_OF_ONE = { burst: 50, perSecond: 10 }
const LOOKUPS = { burst: 400, perSecond: 100 }
const ADDRESSES_LIMIT = 4_096

/** Nothing is known at first. `find` reads the records. */
export function createKnownKeys(
  find: (id: string) => Promise<unknown>,
  clock: Pick<Clock, 'monotonic'>,
): KnownKeys {
  const known = createBoundedMap<string, number>(KEYS_LIMIT)
  const unknown = createBoundedMap<string, number>(KEYS_LIMIT)
  const lookups = createTokenBucket(LOOKUPS, clock.monotonic())
  const mayAsk = createRates<string>(LOOKUPS_OF_ONE, ADDRESSES_LIMIT)

  function mayLookUp(remote: string, nowMs: number): boolean {
    return mayAsk(remote, nowMs) && lookups.take(nowMs)
  }

  return {
    async exists(id, remote) {
      const nowMs = clock.monotonic()
      if ((known.get(id) ?? 0) > nowMs) return true
      if ((unknown.get(id) ?? 0) > nowMs) return false
      if (!mayLookUp(remote, nowMs)) {
        throw refused(
          'RequestLimitExceeded',
          'Request limit exceeded: too many requests with access keys that do not exist',
        )
      }
      const found = (await find(id)) !== undefined
      const until = clock.monotonic() + (found ? KNOWN_MS : UNKNOWN_MS)
      if (found) known.set(id, until)
      else unknown.set(id, until)
      return found
    },
    proved: (id) => known.set(id, clock.monotonic() + KNOWN_MS),
  }
}
