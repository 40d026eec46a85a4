/** The Debian cloud image of `scripts/make-image` for tests: made once on a machine, and again when the script is another one. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../../scripts/make-image')
/** It fetches 150 packages and unpacks them. */
const DEADLINE_MS = 900_000

/** The image's path. */
export async function debianImage(): Promise<string> {
  const content = createHash('sha256').update(await readFile(SCRIPT))
  const path = join(tmpdir(), `atoll-debian-${content.digest('hex').slice(0, 16)}.qcow2`)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (!isThere) await run(SCRIPT, [path], { timeout: DEADLINE_MS })
  return path
}
