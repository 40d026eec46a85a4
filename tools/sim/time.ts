/**
 * The virtual time of a simulation: one queue of events, in one process.
 *
 * Events happen one after the other. Between two of them everything that follows from the first
 * runs to its end: promises, and turns of the event loop (`nextTurn`). Nothing waits for a real
 * clock, socket or disk, so the same seed gives the same history.
 */
import { setImmediate as realTurn } from 'node:timers/promises'
import type { Clock } from '../../src/lib/clock.ts'

interface Event {
  readonly atMs: number
  /** Events of one time happen in the order in which they were asked for. */
  readonly order: number
  run: (() => void) | null
}

/** The queue of events. */
export interface VirtualTime {
  /** Milliseconds since the start of the simulation. */
  nowMs(): number
  /** Calls `run` after `ms`, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void
  /** Resolves after `ms`. */
  sleep(ms: number): Promise<void>
  /** Lets time pass until this moment, or until `isOver` after an event. */
  runUntil(ms: number, isOver?: () => boolean): Promise<void>
  /** Events that have happened. */
  events(): number
  /** Drops what has not happened yet. */
  clear(): void
}

/** Time begins at 0. */
export function createVirtualTime(): VirtualTime {
  const queue = createHeap()
  let nowMs = 0
  let order = 0
  let events = 0

  function after(ms: number, run: () => void): () => void {
    const event: Event = { atMs: nowMs + Math.max(0, ms), order: order++, run }
    queue.push(event)
    return () => {
      event.run = null
    }
  }

  return {
    nowMs: () => nowMs,
    events: () => events,
    after,
    sleep: (ms) => new Promise((resolve) => void after(ms, resolve)),
    async runUntil(untilMs, isOver = () => false) {
      await quiescence()
      while (!isOver()) {
        const event = queue.peek()
        if (event === undefined || event.atMs > untilMs) break
        queue.pop()
        if (event.run === null) continue
        nowMs = event.atMs
        events += 1
        event.run()
        await quiescence()
      }
      if (!isOver()) nowMs = untilMs
    },
    clear: queue.clear,
  }
}

/** Resolves when nothing runs any more that does not wait for an event. */
async function quiescence(): Promise<void> {
  do await realTurn()
  while (process.getActiveResourcesInfo().includes('Immediate'))
}

/** The clock of a host: it drifts, and somebody may set it. */
export interface HostClock extends Clock {
  /** Sets the wall clock forward or back. */
  jump(ms: number): void
  /** The process that uses it has ended: its timers never ring, its sleeps never end. */
  end(): void
}

/**
 * A clock that runs at `rate` times the virtual time. `wall` is kept by the machine, beyond one
 * process. The monotonic clock goes on from one process to the next.
 */
export function createHostClock(
  time: VirtualTime,
  rate: number,
  wall: { offsetMs: number },
): HostClock {
  let isOver = false
  /** Sleeps that a signal may end. */
  const sleeping = new Set<() => void>()
  const after: Clock['after'] = (ms, run) =>
    time.after(ms / rate, () => {
      if (!isOver) run()
    })
  return {
    now: () => EPOCH_MS + time.nowMs() * rate + wall.offsetMs,
    monotonic: () => 1_000 + time.nowMs() * rate,
    after,
    sleep(ms, signal) {
      if (signal?.aborted === true) return Promise.reject(signal.reason)
      return new Promise((resolve, reject) => {
        const wake = () => {
          sleeping.delete(wake)
          signal?.removeEventListener('abort', onAbort)
          stop()
        }
        const onAbort = () => {
          wake()
          reject(signal?.reason)
        }
        const stop = after(ms, () => {
          wake()
          resolve()
        })
        if (signal === undefined || isOver) return
        signal.addEventListener('abort', onAbort, { once: true })
        sleeping.add(wake)
      })
    },
    jump(ms) {
      wall.offsetMs += ms
    },
    end() {
      isOver = true
      // Node keeps a signal of signals, and all that its listeners know, while it has listeners.
      for (const forget of sleeping) forget()
    },
  }
}

/** When every simulation begins. */
export const EPOCH_MS = Date.parse('2026-11-22T08:00:00.000Z')

function createHeap() {
  const heap: Event[] = []
  const isBefore = (a: Event, b: Event) =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  function swap(a: number, b: number): void {
    const [one, other] = [heap[a], heap[b]]
    if (one === undefined || other === undefined) return
    heap[a] = other
    heap[b] = one
  }
  function isOrdered(parent: number, child: number): boolean {
    const [above, below] = [heap[parent], heap[child]]
    return above === undefined || below === undefined || !isBefore(below, above)
  }
  return {
    peek: () => heap[0],
    push(event: Event): void {
      heap.push(event)
      let at = heap.length - 1
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (isOrdered(parent, at)) return
        swap(parent, at)
        at = parent
      }
    },
    pop(): void {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      let at = 0
      for (;;) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const child = isOrdered(left, right) ? left : right
        if (isOrdered(at, child)) return
        swap(at, child)
        at = child
      }
    },
    clear(): void {
      heap.length = 0
    },
  }
}
