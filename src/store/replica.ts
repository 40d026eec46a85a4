/**
 * A replica: this host's own copy of the records, so that it can answer questions while the shared
 * engine is away.
 *
 * It shows all that this host itself has written: what was committed since the last copy was begun
 * is done again on it (`own-writes.ts`). What other hosts have written since then it may lack, and
 * so it may what this one wrote in the tenth of a second before it was killed.
 *
 * It is a SQLite file with the same schema, filled whole and in one transaction each time; it is
 * never the truth and nothing is ever written to it but copies. How often it is filled goes by what
 * a copy costs: a twentieth of this host's time (more only where a copy takes seconds), and of the
 * engine's as much however many hosts there are.
 */
import { rm, stat } from 'node:fs/promises'
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import { unavailable } from '../model/errors.ts'
import type { Dump } from './dump.ts'
import { openSqliteStore } from './engines/sqlite/dialect.ts'
import { createBacklog, type OwnWrites } from './own-writes.ts'
import type { RowWatch } from './records/rows.ts'
import { SCHEMA, type Schema } from './schema.ts'
import type { ReadTx, Store } from './store.ts'

export interface Replica extends OwnWrites {
  /**
   * Runs `work` against the last copy. Errors: `unavailable` when there is none that can be read,
   * or none that shows all that this host has written.
   */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
  /** When the last copy was made (ISO 8601), by this host's clock; null when there is none. */
  asOf(): string | null
  /** Asks for a copy soon. Cheap; several are one. */
  refresh(): void
  /** Ends with a copy under way, if any. */
  close(): Promise<void>
}

/** The shortest time between two copies... */
const SHORTEST_PAUSE_MS = 2_000
/** ...and this many times what the last one took. */
const PAUSE_PER_COPY = 20
/** All hosts together make about three copies a second at most. */
const PAUSE_PER_HOST_MS = 300
/**
 * A dear copy is not put off for longer: old records are worse. After that pause a copy is made at
 * least this often, too: access keys and images change without a word to the hosts.
 */
const LONGEST_PAUSE_MS = 60_000
/**
 * Own writes are put into the file so often at most, unless somebody reads: each time the disk is
 * waited for.
 */
const OWN_WRITES_PAUSE_MS = 100
/** Calls that are remembered until a copy has them. */
const OWN_CALLS_LIMIT = 10_000

/** Opens the replica in `file` (made where it is missing) of the records in `source`. */
export async function openReplica(options: {
  readonly file: string
  readonly source: Store
  readonly clock: Clock
  readonly log: Log
  /** From 0 up to 1. */
  readonly random: () => number
  readonly rows?: RowWatch
  readonly schema?: Schema
}): Promise<Replica> {
  const { file, source, clock, log, random, schema = SCHEMA } = options
  const made = await writtenAt(file)
  const copy = await openCopy(options)
  const ending = new AbortController()
  let asOf = made
  let wanted = Promise.withResolvers<void>()
  /** A host's share of the time, by the number of hosts. */
  let turnMs = 0
  const own = keepOwnWrites({ copy, clock, log, schema, lacking: () => wanted.resolve() })

  /** Copies, and gives how long to leave it at that. */
  async function fill(): Promise<number> {
    const began = clock.monotonic()
    const at = isoTime(clock.now())
    const place = own.place()
    const dump = await source.read((tx) => tx.dump(), { sees: 'latest' })
    const leftOut = await own.renew(dump, place)
    if (leftOut > 0) log.debug({ leftOut }, 'rows that do not fit are not in the replica')
    asOf = at
    const copyMs = clock.monotonic() - began
    turnMs = dump.hosts.length * PAUSE_PER_HOST_MS
    return Math.max(Math.min(copyMs * PAUSE_PER_COPY, LONGEST_PAUSE_MS), turnMs)
  }

  async function keepFilling(): Promise<void> {
    for (;;) {
      wanted = Promise.withResolvers<void>()
      const pauseMs = await fill().catch((error: unknown) => {
        log.debug({ error }, 'the replica was not filled')
        return turnMs
      })
      await clock.sleep(Math.max(SHORTEST_PAUSE_MS, pauseMs), ending.signal)
      await Promise.race([wanted.promise, clock.sleep(LONGEST_PAUSE_MS, ending.signal)])
      // All hosts hear of a change at once.
      await clock.sleep(random() * turnMs, ending.signal)
    }
  }

  const filling = keepFilling().catch((error: unknown) => {
    if (!ending.signal.aborted) log.error({ error }, 'the replica is not filled any more')
  })
  return {
    async read(work) {
      await own.put()
      return await copy.read(work)
    },
    wrote: own.wrote,
    asOf: () => asOf,
    refresh: () => wanted.resolve(),
    async close() {
      ending.abort()
      await filling
      await own.close()
      await copy.close()
    },
  }
}

