/**
 * Tables of the kernel that all of a machine share, and the part of them that one container may
 * have.
 *
 * Most of the kernel's counts were chosen for machines on which nobody is hostile, before it could
 * charge what is counted to a control group. What it charges to the memory of a group today is
 * bounded by the instance's memory, which is its own: there the count, which is everybody's, is
 * raised out of the way. Raising takes nothing; each is the value of systemd or of a larger
 * machine.
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
 * Below /proc/sys: at least so much (Documentation/admin-guide/sysctl of the kernel; limits of
 * `long` are lower in some).
 */
function roomFor(memoryMiB: number): readonly (readonly [string, number])[] {
  return [
    ['fs/file-max', Number.MAX_SAFE_INTEGER],
    ['fs/aio-max-nr', 2 ** 30],
    ['fs/epoll/max_user_watches', 2 ** 30],
    ['kernel/pty/max', 2 ** 20],
    // One for each MiB: the part of a type of 32 MiB is then 16.
    ['fs/inotify/max_user_instances', Math.max(8192, memoryMiB)],
  ]
}

/**
 * Raises what is lower, and logs what it cannot raise: then neighbours are no worse off than
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

/** How large the tables are now. Errors: those of reading /proc, which no Linux has. */
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
 * Sets the limits of the user namespace of process `pid` (user_namespaces(7), /proc/sys/user): what
 * is below counts there and in all namespaces above. Its own root cannot raise them, because it
 * lacks CAP_SYS_RESOURCE there. No namespaces of its own either: they are the way to most of the
 * kernel's holes. `domain` becomes its domain name, which an engine cannot set there (runc writes
 * kernel.domainname, which the kernel lets only the host's root do). Errors: `unavailable`.
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
  // A process enters a user namespace only while it has one thread, which this one has not.
  const enter = [`--user=/proc/${pid}/ns/user`, `--uts=/proc/${pid}/ns/uts`, '--wd=/proc/sys/user']
  const script = ['sh', '-ec', [...lines, 'domainname "$0"'].join('\n'), domain]
  const ran = await run('nsenter', [...enter, ...script], {
    timeoutMs: ENTER_TIMEOUT_MS,
  })
  if (ran.exitCode !== 0)
    throw unavailable(`limits of process ${pid} were not set: nsenter: ${failureOf(ran)}`)
}
