/**
 * What is known of the images that were asked for: each is looked up once, in the background, and
 * the outcome is kept for a while. A limit of lookups at once, in all and for one account.
 *
 * All drivers use it for their images, and `workloads/` for images that are made of instances. What
 * a lookup does is the caller's.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createLimit, type Limit } from '../lib/queue.ts'
import { throttle } from '../lib/throttle.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import type { ImageFindings, ImageWant } from '../model/want.ts'
import type { ImageLook } from '../plan/workloads.ts'
import type { Images } from '../workloads/driver.ts'

interface LooksOptions<Want extends ImageWant> {
  readonly clock: Clock
  readonly log: Log
  /**
   * Gets the image, however long it takes. `progress` is told a short sentence as often as there is
   * news. Rejects with the sentence that is to be shown when the image cannot be had.
   */
  readonly find: (
    want: Want,
    progress: (message: string) => void,
    signal: AbortSignal,
  ) => Promise<ImageFindings>
}

interface Looks<Want extends ImageWant> extends Omit<Images, 'look'> {
  /** As `Images.look`. */
  look(want: Want): ImageLook
  /** Drops what is known of this content: it turned out to be gone. */
  forget(digest: string): void
}

/** Looks remembered at most, here and by whoever keeps more of them. */
export const LOOKS_REMEMBERED = 1_000
/** A failed look is repeated after this long, and not before. */
const FAILED_FOR_MS = 10_000
/** Progress is told at most this often. */
const PROGRESS_EVERY_MS = 1_000

/** An empty memory. `close` resolves once no look is under way. */
export function createLooks<Want extends ImageWant>({
  clock,
  log,
  find,
}: LooksOptions<Want>): Looks<Want> {
  const looks = new LRUCache<string, Look>({ max: LOOKS_REMEMBERED })
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
      look.now = { kind: 'failed', message: messageOf(error) }
      look.failedAt = clock.monotonic()
      log.warn({ image: want.id, location: want.location, error }, 'image failed')
    } finally {
      told.close()
    }
    changed()
  }

  return {
    look(want) {
      // Without a digest it is this image's own look: the same location may hold something else by
      // now.
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
  now: ImageLook
  failedAt: number
}

/** So many of one account may wait; more are refused. */
const WAITING_OF_ONE = 100

/**
 * At most `places` images at once, of one account at most `ofOne`, and never two with the same key.
 */
export function createAccountLimit(places: number, ofOne: number): Limit {
  const full = () =>
    unavailable(`${WAITING_OF_ONE} images of this account wait for their turn already`)
  return createLimit({ places, ofOne, waitingOfOne: { count: WAITING_OF_ONE, full } })
}
