/**
 * The files that we mount read-only in a container at /.atoll: a static busybox, the entry script,
 * and the instance's data.
 *
 * The engine starts a container's first program as soon as the network namespace exists, before it
 * can have a NIC. So the first program is ours (`guest-entry.sh`), after the engine's init if the
 * image has none. It waits for the NIC without a deadline, because a guest must not start without
 * its network. On the first boot it does what cloud-init does on a machine. Then it becomes the
 * image's own command. Anybody's later `docker restart` does the same.
 */
import {
  chmod,
  constants,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  rename,
  rm,
} from 'node:fs/promises'
import { hasCode } from '../lib/errno.ts'
import { exists, replaceUnsynced } from '../lib/files.ts'
import { below } from '../lib/paths.ts'
import type { Runner } from '../lib/runner.ts'
import { unavailable } from '../model/errors.ts'
import { GUEST_KIT_DIRECTORY } from '../model/names.ts'
import type { InstanceWant } from '../model/want.ts'
import { renderMetaData } from '../plan/nocloud.ts'
import { isStaticElf } from './elf.ts'

/** The path of the kit in a guest. */
export const GUEST_KIT_MOUNT = '/.atoll'

/** The guest's first program. */
export const GUEST_ENTRY_FILE = new URL('guest-entry.sh', import.meta.url)

export interface GuestKit {
  /** Where the kit of an instance with this directory is. */
  path(instanceDir: string): string
  /**
   * Writes an instance's kit. The guest is to install its key and run its user data if it `isNew`,
   * or has ended before `plugged`: until then it waits, and has done nothing. Errors: `unavailable`
   * when there is no static busybox.
   */
  prepare(want: InstanceWant, instanceDir: string, isNew: boolean): Promise<void>
  /**
   * Writes the kit of a guest that is not known yet. It waits until `release`, which costs no time
   * of a processor. Errors: as above.
   */
  prepareWaiting(instanceDir: string): Promise<void>
  /** Adds the instance's own files, for its first boot, to the kit of a guest that waits. */
  complete(want: InstanceWant, instanceDir: string): Promise<void>
  /** Lets a guest wait for its NIC as all others do. Does nothing if it does so already. */
  release(instanceDir: string): Promise<void>
  /** Call when a guest has its NIC: what it does on its first boot, it does now. */
  plugged(instanceDir: string): Promise<void>
}

/** Whether a guest still waits for its first NIC. Those of older daemons have no such file. */
function dueFile(instanceDir: string): string {
  return below(instanceDir, 'first-boot-due')
}

function path(instanceDir: string): string {
  return below(instanceDir, 'kit')
}

/**
 * The kit with a copy of the busybox at `busyboxPath` below `stateDir`, so that a package upgrade
 * on the host does not affect guests. The copy is made for the first instance.
 */
export function createGuestKit(options: {
  readonly stateDir: string
  readonly busyboxPath: string
  /** Runs `mkfifo`. */
  readonly run: Runner
}): GuestKit {
  let copied: Promise<string> | undefined
  function busybox(): Promise<string> {
    copied ??= copyBusybox(options.busyboxPath, below(options.stateDir, GUEST_KIT_DIRECTORY)).catch(
      (error: unknown) => {
        copied = undefined
        throw error
      },
    )
    return copied
  }
  async function prepare(instanceDir: string, own: readonly KitFile[]): Promise<void> {
    const kitDir = path(instanceDir)
    // Only root may read user data on the host. The guest reads it through its mount.
    await mkdir(instanceDir, { recursive: true, mode: 0o700 })
    // Older daemons left it open.
    await chmod(instanceDir, 0o700)
    // The guest's mount refers to this directory, so its contents are replaced and not the
    // directory.
    await mkdir(kitDir, { recursive: true })
    // The guest's root is an unprivileged user here. The mode must not depend on the daemon's
    // umask.
    await chmod(kitDir, EXECUTABLE)
    const enter = { name: 'enter', content: await readFile(GUEST_ENTRY_FILE), mode: EXECUTABLE }
    await Promise.all([placeBusybox(await busybox(), kitDir), placeFiles(kitDir, [enter, ...own])])
  }
  return {
    path,
    async prepare(want, instanceDir, isNew) {
      const firstBoot = isNew || (await exists(dueFile(instanceDir)))
      await prepare(instanceDir, renderKit(want, firstBoot))
      if (firstBoot) await setDue(instanceDir)
    },
    async prepareWaiting(instanceDir) {
      await prepare(instanceDir, [])
      const fifo = below(path(instanceDir), WAIT)
      await rm(fifo, { force: true })
      const { exitCode, stderr } = await options.run('mkfifo', ['-m', '644', fifo])
      if (exitCode !== 0) throw unavailable(`${fifo} could not be made: ${stderr.trim()}`)
    },
    async complete(want, instanceDir) {
      await placeFiles(path(instanceDir), renderKit(want, true))
      await setDue(instanceDir)
    },
    release: (instanceDir) => release(below(path(instanceDir), WAIT)),
    plugged: (instanceDir) => rm(dueFile(instanceDir), { force: true }),
  }
}

