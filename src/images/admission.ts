/** Who may work now: a few at once, a few of one owner, and never two at the same thing. Only so many of one owner wait. */
import { EventEmitter, once } from 'node:events'
import { unavailable } from '../model/errors.ts'

interface Turn {
  /** What is worked at. */
  readonly key: string
  /** For whom; undefined is an owner like any other. */
  readonly owner: string | undefined
}

/** More than these of one owner do not wait, whoever asks for them. */
const WAITING_OF_ONE = 100

/** Does `work` when its turn has come; rejects when `signal` aborts while it waits, and `unavailable` when too many of its owner wait. */
export type Turns = <T>(turn: Turn, signal: AbortSignal, work: () => Promise<T>) => Promise<T>

/** At most `places` work at once, and of one owner at most `ofOne`. */
export function createTurns(places: number, ofOne: number): Turns {
  const working = new Set<Turn>()
  const waiting = new Set<Turn>()
  const freed = new EventEmitter().setMaxListeners(0)
  const mustWait = ({ key, owner }: Turn) => {
    const all = [...working]
    if (all.length >= places || all.some((one) => one.key === key)) return true
    return all.filter((one) => one.owner === owner).length >= ofOne
  }
  /** Resolves when it is among those that work: the last look and taking the place are one step. */
  async function wait(turn: Turn, signal: AbortSignal): Promise<void> {
    if ([...waiting].filter(({ owner }) => owner === turn.owner).length >= WAITING_OF_ONE)
      throw unavailable(`${WAITING_OF_ONE} images of this account wait for their turn already`)
    waiting.add(turn)
    try {
      while (mustWait(turn)) await once(freed, 'freed', { signal })
      working.add(turn)
    } finally {
      waiting.delete(turn)
    }
  }

  return async (turn, signal, work) => {
    // At once where there is a place: whoever asks may go by what the work says first.
    if (mustWait(turn)) await wait(turn, signal)
    else working.add(turn)
    try {
      return await work()
    } finally {
      working.delete(turn)
      freed.emit('freed')
    }
  }
}
