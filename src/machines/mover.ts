/**
 * Moves of virtual machines: the disk, what it is based on, and what else is in the machine's
 * directory. The base image is not copied, because the other host fetches it by its digest.
 */
import { readdir, rename } from 'node:fs/promises'
import { exists, syncPath } from '../lib/files.ts'
import { below } from '../lib/paths.ts'
import { refused, unavailable } from '../model/errors.ts'
import type { Mover } from '../workloads/driver.ts'
import { type MachineFilesystem, PLACE_FILE } from './files.ts'
import type { Monitors } from './monitors.ts'

/**
 * The files of a machine, in the order in which they become another host's: the disk is last, or
 * the note that says on which storage it is.
 */
const FILES = [
  'origin.json',
  'boot.json',
  'seed.iso',
  'uefi-variables.fd',
  'console.log.1',
  'console.log',
  PLACE_FILE,
  'disk.qcow2',
] as const
const DISK = 'disk.qcow2'

/** Those of a running machine that its other host gets as they are; it writes its disk itself. */
export const COMPANIONS = FILES.filter((name) => name !== 'boot.json' && name !== DISK)

/** The mover. */
export function createMachineMover(
  files: MachineFilesystem,
  monitors: Pick<Monitors, 'list'>,
): Mover {
  return {
    home: (instance) => files.paths(instance).home,
    async pack(instance, bootCount) {
      const { home } = files.paths(instance)
      if ((await monitors.list(true)).has(instance)) throw unavailable(`${instance} still runs`)
      const boot = await files.readBoot(instance)
      if (boot === null || !(await files.hasDisk(instance)))
        throw refused(
          'IncorrectInstanceState',
          `${instance} has no disk: it has never run, or lost it`,
        )
      if (boot.bootCount > bootCount) throw unavailable(`${instance} was started again`)
      const there = await readdir(home)
      return FILES.filter((name) => there.includes(name)).map((name) => ({
        name,
        path: below(home, name),
      }))
    },
    // The files are sent as they are.
    unpackOthers: async () => undefined,
    async install(instance, directory) {
      const { home } = files.paths(instance)
      const sent = [below(directory, DISK), below(directory, PLACE_FILE)]
      const isSent = (await Promise.all(sent.map(exists))).includes(true)
      if (!isSent && !(await files.hasDisk(instance)))
        throw refused('UnsupportedOperation', `no disk of ${instance} was sent`)
      for (const name of FILES)
        if (await exists(below(directory, name)))
          await rename(below(directory, name), below(home, name))
      await syncPath(home)
    },
  }
}
