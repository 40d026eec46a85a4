/**
 * The last console output of terminated instances. EC2 shows it for at least an hour
 * (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html).
 *
 * It is saved in a file just before the instance is removed. A failure to save it does not prevent
 * the removal.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { replaceFile } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import type { InstanceId } from '../model/ids.ts'
import { CONSOLES_DIRECTORY } from '../model/names.ts'
import { KIB } from '../model/sizes.ts'
import type { WorkloadDriver } from '../workloads/driver.ts'

/** Kept of each instance: as much as EC2 shows. */
const KEPT_BYTES = 64 * KIB
/** Longer than terminated instances are listed. */
const KEPT_MS = 2 * 60 * 60 * 1000
/** Maximum number of files. The oldest are removed first. */
export const KEPT_LIMIT = 512

/**
 * A driver that saves the consoles of the instances that it removes, below `<stateDir>/consoles`.
 */
export function keepConsoles(
  driver: WorkloadDriver,
  options: { readonly stateDir: string; readonly clock: Clock; readonly log: Log },
): WorkloadDriver {
  const { clock, log } = options
  const dir = below(options.stateDir, CONSOLES_DIRECTORY)

  async function keep(instance: InstanceId): Promise<void> {
    const output = await driver.console(instance, KEPT_BYTES)
    // The instance is already removed. The file that was saved then stays.
    if (output === null) return
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await replaceFile(below(dir, instance), output, 0o600)
    await forgetOld()
  }

  async function forgetOld(): Promise<void> {
    const files = (await readdir(dir)).map((name) => below(dir, name))
    // Another driver may be doing the same.
    const ageless = { mtimeMs: 0 }
    const dated = await Promise.all(
      files.map(async (file) => ({
        file,
        atMs: (await stat(file).catch(() => ageless)).mtimeMs,
      })),
    )
    const newestFirst = dated.sort((a, b) => b.atMs - a.atMs)
    const tooMany = newestFirst.slice(KEPT_LIMIT)
    const tooOld = newestFirst.filter(({ atMs }) => atMs < clock.now() - KEPT_MS)
    for (const { file } of [...tooMany, ...tooOld]) await rm(file, { force: true })
  }

  return {
    ...driver,
    async remove(instance, volume) {
      await keep(instance).catch((error: unknown) =>
        log.warn({ instance, error }, 'the last console output could not be saved'),
      )
      await driver.remove(instance, volume)
    },
    async console(instance, limitBytes) {
      const output = await driver.console(instance, limitBytes)
      if (output !== null) return output
      const kept = await readFile(below(dir, instance)).catch(() => null)
      return kept === null ? null : tail(kept, limitBytes)
    },
  }
}

/** The last `limitBytes` of the output. */
export function tail(output: Buffer, limitBytes: number): Buffer {
  return output.subarray(Math.max(0, output.length - limitBytes))
}
