/** Removes what the QEMU driver created: processes, control groups, and their files. */
import { removeGroup } from '../host/processes/groups.ts'
import { findProcesses, killProcess, machineHomes } from '../host/processes/processes.ts'
import { systemClock } from '../lib/clock.ts'
import {
  CREATED_IMAGES_DIRECTORY,
  IMAGE_CACHE_DIRECTORY,
  MACHINE_SOCKETS_DIRECTORY,
  MACHINES_DIRECTORY,
} from '../model/names.ts'
import type { DriverTeardown } from '../workloads/driver.ts'

interface MachinesConfig {
  readonly stateDir: string
  readonly qemu: { readonly firstUser: number }
}

/** Kills each machine. Its directory identifies its process. */
export const MACHINES_TEARDOWN: DriverTeardown<MachinesConfig> = {
  directories: [MACHINES_DIRECTORY, CREATED_IMAGES_DIRECTORY, IMAGE_CACHE_DIRECTORY],
  runtimeDirectories: [MACHINE_SOCKETS_DIRECTORY],
  async removeInstances({ stateDir, qemu }) {
    const homes = await machineHomes(stateDir)
    const running = await findProcesses(homes, qemu.firstUser)
    for (const [instance, home] of homes) {
      const pid = running.get(instance)
      if (pid !== undefined) await killProcess(pid, home, systemClock)
      await removeGroup(instance, systemClock)
    }
    return [...homes.keys()].map((instance) => `removed virtual machine ${instance}`)
  },
}
