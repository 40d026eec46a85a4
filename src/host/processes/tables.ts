/**
 * Tables of the kernel that all of a machine share, and the share of one container.
 *
 * Most limits are from a time when the kernel could not charge entries to a control group. Entries
 * that it now charges to a group's memory are bounded by the instance's own memory. For these, the
 * machine-wide limit is raised so that it is never reached. Raising it costs nothing. Each value is
 * that of systemd or of a larger machine.
 */
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import type { Log } from '../../lib/log.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { InstanceLimits, MachineTables } from '../../model/limits.ts'
import { MIB } from '../../model/sizes.ts'

const ENTER_TIMEOUT_MS = 5_000
/**
 * Keys of one user (keyrings(7)). Each container has a session keyring, and all containers of an
 * engine with a user namespace count as one user's: with Linux's 200, the 200th does not start. The
 * kernel charges keys to nobody; an instance cannot make any, as Docker's seccomp profile refuses
 * add_key(2).
 */
const KEYS = 20_000
const BYTES_PER_KEY = 100

/**
 * Minimum values below /proc/sys (Documentation/admin-guide/sysctl of the kernel). Some limits of
 * type `long` are lower.
 */
function roomFor(memoryMiB: number): readonly (readonly [string, number])[] {
  return [
    ['fs/file-max', Number.MAX_SAFE_INTEGER],
    ['fs/aio-max-nr', 2 ** 30],
    ['fs/epoll/max_user_watches', 2 ** 30],
    ['kernel/pty/max', 2 ** 20],
    // One for each MiB: a type of 32 MiB then gets 16.
    ['fs/inotify/max_user_instances', Math.max(8192, memoryMiB)],
    ['kernel/keys/maxkeys', KEYS],
    ['kernel/keys/maxbytes', KEYS * BYTES_PER_KEY],
  ]
}

/**
 * Raises lower values. What cannot be raised is logged; then containers can affect each other as
 * before.
 */
export async function enlargeTables(log: Log): Promise<void> {
  const raised: string[] = []
  for (const [name, least] of roomFor(totalMiB()))
    try {
      const file = `/proc/sys/${name}`
      if (Number(await readFile(file, 'utf8')) >= least) continue
      await writeFile(file, String(least))
      raised.push(name)
    } catch (error) {
      log.warn({ name, error }, 'could not enlarge a kernel table')
    }
  if (raised.length > 0) log.info({ raised }, 'kernel tables enlarged')
}

/** The current sizes. Errors: those of reading /proc. */
export function readTables(): MachineTables {
  const setting = (name: string) => Number(readFileSync(`/proc/sys/${name}`, 'utf8'))
  return {
    memoryMiB: totalMiB(),
    processes: Math.min(setting('kernel/pid_max'), setting('kernel/threads-max')),
    inotifyInstances: setting('fs/inotify/max_user_instances'),
    inotifyWatches: setting('fs/inotify/max_user_watches'),
  }
}

function totalMiB(): number {
  return Math.floor(totalmem() / MIB)
}

/**
 * Sets the limits of the user namespace of process `pid` (user_namespaces(7), /proc/sys/user),
 * which count there and in all namespaces above. Its root lacks CAP_SYS_RESOURCE there, so it
 * cannot raise them. It may create no namespaces, because they are the way to most kernel
 * vulnerabilities. `domain` becomes its domain name, which an engine cannot set there: runc writes
 * kernel.domainname, which only the host's root may do. Errors: `unavailable`.
 */
export async function limitUserNamespace(
  run: Runner,
  pid: number,
  { inotifyInstances, inotifyWatches }: InstanceLimits,
  domain: string,
): Promise<void> {
  const values = {
    max_inotify_instances: inotifyInstances,
    max_inotify_watches: inotifyWatches,
    max_user_namespaces: 0,
  }
  const lines = Object.entries(values).map(([name, value]) => `echo ${value} >${name}`)
  // Only a process with a single thread can enter a user namespace, and this one has several.
  const enter = [`--user=/proc/${pid}/ns/user`, `--uts=/proc/${pid}/ns/uts`, '--wd=/proc/sys/user']
  const script = ['sh', '-ec', [...lines, 'domainname "$0"'].join('\n'), domain]
  const ran = await run('nsenter', [...enter, ...script], {
    timeoutMs: ENTER_TIMEOUT_MS,
  })
  if (ran.exitCode !== 0)
    throw unavailable(`limits of process ${pid} were not set: nsenter: ${failureOf(ran)}`)
}
