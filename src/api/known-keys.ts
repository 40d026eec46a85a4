/**
 * Whether an access key exists, before anything else is paid for a request that names it.
 *
 * This proves nothing: whoever is to be served is authenticated afterwards, by records that are
 * read then. It only keeps strangers from having their bodies read and the records asked as often
 * as they like. A key that was proved is known for a while, so that its owner is not affected by
 * strangers; one that does not exist is remembered for a moment; and what is left to look up is
 * limited, for each address and in all.
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
