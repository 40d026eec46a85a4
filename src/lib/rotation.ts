/** Things that wait, taken round among their owners: whoever has many waits for himself. */
export interface Rotation<T> {
  /** How many wait. */
  readonly size: number
  add(owner: string, item: T): void
  /** The next one: of each owner one, in the order in which the owner came. Owners that `may` denies are passed over. */
  take(may?: (owner: string) => boolean): { readonly owner: string; readonly item: T } | undefined
}

/** Nothing waits yet. */
export function createRotation<T extends object>(): Rotation<T> {
  const waiting = new Map<string, T[]>()
  let size = 0
  return {
    get size() {
      return size
    },
    add(owner, item) {
      size += 1
      const mine = waiting.get(owner)
      if (mine === undefined) waiting.set(owner, [item])
      else mine.push(item)
    },
    take(may = () => true) {
      for (const [owner, mine] of waiting) {
        if (!may(owner)) continue
        const [item, ...rest] = mine
        // Behind all others, if more of it waits.
        waiting.delete(owner)
        if (rest.length > 0) waiting.set(owner, rest)
        if (item === undefined) continue
        size -= 1
        return { owner, item }
      }
      return undefined
    },
  }
}
