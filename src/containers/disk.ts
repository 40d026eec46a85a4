/**
 * Measures how much of the host's disk containers have written, where the file system cannot limit
 * it.
 *
 * Containers are measured in the background, as often as that is cheap. It counts the allocated
 * bytes and the number of files of everything that belongs to the container: its writable layer,
 * and the volumes that its image declares.
 *
 * Many are measured by one program, because starting programs costs the daemon more than reading
 * small directories costs the machine. A container with so many files that the others would wait
 * for it is measured alone.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import type { InstanceId } from '../model/ids.ts'
import { GIB } from '../model/sizes.ts'
import { type Directories, volumesOf } from './directories.ts'

/** What a container has written. */
interface DiskUse {
  readonly bytes: number
  readonly files: number
}

/** A container that is measured. */
interface Followed {
  /** Where its disk is. */
  readonly directories: Directories
  /** The limit of its disk. */
  readonly limitGiB: number
}

export interface DiskMeter {
  /**
   * Measures this container from now on. Returns the excess over its limit at the last measurement.
   * Null: none.
   */
  follow(instance: InstanceId, followed: Followed): string | null
  /** Forgets all other containers. */
  keep(instances: ReadonlySet<InstanceId>): void
}

interface DiskTools {
  /** Runs `du`. */
  readonly run: Runner
  readonly clock: Clock
  readonly log: Log
  /** Ends the measurements. */
  readonly signal: AbortSignal
  /** Called when a container exceeds its limit. */
  readonly exceeded: (instance: InstanceId) => void
}

const LOOK_EVERY_MS = 10_000
/** The measurements take at most this part of the time. */
const SHARE = 0.05
/** How many containers one program measures. */
const BATCH = 100
/** A container whose batch is not measured within this time is measured alone. */
const BATCH_TIMEOUT_MS = 10_000
const ALONE_TIMEOUT_MS = 120_000
/** One that takes less is measured with the others again. */
const LARGE_MS = 1_000

/** Starts measuring. */
export function startDiskMeter(tools: DiskTools): DiskMeter {
  const { clock, log, signal } = tools
  const all = new Map<InstanceId, Followed>()
  const uses = new Map<InstanceId, DiskUse>()
  /** Those that are measured alone. */
  const large = new Set<InstanceId>()

  function keepUse(instance: InstanceId, use: DiskUse): void {
    const followed = all.get(instance)
    if (followed === undefined) return
    uses.set(instance, use)
    if (excessOf(use, followed.limitGiB) !== null) tools.exceeded(instance)
  }
  async function lookAtMany(): Promise<void> {
    const small = [...all].filter(([instance]) => !large.has(instance))
    for (let first = 0; first < small.length; first += BATCH) {
      const batch = small.slice(first, first + BATCH)
      const places = batch.flatMap(([, { directories }]) => placesOf(directories))
      const measured = await measure(tools, places, BATCH_TIMEOUT_MS)
      for (const [instance, { directories }] of batch) {
        const use = sum(measured, placesOf(directories))
        if (use === null) large.add(instance)
        else keepUse(instance, use)
      }
    }
  }
  async function lookAtLarge(): Promise<void> {
    for (const instance of [...large]) {
      const places = placesOf(all.get(instance)?.directories)
      const beganMs = clock.monotonic()
      const use = sum(await measure(tools, places, ALONE_TIMEOUT_MS), places)
      if (use !== null) keepUse(instance, use)
      // Its directories may have gone with it. Many that follow it in a batch are not large at all.
      if (!all.has(instance) || clock.monotonic() - beganMs < LARGE_MS) large.delete(instance)
    }
  }
  async function repeat(look: () => Promise<void>): Promise<void> {
    for (;;) {
      const beganMs = clock.monotonic()
      await look().catch((error: unknown) => {
        signal.throwIfAborted()
        log.warn({ error }, 'the disks of containers could not be measured; trying again')
      })
      const tookMs = clock.monotonic() - beganMs
      await clock.sleep(Math.max(LOOK_EVERY_MS, tookMs / SHARE), signal)
    }
  }
  // Both end when the signal is aborted.
  for (const look of [lookAtMany, lookAtLarge]) repeat(look).catch(() => undefined)

  return {
    follow(instance, followed) {
      if (followed.directories.upper === null) return null
      all.set(instance, followed)
      const use = uses.get(instance)
      return use === undefined ? null : excessOf(use, followed.limitGiB)
    },
    keep(instances) {
      for (const instance of [...all.keys()].filter((one) => !instances.has(one))) {
        all.delete(instance)
        uses.delete(instance)
      }
    },
  }
}

function placesOf(directories: Directories | undefined): readonly string[] {
  if (directories === undefined || directories.upper === null) return []
  return [directories.upper, ...volumesOf(directories).map(({ source }) => source)]
}

/** The use of all these places. Null if one was not measured. */
function sum(measured: ReadonlyMap<string, DiskUse>, places: readonly string[]): DiskUse | null {
  const uses = places.flatMap((place) => measured.get(place) ?? [])
  if (uses.length < places.length) return null
  const total = (pick: (use: DiskUse) => number) => uses.reduce((all, use) => all + pick(use), 0)
  return { bytes: total(({ bytes }) => bytes), files: total(({ files }) => files) }
}

/** Those of the places that could be measured in that time. */
async function measure(
  tools: DiskTools,
  places: readonly string[],
  timeoutMs: number,
): Promise<ReadonlyMap<string, DiskUse>> {
  if (places.length === 0) return new Map()
  const bytes = await count(tools, '-B1', places, timeoutMs)
  const files = await count(tools, '--inodes', places, timeoutMs)
  return new Map(
    [...bytes].flatMap(([place, each]): readonly [string, DiskUse][] => {
      const number = files.get(place)
      return number === undefined ? [] : [[place, { bytes: each, files: number }]]
    }),
  )
}

/**
 * What `du` (du(1)) counts in each place. It says nothing about a place that is absent. Its exit
 * code is 1 when a file disappears during the count.
 */
async function count(
  { run, signal }: DiskTools,
  what: '-B1' | '--inodes',
  places: readonly string[],
  timeoutMs: number,
): Promise<ReadonlyMap<string, number>> {
  const args = ['-n', '19', 'du', '-sx0', what, '--', ...places]
  const { stdout } = await run('nice', args, { timeoutMs, signal })
  signal.throwIfAborted()
  return new Map(
    stdout.split('\0').flatMap((line): readonly [string, number][] => {
      const [, number, place] = /^(\d+)\t(.+)$/s.exec(line) ?? []
      return place === undefined ? [] : [[place, Number(number)]]
    }),
  )
}

/**
 * The default number of files on a file system of that size (mke2fs.conf(5), inode_ratio 16384).
 */
const FILES_PER_GIB = 65_536

/** The message about a container that exceeds this many GiB. Null when it does not. */
export function excessOf({ bytes, files }: DiskUse, limitGiB: number): string | null {
  const limit = `its limit is ${limitGiB} GiB and ${limitGiB * FILES_PER_GIB} files, by its type`
  if (bytes > limitGiB * GIB) return `it has written ${Math.ceil(bytes / GIB)} GiB; ${limit}`
  return files > limitGiB * FILES_PER_GIB ? `it has made ${files} files; ${limit}` : null
}
