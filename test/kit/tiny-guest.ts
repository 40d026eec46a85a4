/** The guest of `scripts/make-tiny-guest` for tests. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { madeOnce } from './made-once.ts'

interface TinyGuest {
  readonly kernelPath: string
  readonly initrdPath: string
  /** Both as RegisterImage takes them. */
  readonly location: string
}

/** It fetches 27 MB. */
const DEADLINE_MS = 300_000

/** Whether this machine has what virtual machines need, and a busybox for the guest. */
export function canRunMachines(): boolean {
  const needed = ['/usr/bin/qemu-system-x86_64', '/dev/net/tun', '/bin/busybox']
  return process.getuid?.() === 0 && needed.every((path) => existsSync(path))
}

/** The guest, in a directory of its own below this one, as `madeOnce` wants it. */
export async function tinyGuest(below = tmpdir()): Promise<TinyGuest> {
  const home = await madeOnce('make-tiny-guest', '.', { below, timeoutMs: DEADLINE_MS })
  const kernelPath = join(home, 'vmlinuz')
  const initrdPath = join(home, 'initrd.img')
  return { kernelPath, initrdPath, location: `kernel=${kernelPath},initrd=${initrdPath}` }
}
