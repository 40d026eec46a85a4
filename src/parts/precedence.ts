/**
 * Who runs first: the thread that answers instances gets a real-time priority. Its answers take
 * microseconds, and on a busy machine nearly all of the time of an answer was its wait for a
 * processor.
 *
 * It has the priority only as long as it uses less than half of a processor. So whatever instances
 * make it do, and an endless loop, takes no processor from the rest of the machine for longer than
 * a second; then its nice value counts. Meanwhile the kernel leaves others 5 % (sched(7),
 * sched_rt_runtime_us). Where real-time threads are not allowed, it stays with the nice value.
 */
import type { Scheduling } from '../host/processes/scheduling.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'

/** Of one processor, since it was looked at last: of one that goes first, and to do so again. */
const MOST_SHARE = { first: 0.5, again: 0.25 }

/** How often it is looked at, whether or not it answers. */
const LOOK_MS = 1_000

export interface PrecedenceParts {
  readonly scheduling: Scheduling
  /** Whether a process is one that serves: numbers are used again. */
  readonly isServing: (pid: number) => boolean
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly log: Log
}

interface Seen {
  readonly pid: number
  readonly atMs: number
  readonly processorMs: number
  readonly isFirst: boolean
}

/** Of the process that serves now. */
export class Precedence {
  readonly #parts: PrecedenceParts
  #seen: Seen | null = null
  #cancel = () => {}

  constructor(parts: PrecedenceParts) {
    this.#parts = parts
  }

  /** Looks at this process, from now on until it has ended or another one is named. */
  follow(pid: number): void {
    const { clock, isServing } = this.#parts
    this.close()
    if (!isServing(pid)) return
    this.#review(pid)
    this.#cancel = clock.after(LOOK_MS, () => this.follow(pid))
  }

  /** Leaves the process as it is. */
  close(): void {
    this.#cancel()
  }

  #review(pid: number): void {
    const { scheduling, clock } = this.#parts
    const processorMs = scheduling.processorMs(pid)
    if (processorMs === null) return
    const atMs = clock.monotonic()
    const before = this.#seen?.pid === pid ? this.#seen : null
    const most = before?.isFirst === false ? MOST_SHARE.again : MOST_SHARE.first
    const isFirst =
      before === null || processorMs - before.processorMs <= most * (atMs - before.atMs)
    this.#seen = { pid, atMs, processorMs, isFirst }
    if (before?.isFirst !== isFirst) this.#set(pid, isFirst)
  }

  #set(pid: number, isFirst: boolean): void {
    const { scheduling, log } = this.#parts
    if (!scheduling.setRealTime(pid, isFirst))
      log.debug({ pid, isFirst }, 'DHCP, DNS and metadata keep their priority')
    else if (!isFirst)
      log.warn(
        { pid },
        'DHCP, DNS and metadata use more than half of a processor: they wait for their turn',
      )
  }
}
