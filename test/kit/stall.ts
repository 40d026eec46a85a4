/**
 * How long the event loop was blocked while something was done.
 *
 * Measured in processor time of this thread, not by the clock, so that a busy machine does not look
 * like a busy loop.
 */

export interface Stall<T> {
  readonly result: T
  /** Most processor time between two looks of a timer that is always due, in milliseconds. */
  readonly longestMs: number
}

/** Does `work` and watches the loop. */
export async function watchLoop<T>(work: () => Promise<T>): Promise<Stall<T>> {
  let longestMs = 0
  let lastMs = threadMs()
  const look = (): void => {
    const nowMs = threadMs()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
  }
  const timer = setInterval(look, 1)
  try {
    const result = await work()
    look()
    return { result, longestMs }
  } finally {
    clearInterval(timer)
  }
}

/**
 * Does `work` up to three times, until the loop was not kept longer than `belowMs`: once in a while
 * rubbish is collected meanwhile.
 */
export async function watchLoopOften<T>(
  belowMs: number,
  work: () => Promise<T>,
): Promise<Stall<T>> {
  let best = await watchLoop(work)
  for (let again = 0; again < 2 && best.longestMs >= belowMs; again += 1) {
    const next = await watchLoop(work)
    if (next.longestMs < best.longestMs) best = next
  }
  return best
}

/**
 * A clock that stands still while this process is not run: an answer that is late for that is not
 * late. Disposing of it stops it.
 */
export function openOwnClock(): Disposable & { ms(): number } {
  let [lastMs, lateMs] = [performance.now(), 0]
  const ms = (): number => {
    const now = performance.now()
    lateMs += Math.max(0, now - lastMs - LOOK_EVERY_MS)
    lastMs = now
    return now - lateMs
  }
  const timer = setInterval(ms, LOOK_EVERY_MS)
  return { ms, [Symbol.dispose]: () => clearInterval(timer) }
}

const LOOK_EVERY_MS = 10

/**
 * Does `work` up to three times, until it takes less than `belowMs`. False when it never did: it is
 * slow, and not the machine busy.
 */
export function isQuick(belowMs: number, work: () => void): boolean {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const began = threadMs()
    work()
    if (threadMs() - began < belowMs) return true
  }
  return false
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