/** This host's writes on their way into the copy. */
interface OwnInCopy extends OwnWrites {
  /**
   * Puts there what is not; rejects with `unavailable` when the copy does not show all of it then.
   */
  put(): Promise<void>
  /** To be taken before records are read that the copy is then made equal to. */
  place(): number
  /**
   * Makes the copy equal to records, with what was written after the place; gives how many rows do
   * not fit.
   */
  renew(dump: Dump, place: number): Promise<number>
  close(): Promise<void>
}

function keepOwnWrites(options: {
  readonly copy: Store
  readonly clock: Clock
  readonly log: Log
  readonly schema: Schema
  /** The copy lacks what an own write rests on. */
  readonly lacking: () => void
}): OwnInCopy {
  const { copy, clock, log, lacking } = options
  const own = createBacklog(OWN_CALLS_LIMIT, options.schema.nouns)
  const inTurn = createQueue()
  const ending = new AbortController()
  let isPutting = false

  const putDue = () =>
    inTurn(async () => {
      if (!own.isDue()) return
      const done = await copy.change((tx) => own.put(tx))
      done()
      if (!own.isShown()) lacking()
    })

  async function putSoon(): Promise<void> {
    if (isPutting) return
    isPutting = true
    try {
      while (own.isDue()) {
        await clock.sleep(OWN_WRITES_PAUSE_MS, ending.signal)
        await putDue()
      }
    } catch (error) {
      if (!ending.signal.aborted) log.debug({ error }, 'own writes are not in the replica yet')
    } finally {
      isPutting = false
    }
  }
  return {
    wrote(calls) {
      own.add(calls)
      void putSoon()
    },
    async put() {
      await putDue()
      if (!own.isShown())
        throw unavailable('The copy of the records does not show yet what this host has written.')
    },
    place: own.end,
    renew: (dump, place) =>
      inTurn(async () => {
        const [leftOut, done] = await copy.change(async (tx) => {
          return [await tx.restore(dump), await own.putAfter(tx, place)] as const
        })
        done()
        return leftOut
      }),
    async close() {
      ending.abort()
      await putDue().catch((error: unknown) =>
        log.debug({ error }, 'the last own writes are not in the replica'),
      )
    },
  }
}

/** Opens the file; one that cannot be used is no loss and is made anew. */
async function openCopy(options: {
  readonly file: string
  readonly log: Log
  readonly rows?: RowWatch
  readonly schema?: Schema
}): Promise<Store> {
  const { file, log } = options
  try {
    const copy = await openSqliteStore(options)
    await copy.migrate()
    return copy
  } catch (error) {
    log.warn({ file, error }, 'the replica cannot be used and is made anew')
    for (const path of [file, `${file}-wal`, `${file}-shm`]) await rm(path, { force: true })
    const copy = await openSqliteStore(options)
    await copy.migrate()
    return copy
  }
}

/** When the file was last written, to its log or to itself; null when it is not there. */
async function writtenAt(file: string): Promise<string | null> {
  const times = await Promise.all(
    [file, `${file}-wal`].map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  )
  const latest = Math.max(...times)
  return latest === 0 ? null : isoTime(latest)
}
