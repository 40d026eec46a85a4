/**
 * The volume with the NoCloud files (`plan/nocloud.ts`) for a virtual machine.
 *
 * It is an ISO 9660 image made by xorriso; genisoimage has been unmaintained since 2010. It
 * contains user data, so it is made inside a directory that only root may enter. It gets its name
 * when it is complete.
 */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { below, removeTree } from '../lib/paths.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { unavailable } from '../model/errors.ts'
import { renderSeed, type Seeded } from '../plan/nocloud.ts'

/** The label by which cloud-init recognises the volume. */
const VOLUME_LABEL = 'cidata'
const XORRISO_TIMEOUT_MS = 30_000

/**
 * Writes the seed volume of an instance to `file` with mode 0600, replacing an existing one.
 * Errors: `unavailable` when xorriso is missing or fails.
 */
export async function writeSeed(
  file: string,
  want: Seeded,
  { run, signal }: { readonly run: Runner; readonly signal: AbortSignal },
): Promise<void> {
  const making = `${file}.making`
  const content = below(making, 'content')
  const volume = below(making, 'volume')
  // Left by a daemon that died here.
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
  // Without start-up files of a user. Both Rock Ridge and Joliet allow hyphens in names.
  const args = ['-no_rc', '-as', 'mkisofs', '-quiet', '-volid', VOLUME_LABEL, '-rock', '-joliet']
  const made = await run('xorriso', [...args, '-output', volume, content], {
    timeoutMs: XORRISO_TIMEOUT_MS,
    signal,
  }).catch((error: unknown) => {
    throw unavailable('xorriso cannot be started (Debian: apt-get install xorriso)', error)
  })
  if (made.exitCode !== 0) throw unavailable(`xorriso made no seed volume: ${failureOf(made)}`)
}
