/**
 * How the kernel shares the processor among threads (sched(7)).
 *
 * A thread with a nice value, however low, waits for whoever runs until that one has had its time
 * slice, some milliseconds. A real-time thread runs at once, and in turn with others like it.
 */
import { readFileSync } from 'node:fs'
import koffi from 'koffi'
import { statFields } from './stat.ts'

export interface Scheduling {
  /**
   * Gives the first thread of a process the lowest real-time priority (SCHED_RR), or takes it away
   * (SCHED_OTHER): then its nice value counts, as before. Threads and processes that it starts are
   * ordinary ones. False: the kernel does not allow it, or there is no such process.
   */
  setRealTime(pid: number, isRealTime: boolean): boolean
  /** Processor time that the first thread of a process has had, in ms; null: there is none. */
  processorMs(pid: number): number | null
}

const SCHED_OTHER = 0
const SCHED_RR = 2
const SCHED_RESET_ON_FORK = 0x40000000
const LOWEST_PRIORITY = 1
/** Of proc_pid_stat(5), from the state on. */
const [USER_TICKS, SYSTEM_TICKS] = [11, 12]
/** The kernel says 100 ticks a second to programs on all machines (USER_HZ). */
const TICK_MS = 10

/** The processes that /proc shows. */
export function loadScheduling(): Scheduling {
  const schedule = koffi
    .load('libc.so.6')
    .func('int sched_setscheduler(int pid, int policy, const uint8_t *priority)')
  return {
    setRealTime(pid, isRealTime) {
      const policy = isRealTime ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER
      const priority = Int32Array.of(isRealTime ? LOWEST_PRIORITY : 0)
      return schedule(pid, policy, Buffer.from(priority.buffer)) === 0
    },
    processorMs(pid) {
      try {
        const fields = statFields(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8'))
        return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) * TICK_MS
      } catch {
        return null
      }
    },
  }
}
