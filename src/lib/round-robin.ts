/**
 * Waiting items, taken from each owner in turn, so that an owner with many items delays only
 * itself.
 */
export interface RoundRobin<T> {
  /** Number of waiting items. */
  readonly size: number
  /** Number of waiting items of one owner. */
  sizeOf(owner: string): number
  add(owner: string, item: T): void
  /** Removes a waiting item. False if it is not waiting. */
  remove(owner: string, item: T): boolean
  /**
   * Takes the next item: one of each owner in turn, in the order in which the owners arrived. Items
   * that `may` rejects are skipped.
   */
  take(
    may?: (owner: string, item: T) => boolean,
  ): { readonly owner: string; readonly item: T } | undefined
}

/** Empty at first. */
export function createRoundRobin<T extends object>(): RoundRobin<T> {
  const waiting = new Map<string, T[]>()
  let size = 0

  function removeAt(owner: string, mine: T[], at: number): T | undefined {
    const [item] = mine.splice(at, 1)
    if (mine.length === 0) waiting.delete(owner)
    if (item !== undefined) size -= 1
    return item
  }

  return {
    get size() {
      return size
    },
    sizeOf: (owner) => waiting.get(owner)?.length ?? 0,
    add(owner, item) {
      size += 1
      const mine = waiting.get(owner)
      if (mine === undefined) waiting.set(owner, [item])
      else mine.push(item)
    },
    remove(owner, item) {
      const mine = waiting.get(owner) ?? []
      const at = mine.indexOf(item)
      return at !== -1 && removeAt(owner, mine, at) !== undefined
    },
    take(may = () => true) {
      for (const [owner, mine] of waiting) {
        const at = mine.findIndex((item) => may(owner, item))
        const item = at === -1 ? undefined : removeAt(owner, mine, at)
        if (item === undefined) continue
        // If the owner has more items, it goes to the end.
        if (waiting.delete(owner)) waiting.set(owner, mine)
        return { owner, item }
      }
      return undefined
    },
  }
}
