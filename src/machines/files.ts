/**
 * The directory of each virtual machine, `<stateDir>/machines/<instance id>`: its disk, and what
 * must be known once its process is gone.
 *
 * A launch writes the disk last, so a machine with a disk can be started. The boot record is
 * written before each start, and again when the machine ends. So after a crash the next daemon
 * knows for which boot the machine was last started. An end that no daemon saw counts as caused
 * from outside.
 */
import { mkdir, open, rename, stat, truncate, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { volumeHome, volumeHomes } from '../host/files/volumes.ts'
import { machineHomes } from '../host/processes/processes.ts'
import { exists, readRecord, writeRecord } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import { type InstanceId, parseId, type VolumeId } from '../model/ids.ts'
import { MOST_BOOTS } from '../model/lifecycle.ts'
import { HANDED_DIRECTORY, MACHINES_DIRECTORY } from '../model/names.ts'
import { KIB, MIB } from '../model/sizes.ts'
import { STORAGE_ID, type StoragePlace } from '../model/storage.ts'

const bootSchema = z.strictObject({
  bootCount: z.int().nonnegative().max(MOST_BOOTS),
  /** Whether the guest powered off by itself. */
  poweredOff: z.boolean(),
  /**
   * Whether it must be stopped and started again, for a consistent copy of its disk. The next start
   * clears it.
   */
  rebootDue: z.boolean().default(false),
})
const originSchema = z.strictObject({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Older daemons did not write it. */
  location: z.string().default(''),
})

const placeSchema = z.strictObject({
  storage: z.string().regex(STORAGE_ID),
  volume: z.string().transform((text, context): VolumeId => {
    const volume = parseId('vol', text)
    if (volume !== undefined) return volume
    context.addIssue('must be the id of a volume')
    return z.NEVER
  }),
})

/** The boot that a machine was last started for, and what has happened since. */
export type MachineBoot = z.infer<typeof bootSchema>

/** The image that a disk is based on: its digest, and the location with its options. */
type DiskOrigin = z.infer<typeof originSchema>

/** Paths in one machine's directory. */
export interface MachinePaths {
  readonly home: string
  readonly disk: string
  readonly console: string
  /** QEMU's own messages. Emptied at each start. */
  readonly log: string
  readonly seed: string
  /** UEFI variables. */
  readonly variables: string
  /** A directory of root in which the process may open files. */
  readonly handed: string
}

export interface MachineFilesystem {
  paths(instance: InstanceId): MachinePaths
  /** The directories of all machines here. */
  homes(): Promise<ReadonlyMap<InstanceId, string>>
  has(instance: InstanceId): Promise<boolean>
  /** Whether its disk is here, or is known to be on a storage, which is not asked. */
  hasDisk(instance: InstanceId): Promise<boolean>
  /** Writes down that its disk is on a storage. */
  placeDisk(instance: InstanceId, place: StoragePlace): Promise<void>
  /** Where that is. Null: its disk is here, or it has none. */
  placeOf(instance: InstanceId): Promise<StoragePlace | null>
  /** Creates the directory, and stores what the disk is based on. */
  make(instance: InstanceId, origin: DiskOrigin): Promise<void>
  /** The image that the machine's disk is based on. Null when unknown. */
  origin(instance: InstanceId): Promise<DiskOrigin | null>
  /** The digests of images that disks here are based on, including those of volumes. */
  origins(): Promise<ReadonlySet<string>>
  readBoot(instance: InstanceId): Promise<MachineBoot | null>
  writeBoot(instance: InstanceId, boot: MachineBoot): Promise<void>
  /** The last part of the serial console's output. */
  readConsole(instance: InstanceId, limitBytes: number): Promise<Buffer>
  /** Limits the size of the console's files and of QEMU's log. */
  trimConsole(instance: InstanceId): Promise<void>
  /**
   * Moves the disk, and the record of what it is based on, to the directory of the volume. Safe to
   * repeat: the disk is moved last, in one step.
   */
  keepDisk(instance: InstanceId, volume: VolumeId): Promise<void>
  remove(instance: InstanceId): Promise<void>
}

/** In a machine's directory in place of its disk: on which storage it is. */
export const PLACE_FILE = 'disk-place.json'

/** The console is stored in two files of about this size. */
export const CONSOLE_BYTES = MIB

const LOG_BYTES = 256 * KIB

/** Directories below `stateDir`, which only root may enter, because they contain user data. */
export function createMachineFiles(stateDir: string): MachineFilesystem {
  const root = below(stateDir, MACHINES_DIRECTORY)
  const paths = (instance: InstanceId): MachinePaths => {
    const home = below(root, instance)
    const inside = (name: string) => below(home, name)
    return {
      home,
      disk: inside('disk.qcow2'),
      console: inside('console.log'),
      log: inside('qemu.log'),
      seed: inside('seed.iso'),
      variables: inside('uefi-variables.fd'),
      handed: inside(HANDED_DIRECTORY),
    }
  }
  const bootFile = (instance: InstanceId) => below(paths(instance).home, 'boot.json')
  const placeFile = (instance: InstanceId) => below(paths(instance).home, PLACE_FILE)
  const originFile = (home: string) => below(home, 'origin.json')
  const originIn = (home: string) => readRecord(originFile(home), originSchema)

  return {
    paths,
    homes: () => machineHomes(stateDir),
    has: (instance) => exists(paths(instance).home),
    hasDisk: async (instance) =>
      (await exists(paths(instance).disk)) || (await exists(placeFile(instance))),
    placeDisk: (instance, place) => writeRecord(placeFile(instance), place),
    placeOf: (instance) => readRecord(placeFile(instance), placeSchema),
    async make(instance, origin) {
      await mkdir(paths(instance).home, { recursive: true, mode: 0o700 })
      await writeRecord(originFile(paths(instance).home), origin)
    },
    origin: (instance) => originIn(paths(instance).home),
    async origins() {
      const homes = [await machineHomes(stateDir), await volumeHomes(stateDir)]
      const found = await Promise.all(homes.flatMap((some) => [...some.values()]).map(originIn))
      return new Set(found.flatMap((origin) => origin?.digest ?? []))
    },
    readBoot: (instance) => readRecord(bootFile(instance), bootSchema),
    writeBoot: (instance, boot) => writeRecord(bootFile(instance), boot),
    async readConsole(instance, limitBytes) {
      const file = paths(instance).console
      const now = await tailOf(file, limitBytes)
      const before = await tailOf(`${file}.1`, limitBytes - now.length)
      return Buffer.concat([before, now])
    },
    async trimConsole(instance) {
      const { console: file, log } = paths(instance)
      // QEMU's messages are useful at its start only. A guest can make it repeat them.
      if ((await sizeOf(log)) > LOG_BYTES) await truncate(log)
      if ((await sizeOf(file)) <= CONSOLE_BYTES) return
      // On a full disk the old output is lost: a log that is not cut would take more.
      await writeFile(`${file}.1`, await tailOf(file, CONSOLE_BYTES)).catch(() => undefined)
      // QEMU appends, so it continues at the new end.
      await truncate(file)
    },
    async keepDisk(instance, volume) {
      const { home, disk } = paths(instance)
      if (!(await exists(disk))) return
      const kept = volumeHome(stateDir, volume)
      await mkdir(kept, { recursive: true, mode: 0o700 })
      await writeRecord(originFile(kept), await originIn(home))
      await rename(disk, below(kept, basename(disk)))
    },
    remove: (instance) => removeTree(root, instance),
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

async function tailOf(path: string, limitBytes: number): Promise<Buffer> {
  const file = await open(path).catch(() => null)
  if (file === null) return Buffer.alloc(0)
  try {
    const { size } = await file.stat()
    const length = Math.max(0, Math.min(size, limitBytes))
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
