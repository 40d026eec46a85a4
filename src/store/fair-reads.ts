/**
 * The records for many askers at once: reads take turns among their owners before they reach the engine.
 *
 * An engine answers in the order in which it is asked. Without this, eight long lists of one client stand between the engine and the
 * next client's one row, and between it and this host's own passes, which ask the engine directly. Only reads wait here: a write may
 * have to be repeated for seconds, and must not keep others from being answered by the replica meanwhile.
 */
import { createRotation } from '../lib/rotation.ts'
import type { InformedStore } from './steady.ts'

/** Reads of all owners at the engine at once; one owner has at most half of these places. */
const PLACES = 4
const PLACES_OF_ONE = PLACES / 2

/** Gives each owner (an access key, a queue of commands) its view of `store`. What waits for its turn waits until the caller's deadline. */
export function shareReads(store: InformedStore): (owner: string) => InformedStore {
  const waiting = createRotation<() => void>()
  const reading = new Map<string, number>()
  let places = PLACES

  const isFree = (owner: string) => (reading.get(owner) ?? 0) < PLACES_OF_ONE
  const admit = (): void => {
    while (places > 0) {
      const next = waiting.take(isFree)
      if (next === undefined) return
      places -= 1
      reading.set(next.owner, (reading.get(next.owner) ?? 0) + 1)
      next.item()
    }
  }
  const leave = (owner: string): void => {
    places += 1
    const mine = (reading.get(owner) ?? 1) - 1
    if (mine > 0) reading.set(owner, mine)
    else reading.delete(owner)
    admit()
  }

  const shared = <S extends InformedStore>(owner: string, records: S): S => ({
    ...records,
    async read(work) {
      await new Promise<void>((resolve) => {
        waiting.add(owner, resolve)
        admit()
      })
      try {
        return await records.read(work)
      } finally {
        leave(owner)
      }
    },
  })
  // A request that insists on the records takes no place: it may wait for them for seconds, and others are answered by the replica.
  return (owner) => ({
    ...shared(owner, store),
    forRequest: () => shared(owner, store.forRequest()),
  })
}
