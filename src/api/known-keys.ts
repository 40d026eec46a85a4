/**
 * Checks whether an access key exists, before anything expensive is done for a request that names
 * it.
 *
 * This authenticates nobody; that happens afterwards. It only keeps strangers from having bodies
 * read and the database queried at will. Keys that were authenticated are remembered for a while,
 * unknown ones for a moment, and lookups are limited, for each address and in all.
 */

import { createBoundedMap } from '../lib/bounded-map.ts'
import type { Clock } from '../lib/clock.ts'
import { createRates } from '../lib/per-source.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'
import { refused } from '../model/errors.ts'

export interface KnownKeys {
  /**
   * Whether there is such a key. Refuses with `RequestLimitExceeded` when too many unknown ones are
   * asked for.
   */
  exists(id: string, remote: string): Promise<boolean>
  /** A request was proved to be of this key. */
  proved(id: string): void
}

const KNOWN_MS = 600_000
const UNKNOWN_MS = 1_000
/** Keys that are remembered, of each kind. */
const KEYS_LIMIT = 4_096
/** Look-ups of keys that are not known, of one address and of all. */
const LOOKUPS_OF_ONE = { burst: 50, perSecond: 10 }
const LOOKUPS = { burst: 400, perSecond: 100 }
const ADDRESSES_LIMIT = 4_096

/** Nothing is known yet. `find` asks the records. */
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
