/**
 * `atoll teardown`: takes everything that carries a mark of ours off this machine. Works without a
 * daemon, without records, and again after it was cut off. What a driver made, the driver removes
 * (`DriverTeardown`).
 */
import { readdir, rmdir } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { removeAllOfOurs } from '../host/cleanup.ts'
import { below, removeTree } from '../lib/paths.ts'
import { messageOf } from '../model/errors.ts'
import { CONSOLES_DIRECTORY, FORWARDING_FILE, VOLUMES_DIRECTORY } from '../model/names.ts'
import type { DriverTeardown } from '../workloads/driver.ts'

/** What all drivers keep of instances, below the state directory. */
const SHARED_DIRECTORIES = [VOLUMES_DIRECTORY, CONSOLES_DIRECTORY]

/**
 * Removes every driver's instances and images, then links, routes and rules, then instance files.
 * Returns a line for each thing done.
 */
export async function teardown(
  config: Config,
  drivers: readonly DriverTeardown<Config>[],
): Promise<readonly string[]> {
  const instances = await removeInstances(config, drivers)
  const kernel = await removeAllOfOurs(below(config.stateDir, FORWARDING_FILE))
  const kept = await removeFiles(config, drivers)
  return [...instances, ...kernel, ...kept]
}

/**
 * Removes every driver's instances. One driver that cannot keeps no other from it. Returns a line
 * for each thing done, and for each driver that could not.
 */
export async function removeInstances<C>(
  config: C,
  drivers: readonly DriverTeardown<C>[],
): Promise<readonly string[]> {
  const lines: string[] = []
  for (const driver of drivers)
    lines.push(
      ...(await driver
        .removeInstances(config)
        .catch((error: unknown) => [`not all instances removed: ${messageOf(error)}`])),
    )
  return lines
}

/**
 * Removes what all drivers keep in files. One thing that cannot be removed, as where something is
 * mounted, keeps nothing else. Returns a line for each that was not.
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
    // A file system of its own stays, empty.
    await rmdir(below(stateDir, dir)).catch(() => undefined)
  }
  for (const dir of drivers.flatMap(({ runtimeDirectories }) => runtimeDirectories))
    await attempt(runtimeDir, dir)
  return kept
}
