/**
 * The records as a host uses them: there from the first moment, whatever the engine does.
 *
 * The engine is opened and made ready in the background and tried again until it works, so that a daemon can start, and bring its
 * instances back from its ledger, while every shared engine is away. Until then, and whenever the engine does not answer, writes are
 * `unavailable` at once. Reads that only inform may be answered from the replica (`informed`), and then say of what time they are.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import type { Replica } from './replica.ts'
import type { ReadTx, Store } from './store.ts'

export interface SteadyStore extends Store {
  /** Resolves when the engine was ready for the first time, rejects when the store is closed before that. */
  readonly ready: Promise<void>
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000
/** How long a read may wait for the engine before the replica answers instead. */
const PATIENCE_MS = 400
/** Between two looks whether an engine that was away answers again. */
const LOOK_PAUSE_MS = 250

/**
 * Opens the engine in the background.
 *
 * @param open gives an engine that is ready: migrated, and with the records that every cloud begins with
 */
export function openSteadyStore(options: {
  readonly open: () => Promise<Store>
  readonly clock: Clock
  readonly log: Log
}): SteadyStore {
  const { open, clock, log } = options
  const ending = new AbortController()
  const opened = Promise.withResolvers<void>()
  // Whoever does not wait for it is not to be told.
  opened.promise.catch(() => undefined)
  let engine: Store | null = null

  async function keepTrying(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        engine = await open()
        opened.resolve()
        return
      } catch (error) {
        log.warn({ error }, 'the record store is not ready; it is tried again')
      }
      await clock.sleep(pauseMs, ending.signal)
    }
  }

  const trying = keepTrying().catch((error: unknown) => opened.reject(error))
  const ready = (): Store => {
    if (engine === null) throw unavailable('The record store is not available at the moment.')
    return engine
  }
  return {
    ready: opened.promise,
    migrate: async () => ready().migrate(),
    transaction: async (work, options) => ready().transaction(work, options),
    single: async (work) => ready().single(work),
    read: async (work) => ready().read(work),
    async close() {
      ending.abort()
      await trying
      await engine?.close()
    },
  }
}

/**
 * A store whose reads are answered from the replica when the engine does not answer, soon. Once a read has waited in vain, the next
 * ones do not wait at all, until a look in the background finds that the engine answers again.
 */
export function withReplica(store: Store, replica: Replica, clock: Clock): InformedStore {
  const ending = new AbortController()
  let staleSince: string | null = null
  let isAway = false

  async function lookUntilItAnswers(): Promise<void> {
    isAway = true
    while (isAway) {
      await clock.sleep(LOOK_PAUSE_MS, ending.signal)
      await withinPatience(async () => {
        await store.read(async (tx) => tx.accounts())
        isAway = false
      }).catch(() => undefined)
    }
  }

  async function withinPatience<T>(work: () => Promise<T>): Promise<T> {
    const done = new AbortController()
    try {
      return await Promise.race([
        work(),
        clock.sleep(PATIENCE_MS, done.signal).then(() => {
          throw unavailable('The record store takes too long.')
        }),
      ])
    } finally {
      done.abort()
    }
  }

  async function read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    if (!isAway || replica.asOf() === null) {
      try {
        const answer = await withinPatience(() => store.read(work))
        staleSince = null
        return answer
      } catch (error) {
        if (!(error instanceof AtollError && error.kind === 'unavailable')) throw error
        if (replica.asOf() === null) throw error
        if (!isAway) lookUntilItAnswers().catch(() => undefined)
      }
    }
    const answer = await replica.read(work)
    staleSince = replica.asOf()
    return answer
  }

  return {
    migrate: () => store.migrate(),
    transaction: (work, options) => store.transaction(work, options),
    single: (work) => store.single(work),
    read,
    staleSince: () => staleSince,
    async close() {
      ending.abort()
      await store.close()
    },
  }
}

/** A store whose every answer is the truth: one that needs no replica. */
export function withoutReplica(store: Store): InformedStore {
  return { ...store, staleSince: () => null }
}

export interface InformedStore extends Store {
  /** The time (ISO 8601) of the records that the last read was answered from, or null when they were the shared ones. */
  staleSince(): string | null
}
