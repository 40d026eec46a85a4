/**
 * Long work in short pieces, so that nobody else on the event loop waits for it.
 *
 * Each turn of the loop gives one piece of work its turn, however many wait: between two pieces the loop looks at every socket and
 * timer. Without that the pieces of a hundred requests would run one after the other in one turn. Turns go round among the owners of
 * the work, so that whoever asks for much waits for himself.
 */

/** The turns that all long work of a process shares. */
export interface Turns {
  /** Resolves when it is the caller's turn: one for each owner, in the order in which the owner asked. */
  next(owner: string): Promise<void>
}

/** Nobody waits yet. */
export function createTurns(): Turns {
  const waiting = new Map<string, (() => void)[]>()
  const run = (): void => {
    for (const [owner, mine] of waiting) {
      const begin = mine.shift()
      // Behind all others, if more of it waits.
      waiting.delete(owner)
      if (mine.length > 0) waiting.set(owner, mine)
      begin?.()
      break
    }
    if (waiting.size > 0) setImmediate(run)
  }
  return {
    next: (owner) =>
      new Promise((resolve) => {
        if (waiting.size === 0) setImmediate(run)
        const mine = waiting.get(owner)
        if (mine === undefined) waiting.set(owner, [resolve])
        else mine.push(resolve)
      }),
  }
}
