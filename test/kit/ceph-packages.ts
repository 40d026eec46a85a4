/**
 * Programs of Ceph that a test runs but that must not be installed on the machine: its packages
 * start services. They are downloaded once, with all that they depend on, and unpacked into a
 * directory. Scripts of the packages are not run.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exists } from '../../src/lib/files.ts'

const run = promisify(execFile)
const FETCH_DEADLINE_MS = 300_000
const PACKAGES = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-common', 'qemu-block-extra'] as const

/** Where the programs are. Fetches them first where they are not there yet. */
export async function unpackedCeph(): Promise<string> {
  const home = join(tmpdir(), 'atoll-packages-ceph')
  if (await exists(home)) return home
  const making = await mkdtemp(`${home}-`)
  try {
    const files = join(making, 'archives')
    await mkdir(join(files, 'partial'), { recursive: true })
    const options = ['-o', `Dir::Cache::archives=${files}`, '-o', 'APT::Sandbox::User=root']
    const what = ['install', '--download-only', '--no-install-recommends', '-y', '-q', ...PACKAGES]
    await run('apt-get', [...options, ...what], { timeout: FETCH_DEADLINE_MS, maxBuffer: 2 ** 24 })
    for (const file of await readdir(files))
      if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(files, file), making])
    await rm(files, { recursive: true })
    await rename(making, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error
    })
    return home
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}

/**
 * Bash: in a mount namespace of its own, has them as if they were installed, with what their
 * scripts make. `$own` is an empty directory, or that of borrowed.ts; /etc and /var/lib are the
 * namespace's own. `home`: of `unpackedCeph`.
 */
export const asInstalled = (home: string) => `
mkdir -p $own/overlay/{usr,lib,work-usr,work-lib}
mount -t overlay overlay -o lowerdir=${home}/usr:/usr,upperdir=$own/overlay/usr,workdir=$own/overlay/work-usr /usr
mount -t overlay overlay -o lowerdir=${home}/lib:/usr/lib,upperdir=$own/overlay/lib,workdir=$own/overlay/work-lib /usr/lib
[ ! -d $own/bin ] || mount --bind $own/bin /usr/local/bin
cp /var/lib/dpkg/status $own/dpkg-status
for each in ${PACKAGES.join(' ')}; do
  printf 'Package: %s\nStatus: install ok installed\nMaintainer: -\nArchitecture: all\nVersion: 1\nDescription: -\n\n' $each
done >>$own/dpkg-status
mount --bind $own/dpkg-status /var/lib/dpkg/status
useradd --system --no-create-home --home-dir /var/lib/ceph --shell /usr/sbin/nologin ceph
mkdir -p /etc/ceph /var/lib/ceph
`

/** The environment in which programs there find their libraries, modules and each other. */
export async function cephEnvironment(): Promise<Readonly<Record<string, string>>> {
  const home = await unpackedCeph()
  const libraries = join(home, 'usr', 'lib')
  const [arch] = (await readdir(libraries)).filter((name) => name.endsWith('-linux-gnu'))
  const native = join(libraries, arch ?? '')
  return {
    PATH: `${join(home, 'usr', 'bin')}:${process.env['PATH'] ?? ''}`,
    LD_LIBRARY_PATH: [native, join(native, 'ceph'), join(home, 'lib', arch ?? '')].join(':'),
    PYTHONPATH: join(libraries, 'python3', 'dist-packages'),
    QEMU_MODULE_DIR: join(native, 'qemu'),
    CEPH_LIBRARIES: native,
  }
}
