/** Who may work now: a few at once, a few of one owner, and never two at the same thing. */
import { EventEmitter, once } from 'node:events'

interface Turn {
  /** What is worked at. */
  readonly key: string
  /** For whom; undefined is an owner like any other. */
  readonly owner: string | undefined
}

/** Does `work` when its turn has come; rejects when `signal` aborts while it waits. */
export type Turns = <T>(turn: Turn, signal: AbortSignal, work: () => Promise<T>) => Promise<T>

/** At most `places` work at once, and of one owner at most `ofOne`. */
export function createTurns(places: number, ofOne: number): Turns {
  const working = new Set<Turn>()
  const freed = new EventEmitter().setMaxListeners(0)
  const mustWait = ({ key, owner }: Turn) => {
    const all = [...working]
    if (all.length >= places || all.some((one) => one.key === key)) return true
    return all.filter((one) => one.owner === owner).length >= ofOne
  }
  return async (turn, signal, work) => {
    while (mustWait(turn)) await once(freed, 'freed', { signal })
    working.add(turn)
    try {
      return await work()
    } finally {
      working.delete(turn)
      freed.emit('freed')
    }
  }
}
