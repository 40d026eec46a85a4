/**
 * The guest of `scripts/make-tiny-guest` for tests: made once on a machine, and again when the script is another one.
 *
 * Tests of several processes may ask at once: each that finds none makes one of its own, and the first to be ready gives it to all.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

interface TinyGuest {
  readonly kernelPath: string
  readonly initrdPath: string
  /** Both as RegisterImage takes them. */
  readonly location: string
}

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../../scripts/make-tiny-guest')
/** It fetches 27 MB. */
const DEADLINE_MS = 300_000

/** Whether this machine has what virtual machines need, and a busybox for the guest. */
export function canRunMachines(): boolean {
  const needed = ['/usr/bin/qemu-system-x86_64', '/dev/net/tun', '/bin/busybox']
  return process.getuid?.() === 0 && needed.every((path) => existsSync(path))
}

/** The guest, in a directory of its own below `directory`, which must be one that only trusted users may write to or is sticky. */
export async function tinyGuest(directory = tmpdir()): Promise<TinyGuest> {
  const content = createHash('sha256').update(await readFile(SCRIPT))
  const home = join(directory, `atoll-tiny-guest-${content.digest('hex').slice(0, 16)}`)
  const isThere = () =>
    access(join(home, 'initrd.img')).then(
      () => true,
      () => false,
    )
  if (!(await isThere())) {
    const making = await mkdtemp(join(directory, 'atoll-tiny-guest-'))
    try {
      await run(SCRIPT, [making], { timeout: DEADLINE_MS })
      // Fails on a directory that is not empty: another process was faster.
      await rename(making, home).catch(async (error: unknown) => {
        if (!(await isThere())) throw error
      })
    } finally {
      await rm(making, { recursive: true, force: true })
    }
  }
  const kernelPath = join(home, 'vmlinuz')
  const initrdPath = join(home, 'initrd.img')
  return { kernelPath, initrdPath, location: `kernel=${kernelPath},initrd=${initrdPath}` }
}
