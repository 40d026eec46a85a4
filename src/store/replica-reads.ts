/**
 * Reads that only inform a client: when the engine does not answer soon, the replica answers, and
 * the answer says of what time it is.
 */
import type { Clock } from '../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../lib/deadline.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import type { Replica } from './replica.ts'
import type { ReadTx, Store } from './store.ts'

/** How long a read waits for the engine before the replica answers. */
const PATIENCE_MS = 400
/**
 * How long it waits when the replica cannot answer: a cluster stops for some seconds while it
 * agrees that a member is gone.
 */
const LONGEST_WAIT_MS = 5_000
/** How much longer both may become while this process itself is slow. */
const LONGEST_STRETCH = 1.25
/** Pause between two checks whether an engine that was away answers again. */
const LOOK_PAUSE_MS = 250

/** What was read, and of what time. */
interface Dated<T> {
  readonly value: T
  /** The replica's time (ISO 8601); null when the records themselves were read. */
  readonly asOf: string | null
}

/** The records, for reads that only inform. */
export interface InformedStore extends Omit<Store, 'read'> {
  /**
   * Reads the latest records (`ReadOptions`). When they do not come soon, `work` runs on the
   * replica: its records may be old, but have everything that this host itself has written. `work`
   * is told the replica's time, too, because an error that it throws is of that time. It may still
   * run when the read has already been answered.
   */
  read<T>(
    work: (tx: ReadTx, asOf: Dated<T>['asOf']) => Promise<T>,
    options?: InformedOptions,
  ): Promise<Dated<T>>
}

interface InformedOptions {
  /**
   * False: never from the replica. The read waits for the records, and is `unavailable` in the end.
   * Default true.
   */
  readonly mayBeOld?: boolean
}

/**
 * A store whose reads are answered by the replica when the engine does not answer soon. Once a read
 * has waited in vain, the next ones do not wait, until a check in the background finds that the
 * engine answers again.
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
    // Taken first: if a newer copy replaces it during the read, the answer only claims to be older.
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

/** Read from the records themselves. */
function dated<T>(value: T): Dated<T> {
  return { value, asOf: null }
}

/** Runs work with a time limit; rejects with `unavailable` after it. */
function createWithin(systems: Clock) {
  const clock = loadTolerantClock(systems, LONGEST_STRETCH)
  const late = () => unavailable('The database takes too long; try again.')
  return <T>(ms: number, work: () => Promise<T>): Promise<T> =>
    withDeadline({ clock, ms, late }, work)
}

/** The store of a host that needs no replica. */
export function withoutReplica(store: Store): InformedStore {
  return {
    ...store,
    read: async (work) => dated(await store.read((tx) => work(tx, null), { sees: 'latest' })),
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AtollError && error.kind === 'unavailable'
}
