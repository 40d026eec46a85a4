/**
 * Reads that only inform a client: when the engine does not answer soon, the replica answers, and
 * the answer says of what time it is.
 */
import type { Clock } from '../lib/clock.ts'
import { loadTolerantClock, withDeadline } from '../lib/deadline.ts'
import { AtollError } from '../model/errors.ts'
import { LONGEST_STRETCH, PATIENCE_MS, takesTooLong, watchEngine } from './engine-watch.ts'
import type { Replica } from './replica.ts'
import type { ReadTx, Store } from './store.ts'

/**
 * How long a read waits for the engine when the replica cannot answer: a cluster stops for some
 * seconds while it agrees that a member is gone.
 */
const LONGEST_WAIT_MS = 5_000

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
  /**
   * Waits for a turn at the engine, and resolves with the function that ends it. Rejects with the
   * signal's reason when it aborts first. Absent: the read does not wait for a turn. One that the
   * replica answers at once needs none.
   */
  readonly turn?: (signal?: AbortSignal) => Promise<() => void>
}

/**
 * A store whose reads are answered by the replica when the engine does not answer soon. Once a read
 * has waited in vain, the next ones do not wait, until the engine has answered checks in the
 * background promptly (`watchEngine`).
 */
export function withReplica(store: Store, replica: Replica, clock: Clock): InformedStore {
  const ending = new AbortController()
  const latest = <T>(work: (tx: ReadTx) => Promise<T>) => store.read(work, { sees: 'latest' })
  const engine = watchEngine(() => latest(async (tx) => tx.accounts()), clock, ending.signal)
  const within = createWithin(clock)

  /** Before the turn ends: whoever waits for the next one must not wait for the engine as well. */
  async function patiently<T>(work: () => Promise<T>, away: AbortSignal): Promise<T> {
    try {
      return await within(PATIENCE_MS, work)
    } catch (error) {
      if (isUnavailable(error)) engine.isAway(away)
      throw error
    }
  }

  async function read<T>(
    work: (tx: ReadTx, asOf: string | null) => Promise<T>,
    { mayBeOld = true, turn }: InformedOptions = {},
  ): Promise<Dated<T>> {
    const hasCopy = mayBeOld && replica.asOf() !== null
    const now = () => latest((tx) => work(tx, null))
    if (!hasCopy) return dated(await inTurn(turn, () => within(LONGEST_WAIT_MS, now)))
    const { away } = engine
    if (!away.aborted) {
      try {
        return dated(await inTurn(turn, () => patiently(now, away), away))
      } catch (error) {
        if (!isUnavailable(error)) throw error
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

/** Runs `work` when it is its turn. Rejects with the reason of `signal` when it aborts before. */
async function inTurn<T>(
  turn: InformedOptions['turn'],
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const leave = await turn?.(signal)
  try {
    return await work()
  } finally {
    leave?.()
  }
}

/** Read from the records themselves. */
function dated<T>(value: T): Dated<T> {
  return { value, asOf: null }
}

/** Runs work with a time limit; rejects with `unavailable` after it. */
function createWithin(systems: Clock) {
  const clock = loadTolerantClock(systems, LONGEST_STRETCH)
  return <T>(ms: number, work: () => Promise<T>): Promise<T> =>
    withDeadline({ clock, ms, late: takesTooLong }, work)
}

/** The store of a host that needs no replica. */
export function withoutReplica(store: Store): InformedStore {
  return {
    ...store,
    read: async (work, { turn } = {}) =>
      dated(await inTurn(turn, () => store.read((tx) => work(tx, null), { sees: 'latest' }))),
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AtollError && error.kind === 'unavailable'
}
