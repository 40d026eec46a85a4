/**
 * Makes this process one that runs when others want to, and that does not wait for the disk to be
 * given back the code that it runs.
 *
 * Only what is mapped from files is locked, never all memory (mlockall(2)): V8 gives memory back by
 * madvise(MADV_DONTNEED), which fails for locked pages (EINVAL), and V8 ends the process then, at
 * its first thorough garbage collection.
 */
import { readFileSync } from 'node:fs'
import koffi from 'koffi'

const SCHED_FIFO = 1
/** Programs that this process starts are ordinary ones. */
const SCHED_RESET_ON_FORK = 0x40000000
const LOWEST_PRIORITY = 1
/** Of mlock2(2): what was never used takes no room. */
const MLOCK_ONFAULT = 1
/** Address, end, permissions, offset, device, inode, and the path of a file (proc_pid_maps(5)). */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) [rwxps-]{4} [0-9a-f]+ \S+ \d+ +\/(?!dev\/)/

/** What was allowed (sched_setscheduler(2), mlock2(2)). */
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
  const lock = library.func('int mlock2(uint64_t address, size_t bytes, int flags)')
  const priority = Buffer.from(Int32Array.of(LOWEST_PRIORITY).buffer)
  const isFirst = schedule(0, SCHED_FIFO | SCHED_RESET_ON_FORK, priority) === 0
  const locked = fileMappings().map(
    ({ address, bytes }) => lock(address, bytes, MLOCK_ONFAULT) === 0,
  )
  return { isFirst, isLocked: locked.length > 0 && locked.every(Boolean) }
}

/** The programs and libraries that this process has mapped. */
function fileMappings(): readonly { readonly address: bigint; readonly bytes: bigint }[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [, from, to] = MAPPING.exec(line) ?? []
    if (from === undefined || to === undefined) return []
    const address = BigInt(`0x${from}`)
    return [{ address, bytes: BigInt(`0x${to}`) - address }]
  })
}
