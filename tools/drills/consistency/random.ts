/** Reproducible random numbers: the same seed gives the same choices. */

export interface Random {
  /** From 0 up to 1. */
  next(): number
  pick<T>(items: readonly T[]): T | undefined
  between(low: number, high: number): number
}

/** Mulberry32: small, and good enough to choose what to break. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000
  }
  return {
    next,
    pick: (items) => items[Math.floor(next() * items.length)],
    between: (low, high) => low + next() * (high - low),
  }
}