/** Of a start that a power failure undoes this may be lost, too. */
function setDue(instanceDir: string): Promise<void> {
  return replaceUnsynced(dueFile(instanceDir), '', PLAIN)
}

/** The FIFO that a guest waits for in `guest-entry.sh`. */
const WAIT = 'wait'

/**
 * Ends the wait of whoever has opened the FIFO for reading, or is about to: while it is open for
 * writing here, nobody waits to open it (fifo(7)), and afterwards it is not there.
 */
async function release(fifo: string): Promise<void> {
  let opened: FileHandle
  try {
    opened = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  try {
    await rm(fifo, { force: true })
  } finally {
    await opened.close()
  }
}

async function copyBusybox(source: string, dir: string): Promise<string> {
  const busybox = below(dir, 'busybox')
  await assertStatic(source)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await copyFile(source, `${busybox}.new`, constants.COPYFILE_FICLONE)
  await chmod(`${busybox}.new`, EXECUTABLE)
  await rename(`${busybox}.new`, busybox)
  return busybox
}

interface KitFile {
  readonly name: string
  /** Null: the guest must not have it. */
  readonly content: string | Buffer | null
  readonly mode: number
}

const PLAIN = 0o644
const EXECUTABLE = 0o755

/** The files of an instance's kit, besides busybox and the entry script. Pure. */
export function renderKit(want: InstanceWant, firstBoot: boolean): readonly KitFile[] {
  const userData = want.userData === null ? null : Buffer.from(want.userData, 'base64')
  const isScript = userData?.subarray(0, 2).toString('latin1') === '#!'
  return [
    { name: 'first-boot', content: firstBoot ? lineOf(want.id) : null, mode: PLAIN },
    { name: 'authorized-keys', content: lineOf(want.publicKey), mode: PLAIN },
    // The mode tells the entry script whether to run it.
    { name: 'user-data', content: userData, mode: isScript ? EXECUTABLE : PLAIN },
    { name: 'meta-data', content: renderMetaData(want), mode: PLAIN },
  ]
}

function lineOf(text: string | null): string | null {
  return text === null ? null : `${text.trim()}\n`
}

async function placeFiles(kitDir: string, files: readonly KitFile[]): Promise<void> {
  await Promise.all(
    files.map(({ name, content, mode }) => placeFile(below(kitDir, name), content, mode)),
  )
}

async function placeFile(path: string, content: string | Buffer | null, mode: number) {
  if (content === null) return rm(path, { force: true })
  // No guest outlives a power failure, and its kit is written again before it is started.
  await replaceUnsynced(path, content, mode)
}

/** A hard link where the file system allows it, so that instances share one copy. */
async function placeBusybox(busybox: string, kitDir: string): Promise<void> {
  const fresh = below(kitDir, 'busybox.new')
  await rm(fresh, { force: true })
  await link(busybox, fresh).catch(() => copyFile(busybox, fresh))
  await chmod(fresh, EXECUTABLE)
  await rename(fresh, below(kitDir, 'busybox'))
}

/** The first bytes of a program contain its ELF header and, in practice, all program headers. */
const ELF_HEAD_BYTES = 4096

async function assertStatic(path: string): Promise<void> {
  const file = await open(path).catch((error: unknown) => {
    throw unavailable(`there is no ${path}; install Debian's package busybox-static`, error)
  })
  try {
    const head = Buffer.alloc(ELF_HEAD_BYTES)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    if (isStaticElf(head.subarray(0, bytesRead))) return
  } finally {
    await file.close()
  }
  throw unavailable(
    `${path} is not a statically linked program, so it cannot run in guests; install Debian's package busybox-static`,
  )
}
