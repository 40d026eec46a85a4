/**
 * Runs a script once on a machine for all tests, and again when the script has changed.
 *
 * Tests in several processes may ask at once. Each that finds no result makes one, and the first
 * result is used by all.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exists } from '../../src/lib/files.ts'

const run = promisify(execFile)
/**
 * Where what is made once on a machine is kept: `scripts/bench` has temporary directories of its
 * own for each run.
 */
export function madeOnceDirectory(): string {
  return process.env['ATOLL_MADE_ONCE'] ?? tmpdir()
}

const SCRIPTS = join(import.meta.dirname, '../../scripts')

/**
 * A directory with the result of `scripts/<script> <directory>/<target>`. It is below `below`,
 * which must be sticky, or writable for trusted users only.
 */
export async function madeOnce(
  script: string,
  target: string,
  {
    below = madeOnceDirectory(),
    timeoutMs,
  }: { readonly below?: string; readonly timeoutMs: number },
): Promise<string> {
  const path = join(SCRIPTS, script)
  const key = createHash('sha256').update(await readFile(path))
  const home = join(below, `atoll-${script}-${key.digest('hex').slice(0, 16)}`)
  if (await exists(home)) return home
  const making = await mkdtemp(join(below, `atoll-${script}-`))
  try {
    await run(path, [join(making, target)], { timeout: timeoutMs })
    // Fails if the directory is not empty: another process was faster.
    await rename(making, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return home
}
