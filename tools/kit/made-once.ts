/**
 * What a script makes for tests, made once on a machine, and again when the script is another one.
 *
 * Tests of several processes may ask at once: each that finds nothing makes one of its own, and the
 * first to be ready gives it to all.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exists } from '../../src/lib/files.ts'

const run = promisify(execFile)
const SCRIPTS = join(import.meta.dirname, '../../scripts')

/**
 * A directory with what `scripts/<script> <directory>/<target>` made. It lies below `below`, which
 * must be one that only trusted users may write to or is sticky.
 */
export async function madeOnce(
  script: string,
  target: string,
  { below = tmpdir(), timeoutMs }: { readonly below?: string; readonly timeoutMs: number },
): Promise<string> {
  const path = join(SCRIPTS, script)
  const key = createHash('sha256').update(await readFile(path))
  const home = join(below, `atoll-${script}-${key.digest('hex').slice(0, 16)}`)
  if (await exists(home)) return home
  const making = await mkdtemp(join(below, `atoll-${script}-`))
  try {
    await run(path, [join(making, target)], { timeout: timeoutMs })
    // Fails on a directory that is not empty: another process was faster.
    await rename(making, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return home
}
