/**
 * What an instance's cloud-init reads when it does not ask the metadata service: the NoCloud files, and the volume that carries them
 * into a virtual machine (https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html).
 *
 * The volume is an ISO 9660 image made by xorriso, whose upstream lives, while genisoimage's ended in 2010. It holds user data: it is
 * made inside a directory that only root may enter, and appears under its name when it is complete.
 */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { below, removeTree } from '../../lib/paths.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { InstanceWant } from '../../model/want.ts'

type Seeded = Pick<InstanceWant, 'id' | 'hostname' | 'publicKey' | 'userData' | 'nics'>

/** The label by which cloud-init knows the volume. */
const VOLUME_LABEL = 'cidata'
const XORRISO_TIMEOUT_MS = 30_000

/**
 * Writes the seed volume of an instance to `file`, mode 0600, in the place of what is there. Errors: `unavailable` when xorriso is not
 * here or fails.
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

/** The files of the seed by their names. User data is given on as it came. Pure. */
export function renderSeed(want: Seeded): ReadonlyMap<string, string | Buffer> {
  return new Map<string, string | Buffer>([
    ['meta-data', renderMetaData(want)],
    // Without one there is no seed to cloud-init, even if there is nothing to say.
    ['user-data', Buffer.from(want.userData ?? '', 'base64')],
    ['network-config', renderNetwork(want)],
  ])
}

/** NoCloud's meta-data; JSON is YAML, so nothing needs quoting of our own. */
export function renderMetaData(want: Pick<Seeded, 'id' | 'hostname' | 'publicKey'>): string {
  return `${JSON.stringify({
    'instance-id': want.id,
    'local-hostname': want.hostname,
    'public-keys': want.publicKey === null ? [] : [want.publicKey.trim()],
  })}\n`
}

/** Every NIC asks for its address, whatever the guest calls it (cloud-init, "Networking config Version 2"). */
function renderNetwork({ nics }: Pick<Seeded, 'nics'>): string {
  const ethernets = Object.fromEntries(
    nics.map(({ mac, deviceIndex }) => [
      `nic${deviceIndex}`,
      { match: { macaddress: mac }, dhcp4: true },
    ]),
  )
  return `${JSON.stringify({ version: 2, ethernets })}\n`
}

async function makeVolume(
  volume: string,
  content: string,
  run: Runner,
  signal: AbortSignal,
): Promise<void> {
  // Without anybody's start-up files. Rock Ridge and Joliet both keep names with a hyphen.
  const args = ['-no_rc', '-as', 'mkisofs', '-quiet', '-volid', VOLUME_LABEL, '-rock', '-joliet']
  const { exitCode, stoppedBy, stderr } = await run(
    'xorriso',
    [...args, '-output', volume, content],
    { timeoutMs: XORRISO_TIMEOUT_MS, signal },
  ).catch((error: unknown) => {
    throw unavailable('xorriso cannot be started (Debian: apt-get install xorriso)', error)
  })
  if (exitCode !== 0)
    throw unavailable(`xorriso made no seed volume: ${stoppedBy ?? stderr.trim()}`)
}
