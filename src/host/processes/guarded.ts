/**
 * Ends the processes of instances, by what they are and not by their numbers: a process belongs to
 * a container if its control group is named after it, and to a virtual machine if it runs as the
 * machine's user. Reads /proc only.
 *
 * A process is opened first (pidfd_open(2)) and looked at then, so that its number cannot pass to
 * another process before the signal is sent.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import koffi from 'koffi'
import { hasCode } from '../../lib/errno.ts'
import { statFields } from './stat.ts'

/** Whose processes. */
interface ProcessOwners {
  /** Ids of containers. */
  readonly containers: ReadonlySet<string>
  readonly users: ReadonlySet<number>
}

export interface GuardedProcesses {
  /**
   * Sends SIGKILL to each process of these, and returns how many there are that have not ended. 0:
   * all have, and hold nothing any more.
   */
  kill(owners: ProcessOwners): number
}

/** The same on every architecture. */
const PIDFD_OPEN = 434
const PIDFD_SEND_SIGNAL = 424
const SIGKILL = 9
const CONTAINER_ID = /[0-9a-f]{64}/g

/** The processes that /proc shows. */
export function loadGuardedProcesses(): GuardedProcesses {
  const library = koffi.load('libc.so.6')
  // Declarations of one variadic function, for each number of arguments.
  const open = library.func('long syscall(long number, long pid, long flags)')
  const send = library.func(
    'long syscall(long number, long fd, long signal, long info, long flags)',
  )
  const close = library.func('int close(int fd)')

  /** Whether there is such a process, which has been sent the signal. */
  function killOne(pid: number, owners: ProcessOwners): boolean {
    const fd = Number(open(PIDFD_OPEN, pid, 0))
    if (fd < 0) return false
    try {
      if (!isOwned(pid, owners) || hasEnded(pid)) return false
      send(PIDFD_SEND_SIGNAL, fd, SIGKILL, 0, 0)
      return true
    } finally {
      close(fd)
    }
  }

  return {
    kill(owners) {
      if (owners.containers.size === 0 && owners.users.size === 0) return 0
      const pids = readdirSync('/proc').filter((name) => /^[1-9]\d*$/.test(name))
      return pids.filter((pid) => isOwned(Number(pid), owners) && killOne(Number(pid), owners))
        .length
    },
  }
}

function isOwned(pid: number, { containers, users }: ProcessOwners): boolean {
  try {
    if (users.size > 0 && users.has(statSync(`/proc/${pid}`).uid)) return true
    if (containers.size === 0) return false
    const ids = readFileSync(`/proc/${pid}/cgroup`, 'latin1').match(CONTAINER_ID) ?? []
    return ids.some((id) => containers.has(id))
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false
    throw error
  }
}

/**
 * Whether nothing of it runs: it is a zombie, and has no other thread, which could outlive the
 * first one (proc_pid_stat(5), state and num_threads).
 */
function hasEnded(pid: number): boolean {
  try {
    const fields = statFields(readFileSync(`/proc/${pid}/stat`, 'latin1'))
    return /^[ZX]/.test(fields[0] ?? '') && Number(fields[17]) <= 1
  } catch {
    return true
  }
}
