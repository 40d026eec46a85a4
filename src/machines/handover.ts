/**
 * What a QEMU process gets at its start: every file, socket and tap as a descriptor that root has
 * opened.
 *
 * The process itself can open nothing of the host. The descriptors are closed here once the process
 * has copies.
 */
import { chmod, copyFile, type FileHandle, mkdir, open, stat, truncate } from 'node:fs/promises'
import type { Host, OpenFile } from '../host/host.ts'
import type { CellDisk } from '../host/processes/cell.ts'
import { baseOf, type MachineImage } from '../images/machine-images.ts'
import { exists } from '../lib/files.ts'
import { unavailable } from '../model/errors.ts'
import { nicLinkName } from '../model/names.ts'
import type { InstanceWant } from '../model/want.ts'
import type { RootDisks } from './disks/disks.ts'
import type { MachineFilesystem, MachinePaths } from './files.ts'
import type { MachineFiles } from './machine.ts'
import type { Monitors } from './monitors.ts'

export interface Handover extends AsyncDisposable {
  /** The purpose of each descriptor, by the process's number. */
  readonly files: MachineFiles
  /** Our own numbers, in order. The first becomes the process's number 3. */
  readonly numbers: readonly number[]
  /** For stdout and stderr. */
  readonly log: number
  /** What the process has to open itself, in place of its first descriptor. Null: nothing. */
  readonly disk: CellDisk | null
}

/** After stdin, stdout and stderr. */
const FIRST_NUMBER = 3
/** Debian's package ovmf. Since version 13 it has only the first. */
const UEFI: readonly Uefi[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' },
]

interface Uefi {
  readonly code: string
  readonly variables: string
}

/**
 * Opens everything for one start of this instance. Errors: `unavailable`, or those of the file
 * system.
 */
export async function openMachine(
  parts: {
    readonly host: Pick<Host, 'openTap' | 'listenUnix'>
    readonly files: MachineFilesystem
    readonly disks: RootDisks
    readonly monitors: Monitors
  },
  want: InstanceWant,
  image: MachineImage,
): Promise<Handover> {
  const { host, monitors } = parts
  const paths = parts.files.paths(want.id)
  const sockets = monitors.sockets(want.id)
  await mkdir(sockets.dir, { recursive: true, mode: 0o700 })
  const closing = new AsyncDisposableStack()
  const numbers: number[] = []
  const hand = (fd: number) => FIRST_NUMBER + numbers.push(fd) - 1
  const file = async (path: string, flags: string): Promise<FileHandle> => {
    const handle = await open(path, flags, 0o600)
    closing.defer(() => handle.close())
    return handle
  }
  const handFile = async (path: string, flags = 'r') => hand((await file(path, flags)).fd)
  const keep = <File extends OpenFile>(own: File): File => {
    closing.defer(() => own.close())
    return own
  }
  const handOwn = async (opening: Promise<OpenFile>) => hand(keep(await opening).fd)
  const handDirectory = async (path: string) => {
    await mkdir(path, { recursive: true })
    // The process may pass through the directory, and open its own files.
    await chmod(path, 0o711)
    return handFile(path)
  }
  const taps: number[] = []
  try {
    const root = parts.disks.of(want)
    const disk = keep(await root.open())
    // The process may have to open it itself, at this number (`cell.sh`).
    const diskNumber = hand(disk.fd)
    await truncate(paths.log).catch(() => undefined)
    // Opened for appending, so that it can be truncated meanwhile.
    const log = (await file(paths.log, 'a')).fd
    for (const { id, network } of want.nics)
      taps.push(await handOwn(host.openTap(nicLinkName(id), network)))
    const ceph = disk.opens?.kind === 'ceph' ? disk.opens : null
    // A clone has it in the pool.
    const base = ceph === null ? baseOf(image) : null
    const files: MachineFiles = {
      monitor: await handOwn(host.listenUnix(sockets.qmp)),
      serial: await handOwn(host.listenUnix(sockets.serial)),
      agent: await handOwn(host.listenUnix(sockets.agent)),
      consoleLog: await handFile(paths.console, 'a'),
      disk: diskNumber,
      isDiskShared: root.isShared,
      ceph: ceph && { ...ceph.access, image: ceph.image },
      base: base === null ? null : { fd: await handFile(base.path), format: base.format },
      kernel:
        image.kind === 'kernel'
          ? { kernel: await handFile(image.kernelPath), initrd: await handFile(image.initrdPath) }
          : null,
      firmware: image.options.firmware === 'uefi' ? await openUefi(paths, handFile) : null,
      seed: image.options.seed === null ? null : await handFile(paths.seed),
      taps,
    }
    // The process finds it by its path, not by its number.
    await handDirectory(paths.handed)
    return {
      files,
      numbers,
      log,
      disk: disk.opens,
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    }
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

/** The firmware, and this machine's variables, which are a copy of the empty ones at first. */
async function openUefi(
  { variables }: MachinePaths,
  handFile: (path: string, flags?: string) => Promise<number>,
): Promise<{ readonly code: number; readonly variables: number }> {
  const made = await sizeOf(variables)
  for (const uefi of UEFI) {
    // Variables only work with the firmware that their template belongs to.
    const size = await sizeOf(uefi.variables)
    if (size === null || (made !== null && made !== size) || !(await exists(uefi.code))) continue
    if (made === null) await copyFile(uefi.variables, variables)
    return { code: await handFile(uefi.code), variables: await handFile(variables, 'r+') }
  }
  throw unavailable('UEFI firmware is not installed (Debian: apt-get install ovmf)')
}

function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  )
}
