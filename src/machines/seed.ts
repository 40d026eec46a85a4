/**
 * The volume that carries the NoCloud files (`plan/nocloud.ts`) into a virtual machine.
 *
 * It is an ISO 9660 image made by xorriso, whose upstream lives, while genisoimage's ended in 2010.
 * It holds user data: it is made inside a directory that only root may enter, and appears under its
 * name when it is complete.
 */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { below, removeTree } from '../lib/paths.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { unavailable } from '../model/errors.ts'
import { renderSeed, type Seeded } from '../plan/nocloud.ts'

/** The label by which cloud-init knows the volume. */
const VOLUME_LABEL = 'cidata'
const XORRISO_TIMEOUT_MS = 30_000

/**
 * Writes the seed volume of an instance to `file`, mode 0600, in the place of what is there.
 * Errors: `unavailable` when xorriso is not here or fails.
 */
export async function writeSeed(
  file: string,
  want: Seeded,
  { run, signal }: { readonly run: Runner; readonly signal: AbortSignal },
): Promise<void> {
  const making = `${file}.making`
  const content = below(making, 'content')
  const volume = below(making, 'volume')
  // One that a daemon left when it died here.
  await removeTree(dirname(making), basename(making))
  try {
    await mkdir(making, { mode: 0o700 })
    await mkdir(content)
    for (const [name, bytes] of renderSeed(want)) await writeFile(below(content, name), bytes)
    await makeVolume(volume, content, run, signal)
    await chmod(volume, 0o600)
    await rename(volume, file)
  } finally {
    await removeTree(dirname(making), basename(making))
  }
}

async function makeVolume(
  volume: string,
  content: string,
  run: Runner,
  signal: AbortSignal,
): Promise<void> {
  // Without anybody's start-up files. Rock Ridge and Joliet both keep names with a hyphen.
  const args = ['-no_rc', '-as', 'mkisofs', '-quiet', '-volid', VOLUME_LABEL, '-rock', '-joliet']
  const made = await run('xorriso', [...args, '-output', volume, content], {
    timeoutMs: XORRISO_TIMEOUT_MS,
    signal,
  }).catch((error: unknown) => {
    throw unavailable('xorriso cannot be started (Debian: apt-get install xorriso)', error)
  })
  if (made.exitCode !== 0) throw unavailable(`xorriso made no seed volume: ${failureOf(made)}`)
}
