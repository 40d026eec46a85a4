/**
 * `atoll teardown`: removes everything with a name of ours (`model/names.ts`) from this machine. It
 * needs no daemon and no records, and may be repeated after an interruption. Each driver removes
 * what it created (`DriverTeardown`).
 */
import { readdir, rmdir } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { removeAllOfOurs } from '../host/cleanup.ts'
import type { Clock } from '../lib/clock.ts'
import { below, removeTree } from '../lib/paths.ts'
import { takeProcessLock } from '../lib/process-lock.ts'
import { messageOf, refused } from '../model/errors.ts'
import {
  CONSOLES_DIRECTORY,
  DAEMON_LOCK,
  FENCE_DIRECTORY,
  FORWARDING_FILE,
  VOLUMES_DIRECTORY,
} from '../model/names.ts'
import { endAllParts } from '../parts/managed.ts'
import type { DriverTeardown } from '../workloads/driver.ts'

/** Directories of instances that all drivers share, below the state directory. */
const SHARED_DIRECTORIES = [VOLUMES_DIRECTORY, CONSOLES_DIRECTORY]

/** What was removed, and what was not: a line for each. */
export interface Removal {
  readonly done: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Ends what a dead daemon has left running, removes every driver's instances and images, then
 * namespaces of VPCs (their names are in `namespaceDirectory`), links, routes and rules, then
 * instance files. The waits of `clock` have to keep the process alive. Errors: `refused` while the
 * daemon runs.
 */
export async function teardown(
  config: Config,
  drivers: readonly DriverTeardown<Config>[],
  namespaceDirectory: string,
  clock: Clock,
): Promise<Removal> {
  const unlock = await takeProcessLock(DAEMON_LOCK)
  if (unlock === null)
    throw refused(
      'InvalidParameterValue',
      "atolld runs on this machine, and would make everything again. Stop it (systemctl stop 'atolld*'), and run this again",
    )
  try {
    const ended = await endAllParts(config.runtimeDir, clock)
    const instances = await removeInstances(config, drivers)
    const forwardingFile = below(config.stateDir, FORWARDING_FILE)
    const kernel = await removeAllOfOurs(forwardingFile, { namespaceDirectory })
    const kept = await removeFiles(config, instances.ended)
    return {
      done: [
        ...ended.map((part) => `process of the daemon: ${part}`),
        ...instances.done,
        ...kernel,
      ],
      problems: [...instances.problems, ...kept],
    }
  } finally {
    await unlock()
  }
}

/**
 * Removes every driver's instances. If one driver fails, the others continue. `ended` are those
 * that did not: the files of the others say what is left.
 */
export async function removeInstances<C>(
  config: C,
  drivers: readonly DriverTeardown<C>[],
): Promise<Removal & { readonly ended: readonly DriverTeardown<C>[] }> {
  const [done, problems]: [string[], string[]] = [[], []]
  const ended: DriverTeardown<C>[] = []
  for (const driver of drivers)
    try {
      done.push(...(await driver.removeInstances(config)))
      ended.push(driver)
    } catch (error) {
      problems.push(`not all instances removed: ${messageOf(error)}`)
    }
  return { done, problems, ended }
}

/**
 * Removes the files that all drivers share. If one cannot be removed, for example because something
 * is mounted there, the others still are. Returns a line for each that was not.
 */
export async function removeFiles<
  C extends { readonly stateDir: string; readonly runtimeDir: string },
>(config: C, drivers: readonly DriverTeardown<C>[]): Promise<readonly string[]> {
  const { stateDir, runtimeDir } = config
  const kept: string[] = []
  const attempt = (...path: Parameters<typeof removeTree>) =>
    removeTree(...path).catch((error: unknown) => kept.push(`not removed: ${messageOf(error)}`))
  for (const dir of [...drivers.flatMap(({ directories }) => directories), ...SHARED_DIRECTORIES]) {
    for (const name of await readdir(below(stateDir, dir)).catch(() => []))
      await attempt(stateDir, dir, name)
    // The mount point of a file system remains, empty.
    await rmdir(below(stateDir, dir)).catch(() => undefined)
  }
  for (const dir of [
    ...drivers.flatMap(({ runtimeDirectories }) => runtimeDirectories),
    FENCE_DIRECTORY,
  ])
    await attempt(runtimeDir, dir)
  return kept
}
