/**
 * Looks up images in the background, each once, and keeps the results for a while. It limits
 * concurrent lookups, in total and for one account.
 *
 * All drivers use it for their images, and `workloads/` for images that are made from instances.
 * The caller says what a lookup does.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createLimit, type Limit } from '../lib/queue.ts'
import { throttle } from '../lib/throttle.ts'
import { AtollError, messageOf, unavailable } from '../model/errors.ts'
import type { ImageFindings, ImageWant } from '../model/want.ts'
import type { ImageStatus } from '../plan/workloads.ts'
import type { Images } from '../workloads/driver.ts'

interface LookupsOptions<Want extends ImageWant> {
  readonly clock: Clock
  readonly log: Log
  /**
   * Gets the image; may take long. `progress` gets a short sentence whenever there is news. Rejects
   * with the sentence to show when the image is unavailable: `refused` when that is the image's
   * fault.
   */
  readonly find: (
    want: Want,
    progress: (message: string) => void,
    signal: AbortSignal,
  ) => Promise<ImageFindings>
}

interface Looks<Want extends ImageWant> extends Omit<Images, 'look'> {
  /** Like `Images.look`. */
  look(want: Want): ImageStatus
  /** Forgets this content, which is gone. */
  forget(digest: string): void
}

/** Maximum number of results that are kept, here and by callers that keep more of them. */
export const LOOKUPS_REMEMBERED = 1_000
/** A failed lookup is repeated after this time, and not earlier. */
const FAILED_FOR_MS = 10_000
/** Progress is reported at most this often. */
const PROGRESS_EVERY_MS = 1_000

/** Nothing is known at first. `close` resolves when no lookup is under way. */
export function createLookups<Want extends ImageWant>({
  clock,
  log,
  find,
}: LookupsOptions<Want>): Looks<Want> {
  const looks = new LRUCache<string, Look>({ max: LOOKUPS_REMEMBERED })
  const listeners = new Set<() => void>()
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()
  const changed = () => {
    for (const listener of listeners) listener()
  }

  async function work(want: Want, look: Look): Promise<void> {
    const told = throttle(changed, () => PROGRESS_EVERY_MS, clock)
    const progress = (message: string) => {
      look.now = { kind: 'working', message }
      told.call()
    }
    try {
      const found = await find(want, progress, closing.signal)
      look.now = { kind: 'ready', ...found }
      log.info({ image: want.id, location: want.location, digest: found.digest }, 'image ready')
    } catch (error) {
      if (closing.signal.aborted) return
      const permanent = error instanceof AtollError && error.kind === 'refused'
      look.now = { kind: 'failed', message: messageOf(error), permanent }
      look.failedAt = clock.monotonic()
      log.warn({ image: want.id, location: want.location, error }, 'image failed')
    } finally {
      told.close()
    }
    changed()
  }

  return {
    look(want) {
      // Without a digest the result is only for this image: the same location may contain something
      // else by now.
      const key = `${want.location} ${want.digest ?? want.id}`
      const known = looks.get(key)
      const old = known?.now.kind === 'failed' && clock.monotonic() - known.failedAt > FAILED_FOR_MS
      if (known !== undefined && !old) return known.now
      const look: Look = { now: { kind: 'working', message: 'Looking' }, failedAt: 0 }
      looks.set(key, look)
      const working = work(want, look).finally(() => underWay.delete(working))
      underWay.add(working)
      return look.now
    },
    forget(digest) {
      for (const [key, { now }] of looks.entries())
        if (now.kind === 'ready' && now.digest === digest) looks.delete(key)
    },
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      closing.abort()
      await Promise.all(underWay)
    },
  }
}

interface Look {
  now: ImageStatus
  failedAt: number
}

/** Maximum number of waiting lookups of one account. Further ones are refused. */
const WAITING_OF_ONE = 100

/**
 * At most `places` images at once, at most `ofOne` of one account, and never two with the same key.
 */
export function createAccountLimit(places: number, ofOne: number): Limit {
  const full = () => unavailable(`${WAITING_OF_ONE} images of this account are waiting already`)
  return createLimit({ places, ofOne, waitingOfOne: { count: WAITING_OF_ONE, full } })
}
