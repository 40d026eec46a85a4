/**
 * Random numbers that follow from a seed. Each user has a stream of its own, by its name, so that
 * one that draws more or less does not change what others draw.
 */
import { createHash } from 'node:crypto'

/** A stream of random numbers. */
export interface Stream {
  /** From 0 up to 1. */
  readonly number: () => number
  readonly bytes: (count: number) => Uint8Array
  /** From `low` up to `high`. */
  between(low: number, high: number): number
  /** Whether something of this probability happens. */
  chance(probability: number): boolean
  /** One of these; undefined of none. */
  pick<T>(of: readonly T[]): T | undefined
}

/** The stream of this name. The same seed and name give the same numbers. */
export function streamOf(seed: number, name: string): Stream {
  const state = new Uint32Array(
    new Uint8Array(createHash('sha256').update(`${seed} ${name}`).digest()).buffer,
    0,
    4,
  )
  const number = () => next(state) / 2 ** 32
  return {
    number,
    bytes: (count) => Uint8Array.from({ length: count }, () => next(state) & 0xff),
    between: (low, high) => low + number() * (high - low),
    chance: (probability) => number() < probability,
    pick: (of) => of[Math.floor(number() * of.length)],
  }
}

/** sfc32, by Chris Doty-Humphrey (PractRand, http://pracrand.sourceforge.net/RNG_engines.txt). */
function next(state: Uint32Array): number {
  const [a = 0, b = 0, c = 0, counter = 0] = state
  const result = (a + b + counter) >>> 0
  state[3] = counter + 1
  state[0] = b ^ (b >>> 9)
  state[1] = c + (c << 3)
  state[2] = ((c << 21) | (c >>> 11)) + result
  return result
}
