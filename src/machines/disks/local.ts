/** A root disk in the directory of its machine. Nobody else has it, and it goes with its host. */
import { open, rename } from 'node:fs/promises'
import { basename } from 'node:path'
import { exists } from '../../lib/files.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { refused, unavailable } from '../../model/errors.ts'
import type { RootDisk } from './disk.ts'

/** The disk with this path. */
export function localDisk(path: string, run: Runner): RootDisk {
  return {
    isShared: false,
    /** It is renamed when it is complete. */
    async make(base, sizeBytes) {
      // `-u` does not open the base, which was inspected when it was fetched.
      const on = base === null ? [] : ['-u', '-b', base.path, '-F', base.format]
      const args = ['create', '-q', '-f', 'qcow2', ...on, `${path}.new`, String(sizeBytes)]
      const made = await run('qemu-img', args).catch((error: unknown) => {
        throw unavailable('qemu-img cannot be started (Debian: apt-get install qemu-utils)', error)
      })
      if (made.exitCode !== 0)
        throw unavailable(`no disk could be made: qemu-img: ${failureOf(made)}`)
      await rename(`${path}.new`, path)
    },
    async find() {
      if (await exists(path)) return
      throw refused('UnsupportedOperation', `${basename(path)} is not there`)
    },
    async open() {
      const file = await open(path, 'r+')
      return { fd: file.fd, opens: null, close: () => void file.close() }
    },
  }
}
