/**
 * The records of a host whose engine may be unavailable when the daemon starts.
 *
 * The engine is opened in the background, again and again until it works. So a daemon starts, and
 * starts its instances from its ledger, while the database is down. Until then every call is
 * `unavailable` at once.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, retry } from '../lib/retry.ts'
import { unavailable } from '../model/errors.ts'
import type { Store } from './store.ts'

/** A store that can be called from the first moment. */
export interface BackgroundStore extends Store {
  /**
   * Resolves when the engine was ready for the first time, rejects when the store is closed before
   * that.
   */
  readonly ready: Promise<void>
}

const PAUSES: Backoff = { firstMs: 200, lastMs: 5_000 }

/**
 * Opens the engine in the background.
 *
 * @param open returns a ready engine: migrated, and with the first records of every cloud
 */
export function openInBackground(options: {
  readonly open: () => Promise<Store>
  readonly clock: Clock
  readonly log: Log
}): BackgroundStore {
  const { open, clock, log } = options
  const ending = new AbortController()
  const opened = Promise.withResolvers<void>()
  // Nobody may be waiting for it.
  opened.promise.catch(() => undefined)
  let engine: Store | null = null
  let trouble: unknown

  async function keepTrying(): Promise<void> {
    const again = (error: unknown) => {
      trouble = error
      log.warn({ error }, 'the database is not ready; trying again')
      return true
    }
    engine = await retry({ clock, signal: ending.signal, backoff: PAUSES, again }, open)
    opened.resolve()
  }

  const trying = keepTrying().catch((error: unknown) => opened.reject(error))
  const ready = (): Store => {
    if (engine === null) throw unavailable('The database is unavailable; try again.', trouble)
    return engine
  }
  return {
    ready: opened.promise,
    migrate: async () => ready().migrate(),
    change: async (work) => ready().change(work),
    claim: async (work) => ready().claim(work),
    single: async (work) => ready().single(work),
    read: async (work, options) => ready().read(work, options),
    async close() {
      ending.abort()
      await trying
      await engine?.close()
    },
  }
}
