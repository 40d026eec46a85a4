/**
 * Long work in short pieces, so that nobody else on the event loop waits for it.
 *
 * Each turn of the loop gives one piece of work its turn, however many wait: between two pieces the loop looks at every socket and
 * timer. Without that the pieces of a hundred requests would run one after the other in one turn.
 */

/** The turns that all long work of a process shares. */
export interface Turns {
  /** Resolves when it is the caller's turn, in the order in which they asked. */
  next(): Promise<void>
}

/** Nobody waits yet. */
export function createTurns(): Turns {
  const waiting: (() => void)[] = []
  const run = (): void => {
    waiting.shift()?.()
    if (waiting.length > 0) setImmediate(run)
  }
  return {
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) setImmediate(run)
      }),
  }
}
