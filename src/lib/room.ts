/** Room for a number of things, which several share. */

/** How many more there may be. */
export interface Room {
  /** Takes room for one. Returns false when there is none. */
  take(): boolean
  /** Gives back room for so many. */
  giveBack(count: number): void
}

/** Room for so many. */
export function createRoom(size: number): Room {
  let left = size
  return {
    take: () => {
      if (left === 0) return false
      left -= 1
      return true
    },
    giveBack: (count) => {
      left += count
    },
  }
}
