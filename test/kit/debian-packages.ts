/**
 * Programs of Debian packages that a test runs but that must not be installed on the machine: a
 * network manager, for example, would take over its network. They are downloaded once and unpacked
 * into a directory. Scripts of the packages are not run.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exists } from '../../src/lib/files.ts'

const run = promisify(execFile)
const FETCH_DEADLINE_MS = 300_000

const PACKAGES = [
  'systemd',
  'libsystemd-shared',
  'systemd-resolved',
  'dbus-daemon',
  'network-manager',
  'libnm0',
  'libndp0',
  'libteamdctl0',
  'libjansson4',
  'ufw',
  'firewalld',
  'python3-firewall',
  'python3-nftables',
  'python3-dbus',
  'python3-gi',
  'gir1.2-glib-2.0',
  'libgirepository-1.0-1',
] as const

/** Where the programs are, or would be. */
export function unpackedPackages(): string {
  const key = createHash('sha256').update(PACKAGES.join()).digest('hex').slice(0, 16)
  return join(tmpdir(), `atoll-packages-${key}`)
}

/** The environment that has a program of theirs find its libraries. */
export function packageLibraries(): string {
  const home = unpackedPackages()
  const below = ['usr/lib', 'lib'].map((directory) => `${home}/${directory}/$(uname -m)-linux-gnu`)
  return `LD_LIBRARY_PATH=${[...below, ...below.map((one) => `${one}/systemd`)].join(':')}`
}

/** Fetches them where they are not there yet. Rejects with what `apt-get` said. */
export async function fetchPackages(): Promise<void> {
  const home = unpackedPackages()
  if (await exists(home)) return
  const making = await mkdtemp(`${home}-`)
  try {
    const files = join(making, 'files')
    await mkdir(files)
    const download = ['download', '-q', '-o', 'APT::Sandbox::User=root', ...PACKAGES]
    await run('apt-get', download, { cwd: files, timeout: FETCH_DEADLINE_MS })
    for (const file of await readdir(files))
      await run('dpkg-deb', ['-x', join(files, file), making])
    await rm(files, { recursive: true })
    // Daemons that have given up root read their own files.
    await chmod(making, 0o755)
    await rename(making, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}
