/** When something is late, for work of which there is much and which hardly ever is. */

/** Calls `late` once, after `ms`, unless the function that it returns is called before. */
export type After = (ms: number, late: () => void) => () => void

/** A timer for each. */
export const timer: After = (ms, late) => {
  const one = setTimeout(late, ms)
  return () => clearTimeout(one)
}

/**
 * One timer for all, which is not taken back when what it was set for ends in time: it goes on to the next that may be late. To set and
 * take back a timer of its own would cost a question and its answer as much as their four signatures. Does not keep the process alive.
 */
export function createDeadlines(): After {
  const open = new Set<{ readonly atMs: number; readonly late: () => void }>()
  let one: NodeJS.Timeout | undefined
  let setForMs = Number.POSITIVE_INFINITY

  function set(atMs: number): void {
    clearTimeout(one)
    setForMs = atMs
    one = setTimeout(look, Math.ceil(atMs - performance.now())).unref()
  }

  function look(): void {
    const now = performance.now()
    const late = [...open].filter(({ atMs }) => atMs <= now)
    for (const ended of late) open.delete(ended)
    setForMs = Number.POSITIVE_INFINITY
    let nextMs = setForMs
    for (const { atMs } of open) nextMs = Math.min(nextMs, atMs)
    if (open.size > 0) set(nextMs)
    for (const ended of late) ended.late()
  }

  return (ms, late) => {
    const begun = { atMs: performance.now() + ms, late }
    open.add(begun)
    if (begun.atMs < setForMs) set(begun.atMs)
    return () => void open.delete(begun)
  }
}
