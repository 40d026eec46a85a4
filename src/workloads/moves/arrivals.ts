/**
 * Copies instances that move to this host, in the background, a few at once. Running ones are taken
 * over (`live-arrival.ts`).
 *
 * The files of a move are fetched into a directory of its own in the home of the instance
 * (`Mover.home`), are compared with the digests that the other host has computed, and become the
 * instance's when all are there and on the disk. A file `arrived.json` then says so. What was
 * fetched is continued by the next daemon; what an earlier move has left is removed first.
 */
import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { z } from 'zod'
import { needSpace } from '../../host/files/space.ts'
import { download } from '../../images/download.ts'
import type { Clock } from '../../lib/clock.ts'
import { exists, readRecord, syncPath, writeRecord } from '../../lib/files.ts'
import type { Log } from '../../lib/log.ts'
import { below, removeTree } from '../../lib/paths.ts'
import { createLimit } from '../../lib/queue.ts'
import { type Backoff, pauseMs } from '../../lib/retry.ts'
import { AtollError, messageOf, refused, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import type { ArrivingWant } from '../../model/move.ts'
import type { ImageWant } from '../../model/want.ts'
import type { Mover, WorkloadDriver } from '../driver.ts'
import { keyOfMove } from './key.ts'
import { directoryOf, type LiveArrival, takeOver, tidyUp } from './live-arrival.ts'
import { digestOfFile, fileSource, listFiles, type MovePeer } from './peer-source.ts'
import type { OfferedFile } from './protocol.ts'

/** How far the copy of an instance is. */
export type ArrivalState =
  | { readonly kind: 'working'; readonly message: string }
  | { readonly kind: 'arrived' }
  | { readonly kind: 'failed'; readonly message: string }

interface ArrivalsOptions {
  /** Errors: `unavailable` while the other host's address is unknown. */
  readonly peerOf: (want: ArrivingWant<ImageWant>) => Promise<MovePeer>
  /** Asks for a pass. */
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
}

/** The copies that are under way. */
export interface Arrivals {
  /**
   * The state of one. Starts it if nothing is known. Never waits. `live`: what takes it over while
   * it runs; null: it is stopped.
   */
  look(want: ArrivingWant<ImageWant>, driver: Moving, live?: LiveArrival | null): ArrivalState
  /** Ends all others. What they have copied stays for the driver to remove. */
  keep(moves: ReadonlySet<string>): void
  close(): Promise<void>
}

/** Each reads and writes a whole disk. */
const AT_ONCE = 2
/** A copy is given up when nothing has arrived for this long: a daemon is back within seconds. */
const GIVEN_UP_MS = 60_000
const PAUSES: Backoff = { firstMs: 250, lastMs: 4_000 }
/** How often the records are told how far it is. */
const TOLD_EVERY_MS = 5_000
const MARK = 'arrived.json'

const markSchema = z.strictObject({ move: z.int().min(0) })

interface Job {
  now: ArrivalState
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** What is needed of a driver. */
export type Moving = Pick<WorkloadDriver, 'remove' | 'storage'> & { readonly mover: Mover }

/** What works on one until it is here, or given up. */
function createWork(options: ArrivalsOptions) {
  const { clock, log, wake } = options
  const places = createLimit({
    ...{ places: AT_ONCE, ofOne: AT_ONCE },
    waitingOfOne: { count: Number.POSITIVE_INFINITY, full: () => unavailable('too many moves') },
  })

  return async function work(
    want: ArrivingWant<ImageWant>,
    driver: Moving,
    live: LiveArrival | null,
    job: Job,
  ): Promise<void> {
    const { signal } = job.abort
    let toldMs = clock.monotonic()
    const progress = (message: string) => {
      job.now = { kind: 'working', message }
      if (clock.monotonic() - toldMs < TOLD_EVERY_MS) return
      toldMs = clock.monotonic()
      wake()
    }
    let goodMs = clock.monotonic()
    const arrived = () => {
      goodMs = clock.monotonic()
    }
    for (let failures = 1; ; failures += 1) {
      const attemptMs = clock.monotonic()
      try {
        const turn = { key: keyOfMove(want), owner: want.from }
        const copying = { want, driver, progress, arrived, signal }
        const begun = () => {
          // It may have waited for others.
          if (failures === 1) arrived()
          return live === null ? copy(options, copying) : take(options, copying, live)
        }
        const sinceMs = await places.run(turn, begun, signal)
        // First: passes would say the same, and it would wait for them.
        if (live !== null) await goOn(options, copying, { live, sinceMs })
        job.now = { kind: 'arrived' }
        return
      } catch (error) {
        if (signal.aborted) return
        log.warn({ instance: want.instance, from: want.from, error }, 'a copy was interrupted')
        const isOver = clock.monotonic() - goodMs > GIVEN_UP_MS
        const isRefused = error instanceof AtollError && error.kind === 'refused'
        const message = messageOf(error)
        if (isOver || isRefused) {
          job.now = { kind: 'failed', message }
          return
        }
        // What arrived counts as a success.
        if (goodMs >= attemptMs) failures = 1
        job.now = { kind: 'working', message }
        await clock.sleep(pauseMs(PAUSES, failures), signal)
      }
    }
  }
}

/** Nothing is under way at first. */
export function createArrivals(options: ArrivalsOptions): Arrivals {
  const { wake } = options
  const jobs = new Map<string, Job>()
  const work = createWork(options)

  function begin(want: ArrivingWant<ImageWant>, driver: Moving, live: LiveArrival | null): Job {
    const started = Promise.withResolvers<void>()
    const job: Job = {
      now: { kind: 'working', message: 'waiting' },
      abort: new AbortController(),
      done: started.promise,
    }
    work(want, driver, live, job)
      .catch(() => undefined)
      .finally(() => {
        started.resolve()
        wake()
      })
    return job
  }

  return {
    look(want, driver, live = null) {
      const key = keyOfMove(want)
      const job = jobs.get(key) ?? begin(want, driver, live)
      jobs.set(key, job)
      return job.now
    },
    keep(moves) {
      for (const [key, { abort }] of jobs) {
        if (moves.has(key)) continue
        abort.abort()
        jobs.delete(key)
      }
    },
    async close() {
      for (const { abort } of jobs.values()) abort.abort()
      await Promise.all([...jobs.values()].map(({ done }) => done))
    },
  }
}

interface Copying {
  readonly want: ArrivingWant<ImageWant>
  readonly driver: Moving
  readonly progress: (message: string) => void
  /** Is called when something has arrived. */
  readonly arrived: () => void
  readonly signal: AbortSignal
}

async function take(options: ArrivalsOptions, copying: Copying, live: LiveArrival) {
  const { clock } = options
  return await takeOver({ ...copying, live, clock, peer: await options.peerOf(copying.want) })
}

/** Never rejects: everything is here, and a pass does what is missing. */
async function goOn(
  { log }: ArrivalsOptions,
  copying: Copying,
  { live, sinceMs }: { readonly live: LiveArrival; readonly sinceMs: number | null },
): Promise<void> {
  const { instance } = copying.want
  try {
    await live.goOn(sinceMs)
    await tidyUp(copying)
  } catch (error) {
    log.warn({ instance, error }, 'an instance that has arrived waits for the next pass')
  }
}

/** Nobody knows when it stopped. */
async function copy(options: ArrivalsOptions, copying: Copying): Promise<null> {
  const { want, driver, progress, signal } = copying
  const { instance, move } = want
  const home = driver.mover.home(instance)
  const mark = below(home, MARK)
  const done = async () => {
    await removeTree(home, directoryOf(move))
    return null
  }
  if ((await readRecord(mark, markSchema))?.move === move) return await done()
  progress('asking for its files')
  const peer = await options.peerOf(want)
  const files = await listFiles(peer, want, signal)
  const directory = await prepare(driver, instance, move)
  await makeRoom(driver, files)
  for (const [index, file] of files.entries()) {
    const label = `file ${index + 1} of ${files.length}`
    await fetchFile(options, copying, { peer, directory, index, file, label })
  }
  await syncPath(directory)
  signal.throwIfAborted()
  await driver.mover.install(instance, directory)
  await writeRecord(mark, { move })
  await syncPath(home)
  return await done()
}

/** The directory of the move. Removes what is there of an earlier stay. */
async function prepare(driver: Moving, instance: InstanceId, move: number): Promise<string> {
  const home = driver.mover.home(instance)
  const directory = below(home, directoryOf(move))
  if (!(await exists(directory))) await driver.remove(instance, null)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return directory
}

/** Errors: `refused`, because only the operator can make room. */
async function makeRoom(driver: Moving, files: readonly OfferedFile[]): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const places = await driver.storage()
  for (const place of places)
    await needSpace(place, bytes).catch((error: unknown) => {
      throw refused('InsufficientInstanceCapacity', `there is no room: ${messageOf(error)}`)
    })
}

interface Fetching {
  readonly peer: MovePeer
  readonly directory: string
  readonly index: number
  readonly file: OfferedFile
  readonly label: string
}

async function fetchFile(
  { clock, log }: ArrivalsOptions,
  { want, progress, arrived, signal }: Copying,
  { peer, directory, index, file, label }: Fetching,
): Promise<void> {
  const of = { instance: want.instance, move: want.move, file: index }
  const path = below(directory, file.name)
  // Both hosts read it at once; the other one has it in its memory then.
  const expected = digestOfFile(peer, of, signal)
  expected.catch(() => undefined)
  const tools = {
    ...{ clock, log, signal, maxBytes: Math.max(file.bytes, 1) },
    progress: (message: string) => {
      arrived()
      progress(`${label}: ${message}`)
    },
    room: async () => undefined,
  }
  const { hash } = await download(fileSource(peer, of, file), path, createHash('sha256'), tools)
  progress(`${label}: comparing`)
  if (`sha256:${hash.digest('hex')}` === (await expected)) return
  await rm(path, { force: true })
  throw unavailable(`${file.name} did not arrive as ${peer.name} has it`)
}
