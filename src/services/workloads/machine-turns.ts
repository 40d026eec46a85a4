/** Who may work now: a few at once, and never two at the same thing. */
import { EventEmitter, once } from 'node:events'

/** Does `work` when its turn has come; rejects when `signal` aborts while it waits. */
type Turns = <T>(key: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T>

/** At most `places` work at once. */
export function createTurns(places: number): Turns {
  const working = new Set<string>()
  const freed = new EventEmitter().setMaxListeners(0)
  return async (key, signal, work) => {
    while (working.size >= places || working.has(key)) await once(freed, 'freed', { signal })
    working.add(key)
    try {
      return await work()
    } finally {
      working.delete(key)
      freed.emit('freed')
    }
  }
}
