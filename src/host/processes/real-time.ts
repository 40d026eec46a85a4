/**
 * Makes this process one that runs when others want to, and that never waits for the disk to be
 * given its own memory.
 */
import koffi from 'koffi'

const SCHED_FIFO = 1
/** Programs that this process starts are ordinary ones. */
const SCHED_RESET_ON_FORK = 0x40000000
const LOWEST_PRIORITY = 1
/** MCL_CURRENT, MCL_FUTURE, and MCL_ONFAULT: memory that is reserved only takes no room. */
const LOCK_FLAGS = 1 | 2 | 4

/** What was allowed (sched_setscheduler(2), mlockall(2)). */
export interface RealTime {
  readonly isFirst: boolean
  readonly isLocked: boolean
}

/** Does what is allowed. Without either the process works, if the machine is not busy. */
export function becomeRealTime(): RealTime {
  const library = koffi.load('libc.so.6')
  const schedule = library.func(
    'int sched_setscheduler(int pid, int policy, const uint8_t *priority)',
  )
  const lock = library.func('int mlockall(int flags)')
  const priority = Buffer.from(Int32Array.of(LOWEST_PRIORITY).buffer)
  return {
    isFirst: schedule(0, SCHED_FIFO | SCHED_RESET_ON_FORK, priority) === 0,
    isLocked: lock(LOCK_FLAGS) === 0,
  }
}
