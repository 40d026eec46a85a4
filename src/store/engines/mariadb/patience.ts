/** Deadlines for answers of others that allow for one's own slowness. */

/** The grain of such a deadline. */
const TICK_MS = 30
/** However slow one is oneself, it is not longer than so many times what was asked for. */
const LONGEST_STRETCH = 4

/**
 * Calls `late` once after `ms`, unless the function that it returns is called before. The time is counted in short ticks: a process
 * that does not get the processor counts late, too, and does not take its own standstill for that of whom it waits for. What has
 * arrived by then is read before `late` is called.
 */
export function patience(ms: number, late: () => void): () => void {
  const lastMs = performance.now() + ms * LONGEST_STRETCH
  let ticksLeft = Math.ceil(ms / TICK_MS)
  let isOver = false
  const tick = () => {
    ticksLeft -= 1
    if (ticksLeft > 0 && performance.now() < lastMs) timer = setTimeout(tick, TICK_MS)
    else setImmediate(() => isOver || late())
  }
  let timer = setTimeout(tick, TICK_MS)
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
