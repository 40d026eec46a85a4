/** The guest of `scripts/make-tiny-guest` for tests. */
import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { madeOnce, madeOnceDirectory } from './made-once.ts'

interface TinyGuest {
  readonly kernelPath: string
  readonly initrdPath: string
  /** Both as RegisterImage accepts them. */
  readonly location: string
}

/** It downloads 27 MB. */
const DEADLINE_MS = 300_000

/** Whether this machine has what virtual machines need, and a busybox for the guest. */
export function canRunMachines(): boolean {
  const needed = ['/usr/bin/qemu-system-x86_64', '/dev/net/tun', '/bin/busybox']
  return process.getuid?.() === 0 && needed.every((path) => existsSync(path))
}

/** A copy of the guest in this directory of published images. */
export async function placeTinyGuest(directory: string): Promise<TinyGuest> {
  const made = await tinyGuest()
  const guest = guestIn(directory)
  await copyFile(made.kernelPath, guest.kernelPath)
  await copyFile(made.initrdPath, guest.initrdPath)
  return guest
}

/** The guest, in its own directory below this one (`madeOnce`). */
export async function tinyGuest(below = madeOnceDirectory()): Promise<TinyGuest> {
  const home = await madeOnce('make-tiny-guest', '.', { below, timeoutMs: DEADLINE_MS })
  return guestIn(home)
}

function guestIn(directory: string): TinyGuest {
  const kernelPath = join(directory, 'vmlinuz')
  const initrdPath = join(directory, 'initrd.img')
  return { kernelPath, initrdPath, location: `kernel=${kernelPath},initrd=${initrdPath}` }
}
