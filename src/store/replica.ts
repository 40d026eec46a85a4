/**
 * A replica: this host's own copy of the records. It answers questions while the shared database is
 * away.
 *
 * It shows everything that this host has written: what was committed since the last copy began is
 * repeated on it (`own-writes.ts`). It may lack what other hosts have written since then, and what
 * this host wrote in the tenth of a second before it was killed.
 *
 * It is a SQLite file with the same schema. Each copy fills the whole file in one transaction, and
 * nothing else is written to it. It is never the truth. How often it is copied depends on the cost
 * of a copy: at most a twentieth of this host's time (more only if a copy takes seconds), and as
 * much of the database's time, however many hosts there are.
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
   * Runs `work` on the last copy. Errors: `unavailable` when no copy is readable, or none shows
   * everything that this host has written.
   */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
  /** When the last copy was made (ISO 8601), by this host's clock. Null when there is none. */
  asOf(): string | null
  /** Requests a copy soon. Cheap; several requests cause one copy. */
  refresh(): void
  /** Ends, together with a copy under way. */
  close(): Promise<void>
}

/** The shortest pause between two copies. */
const SHORTEST_PAUSE_MS = 2_000
/** The pause is at least this many times the duration of the last copy. */
const PAUSE_PER_COPY = 20
/**
 * The pause grows with the number of hosts, so that together they make about three copies a second.
 */
const PAUSE_PER_HOST_MS = 300
/**
 * The longest pause. An expensive copy is not delayed for longer, because old records are worse. A
 * copy is made at least this often, because hosts get no bell for changes of access keys and
 * images.
 */
const LONGEST_PAUSE_MS = 60_000
/**
 * Own writes are written to the file at most this often, unless somebody reads, because each time
 * waits for the disk.
 */
const OWN_WRITES_PAUSE_MS = 100
/** Maximum number of calls that are remembered until a copy has them. */
const OWN_CALLS_LIMIT = 10_000

/** Opens the replica in `file` (created if missing) of the records in `source`. */
export async function openReplica(options: {
  readonly file: string
  readonly source: Store
  readonly clock: Clock
  readonly log: Log
  /** Returns 0 to 1. */
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
  /** This host's share of the time, by the number of hosts. */
  let turnMs = 0
  const own = keepOwnWrites({ copy, clock, log, schema, lacking: () => wanted.resolve() })

  /** Copies, and returns the pause until the next copy. */
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
        log.debug({ error }, 'the replica could not be updated')
        return turnMs
      })
      await clock.sleep(Math.max(SHORTEST_PAUSE_MS, pauseMs), ending.signal)
      await Promise.race([wanted.promise, clock.sleep(LONGEST_PAUSE_MS, ending.signal)])
      // All hosts hear of a change at the same moment.
      await clock.sleep(random() * turnMs, ending.signal)
    }
  }

  const filling = keepFilling().catch((error: unknown) => {
    if (!ending.signal.aborted) log.error({ error }, 'the replica is no longer updated')
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

/** This host's writes that the copy may lack. */
interface OwnInCopy extends OwnWrites {
  /**
   * Writes the missing ones to the copy. Rejects with `unavailable` when the copy does not show all
   * of them afterwards.
   */
  put(): Promise<void>
  /** Call it before reading the records for the next copy. */
  place(): number
  /**
   * Makes the copy equal to the records, plus the writes after the place. Returns the number of
   * rows that do not fit.
   */
  renew(dump: Dump, place: number): Promise<number>
  close(): Promise<void>
}

function keepOwnWrites(options: {
  readonly copy: Store
  readonly clock: Clock
  readonly log: Log
  readonly schema: Schema
  /** The copy lacks records that an own write depends on. */
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
        throw unavailable(
          "This host's copy of the records does not contain its own last writes yet.",
        )
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

/** Opens the file. An unusable one is created again; nothing is lost by that. */
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
    log.warn({ file, error }, 'the replica is unusable and is created again')
    for (const path of [file, `${file}-wal`, `${file}-shm`]) await rm(path, { force: true })
    const copy = await openSqliteStore(options)
    await copy.migrate()
    return copy
  }
}

/** When the file or its log was last written. Null when it does not exist. */
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
