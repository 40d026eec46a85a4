/**
 * The network of a simulation: messages take time, and get lost between those that are cut off from
 * each other.
 */
import type { Stream } from './random.ts'
import type { VirtualTime } from './time.ts'

/** Whoever sends and receives: a host or a node of the database, by its name. */
export interface Network {
  /**
   * Calls `arrive` after the time that a message takes, unless the two are cut off from each other
   * at its beginning or its end.
   */
  send(from: string, to: string, arrive: () => void): void
  isCut(one: string, other: string): boolean
  /** Cuts these two, until `heal`. */
  cut(one: string, other: string): void
  heal(one: string, other: string): void
  /** From now on each message takes up to this much longer. */
  slow(ms: number): void
}

const FASTEST_MS = 0.1
const USUAL_MS = 1.5
/** One message of so many takes much longer. */
const RARE = 0.01
const RARE_MS = 250

/** Nobody is cut off at first. */
export function createNetwork(time: VirtualTime, random: Stream): Network {
  const cuts = new Map<string, number>()
  let slowerMs = 0
  const keyOf = (one: string, other: string) => [one, other].sort().join(' ')
  const isCut = (one: string, other: string) => (cuts.get(keyOf(one, other)) ?? 0) > 0
  return {
    isCut,
    send(from, to, arrive) {
      if (isCut(from, to)) return
      const longestMs = (random.chance(RARE) ? RARE_MS : USUAL_MS) + slowerMs
      time.after(random.between(FASTEST_MS, longestMs), () => {
        if (!isCut(from, to)) arrive()
      })
    },
    cut: (one, other) => void cuts.set(keyOf(one, other), (cuts.get(keyOf(one, other)) ?? 0) + 1),
    heal: (one, other) => void cuts.set(keyOf(one, other), (cuts.get(keyOf(one, other)) ?? 1) - 1),
    slow(ms) {
      slowerMs = ms
    },
  }
}
