/** The processes of machines whose disk is on a storage that several hosts reach. */
import { findProcesses, killProcess } from '../host/processes/processes.ts'
import type { InstanceId } from '../model/ids.ts'
import type { QemuStepper } from './steps.ts'

/**
 * Ends all with a disk on this storage that were begun before. A start that was permitted before is
 * waited for first: this host may have stood still in the middle of it, while another one took the
 * instance over. Errors: `unavailable` when one does not end.
 */
export async function endStored(
  {
    files,
    starts,
    settings: { firstUser },
    clock,
  }: Pick<QemuStepper, 'files' | 'starts' | 'clock'> & {
    readonly settings: Pick<QemuStepper['settings'], 'firstUser'>
  },
  storage: string,
): Promise<void> {
  await Promise.allSettled(starts)
  const homes = new Map<InstanceId, string>()
  for (const [instance, home] of await files.homes())
    if ((await files.placeOf(instance))?.storage === storage) homes.set(instance, home)
  for (;;) {
    const found = await findProcesses(homes, firstUser, true)
    if (found.size === 0) return
    for (const [instance, pid] of found) await killProcess(pid, files.paths(instance).home, clock)
  }
}
