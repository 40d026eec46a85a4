/**
 * Measures how much of the host's disk containers have written, where the file system cannot limit
 * it.
 *
 * Containers are measured in the background, one after the other, as often as that is cheap. It
 * counts the allocated bytes and the number of files of everything that belongs to the container:
 * its writable layer, and the volumes that its image declares.
 */
import type Dockerode from 'dockerode'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import type { InstanceId } from '../model/ids.ts'
import { GIB } from '../model/sizes.ts'
import { directoriesOf, volumesOf } from './directories.ts'

/** What a container has written. */
interface DiskUse {
  readonly bytes: number
  readonly files: number
}

/** A container that is measured. */
interface Followed {
  readonly container: string
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
  readonly docker: Dockerode
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
const ASK_TIMEOUT_MS = 10_000
const DU_TIMEOUT_MS = 120_000

/** Starts measuring. */
export function startDiskMeter(tools: DiskTools): DiskMeter {
  const { clock, log, signal } = tools
  const all = new Map<InstanceId, Followed>()
  const uses = new Map<InstanceId, DiskUse>()

  async function lookAtAll(): Promise<void> {
    for (const [instance, { container, limitGiB }] of [...all]) {
      signal.throwIfAborted()
      const use = await look(tools, container).catch((error: unknown) => {
        // The container may have gone meanwhile. An engine that is away is reported elsewhere.
        log.debug({ instance, error }, 'the disk of a container could not be measured')
        return null
      })
      if (use === null || !all.has(instance)) continue
      uses.set(instance, use)
      if (excessOf(use, limitGiB) !== null) tools.exceeded(instance)
    }
  }
  async function loop(): Promise<void> {
    for (;;) {
      const beganMs = clock.monotonic()
      await lookAtAll()
      const tookMs = clock.monotonic() - beganMs
      await clock.sleep(Math.max(LOOK_EVERY_MS, tookMs / SHARE), signal)
    }
  }
  loop().catch((error: unknown) => {
    if (!signal.aborted) log.error({ error }, 'the disks of containers are no longer measured')
  })

  return {
    follow(instance, followed) {
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

async function look(
  { docker, run, signal }: DiskTools,
  container: string,
): Promise<DiskUse | null> {
  const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)])
  const found = directoriesOf(await docker.getContainer(container).inspect({ abortSignal }))
  if (found.upper === null) return null
  const places = [found.upper, ...volumesOf(found).map(({ source }) => source)]
  const count = async (what: string): Promise<number> => {
    // The total is in the last line. The exit code is 1 when a file disappears during the count.
    const args = ['-n', '19', 'du', '-sxc', what, '--', ...places]
    const { stdout } = await run('nice', args, { timeoutMs: DU_TIMEOUT_MS, signal })
    return Number.parseInt(stdout.trim().split('\n').at(-1) ?? '', 10)
  }
  const use = { bytes: await count('-B1'), files: await count('--inodes') }
  return Number.isNaN(use.bytes) || Number.isNaN(use.files) ? null : use
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
