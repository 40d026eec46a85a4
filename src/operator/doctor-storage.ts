/** Check of `atoll doctor`: the storage that this host shares with others. Changes nothing. */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { cephKeyring } from '../host/ceph/commands.ts'
import { exists } from '../lib/files.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

/** What is needed of the rows of `atoll hosts`. */
const reported = z.array(z.object({ name: z.string(), storage: z.string().nullish() }))

const LIBRARIES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
/** What is needed, with Debian's package. */
const CEPH_FILES = [
  ['/usr/bin/rbd', 'ceph-common'],
  [`${LIBRARIES}/qemu/block-rbd.so`, 'qemu-block-extra'],
] as const

/** Reads what the daemon that runs here has found. */
export async function checkStorage({
  storage,
  host,
  runtimeDir,
}: Pick<Config, 'storage' | 'host' | 'runtimeDir'>): Promise<CheckResult> {
  const { shared, ceph } = storage
  if (shared.path === null && ceph.pool === null)
    return ok('none (storage.shared.path, storage.ceph.pool)')
  const lacking = ceph.pool === null ? null : await cephLacks(ceph)
  if (lacking !== null) return lacking
  const what = shared.path ?? `the pool ${ceph.pool}`
  const answer = await readAdmin(runtimeDir, '/v1/hosts').catch(() => null)
  return judgeStorage(what, host.name, reported.safeParse(answer).data ?? null)
}

/** What this host lacks to use a pool of Ceph; null: nothing. */
async function cephLacks({
  user,
  conf,
  keyring,
}: Config['storage']['ceph']): Promise<CheckResult | null> {
  for (const [path, setting] of [
    [conf, 'storage.ceph.conf'],
    [keyring ?? cephKeyring(conf, user), 'storage.ceph.keyring'],
  ] as const)
    if (!(await exists(path)))
      return fail(
        `${path} is not there`,
        `copy it from the cluster, or set ${setting} (docs/shared-storage.md)`,
      )
  const lacking: string[] = []
  for (const [path, name] of CEPH_FILES) if (!(await exists(path))) lacking.push(name)
  if (lacking.length === 0) return null
  const packages = lacking.join(' ')
  return fail(`${packages} is not installed`, `apt-get install --no-install-recommends ${packages}`)
}

/** The result for these hosts; null: no daemon answers here. */
export function judgeStorage(
  /** A directory, or a pool. */
  what: string,
  self: string,
  hosts: z.output<typeof reported> | null,
): CheckResult {
  if (hosts === null) return ok(`${what}: not known: atolld is not running here`)
  const id = hosts.find(({ name }) => name === self)?.storage ?? null
  if (id === null)
    return warn(
      `${what} is not the storage of this cloud now: no machine with a disk there can be started here`,
      'mount the directory, or check the cluster (ceph -s); if it is new, run atoll storage init once. The log of atolld says what is wrong (journalctl -u atolld)',
    )
  const others = hosts.filter(({ name, storage }) => name !== self && storage === id)
  const names = others.map(({ name }) => name).join(', ')
  return ok(`${what} is ${id}, which ${names === '' ? 'no other host' : names} reaches, too`)
}
