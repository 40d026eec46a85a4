/**
 * Whether a process is stopped as a whole, so that it does nothing. The network of a container does
 * not show it: the kernel answers for it.
 */
import { readFile } from 'node:fs/promises'
import { statFields } from './stat.ts'

/** proc_pid_stat(5): stopped on a signal, stopped by a debugger, or ended. */
const HALTED_STATES: ReadonlySet<string | undefined> = new Set(['T', 't', 'Z', 'X', 'x'])
const FREEZERS = '/sys/fs/cgroup/freezer'
const UNIFIED = '/sys/fs/cgroup'

/**
 * Whether a process was stopped (signal(7), SIGSTOP), has ended, or is in a control group that is
 * frozen (cgroups(7): the controller `freezer` of version 1, `cgroup.events` of version 2).
 */
export async function isHalted(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (stat === null || HALTED_STATES.has(statFields(stat)[0])) return true
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  for (const { file, frozen } of freezerFiles(groups))
    if (frozen.test(await readFile(file, 'utf8').catch(() => ''))) return true
  return false
}

/**
 * The files that say whether the control groups of a process are frozen, and what they say then,
 * from its `/proc/PID/cgroup`.
 */
export function freezerFiles(
  groups: string,
): readonly { readonly file: string; readonly frozen: RegExp }[] {
  return groups.split('\n').flatMap((line) => {
    const [number, controllers = '', ...rest] = line.split(':')
    const path = rest.join(':')
    if (!path.startsWith('/') || path.includes('/../')) return []
    if (controllers.split(',').includes('freezer'))
      return { file: `${FREEZERS}${path}/freezer.state`, frozen: /^FROZEN$/m }
    if (number === '0' && controllers === '')
      return { file: `${UNIFIED}${path}/cgroup.events`, frozen: /^frozen 1$/m }
    return []
  })
}
