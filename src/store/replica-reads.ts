/**
 * The records as a host uses them: there from the first moment, whatever the engine does.
 *
 * The engine is opened and made ready in the background and tried again until it works, so that a
 * daemon can start, and bring its instances back from its ledger, while every shared engine is
 * away. Until then, and whenever the engine does not answer, writes are `unavailable` at once.
 * Reads that only inform may be answered from the replica (`InformedStore`), and then say of what
 * time they are.
 */
import type { Clock } from '../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, retry } from '../lib/retry.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import type { Replica } from './replica.ts'
import type { ReadTx, Store } from './store.ts'

export interface SteadyStore extends Store {
  /**
   * Resolves when the engine was ready for the first time, rejects when the store is closed before
   * that.
   */
  readonly ready: Promise<void>
}

const PAUSES: Backoff = { firstMs: 200, lastMs: 5_000 }
/** How long a read may wait for the engine before the replica answers instead... */
const PATIENCE_MS = 400
/**
 * ...and when the replica cannot answer it: a cluster stands still for some seconds while it agrees
 * that a member is gone.
 */
const LONGEST_WAIT_MS = 5_000
/** How much longer both may become where this process itself is slow. */
const LONGEST_STRETCH = 1.25
/** Between two looks whether an engine that was away answers again. */
const LOOK_PAUSE_MS = 250

/**
 * Opens the engine in the background.
 *
 * @param open gives an engine that is ready: migrated, and with the records that every cloud begins
 *   with
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
    const again = (error: unknown) => {
      log.warn({ error }, 'the record store is not ready; it is tried again')
      return true
    }
    engine = await retry({ clock, signal: ending.signal, backoff: PAUSES, again }, open)
    opened.resolve()
  }

  const trying = keepTrying().catch((error: unknown) => opened.reject(error))
  const ready = (): Store => {
    if (engine === null) throw unavailable('The record store is not available at the moment.')
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

/** What was read, and how old it may be. */
interface Dated<T> {
  readonly value: T
  /**
   * Of what time (ISO 8601) the replica was that was read; null when it was the records themselves.
   */
  readonly asOf: string | null
}

/** The records for those who only want to know. */
export interface InformedStore extends Omit<Store, 'read'> {
  /**
   * Reads the latest records there are (`ReadOptions`). When they do not come soon, `work` is run
   * on the replica: what it gives then may be old, but has all that this host itself has written.
   * `work` may go on after somebody was answered. It is told the age of what it reads as well: what
   * it refuses by old records is as old.
   */
  read<T>(
    work: (tx: ReadTx, asOf: Dated<T>['asOf']) => Promise<T>,
    options?: InformedOptions,
  ): Promise<Dated<T>>
}

interface InformedOptions {
  /**
   * False: the replica does not answer. The read waits for the records, and is `unavailable` in the
   * end. True unless told.
   */
  readonly mayBeOld?: boolean
}

/**
 * A store whose reads are answered from the replica when the engine does not answer, soon. Once a
 * read has waited in vain, the next ones do not wait at all, until a look in the background finds
 * that the engine answers again.
 */
export function withReplica(store: Store, replica: Replica, clock: Clock): InformedStore {
  const ending = new AbortController()
  let isAway = false
  const latest = <T>(work: (tx: ReadTx) => Promise<T>) => store.read(work, { sees: 'latest' })

  async function lookUntilItAnswers(): Promise<void> {
    if (isAway) return
    isAway = true
    while (isAway) {
      await clock.sleep(LOOK_PAUSE_MS, ending.signal)
      await within(PATIENCE_MS, async () => {
        await latest(async (tx) => tx.accounts())
        isAway = false
      }).catch(() => undefined)
    }
  }

  const within = createWithin(clock)

  async function read<T>(
    work: (tx: ReadTx, asOf: string | null) => Promise<T>,
    { mayBeOld = true }: InformedOptions = {},
  ): Promise<Dated<T>> {
    const hasCopy = mayBeOld && replica.asOf() !== null
    const now = () => latest((tx) => work(tx, null))
    if (!hasCopy) return dated(await within(LONGEST_WAIT_MS, now))
    if (!isAway) {
      try {
        return dated(await within(PATIENCE_MS, now))
      } catch (error) {
        if (!isUnavailable(error)) throw error
        lookUntilItAnswers().catch(() => undefined)
      }
    }
    // Before it is read: a newer copy may take its place meanwhile, and is then said to be older.
    const asOf = replica.asOf()
    return { value: await replica.read((tx) => work(tx, asOf)), asOf }
  }

  return {
    migrate: () => store.migrate(),
    change: (work) => store.change(work),
    claim: (work) => store.claim(work),
    single: (work) => store.single(work),
    read,
    async close() {
      ending.abort()
      await store.close()
    },
  }
}

/** What was read of the records themselves. */
function dated<T>(value: T): Dated<T> {
  return { value, asOf: null }
}

/** Waits for work so long, and rejects with `unavailable` then. */
function createWithin(systems: Clock) {
  const clock = loadTolerantClock(systems, LONGEST_STRETCH)
  const late = () => unavailable('The record store takes too long.')
  return <T>(ms: number, work: () => Promise<T>): Promise<T> =>
    withDeadline({ clock, ms, late }, work)
}

/** A store whose every answer is the truth: one that needs no replica. */
export function withoutReplica(store: Store): InformedStore {
  return {
    ...store,
    read: async (work) => dated(await store.read((tx) => work(tx, null), { sees: 'latest' })),
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AtollError && error.kind === 'unavailable'
}
