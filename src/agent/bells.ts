/** When a bell makes a host look again: at once for its own, spread over a while for those to all. */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'

/** Hosts that hear a bell to all look again within this time for each host there is. */
const SHARED_SPREAD_MS = 10

interface BellParts {
  readonly bus: Bus
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  readonly onRecordsChanged: () => void
}

/** Whom the bells are for. */
interface Rung {
  /** How many hosts there are, as far as is known. */
  hosts(): number
  hasInstances(): boolean
  /** There is news in the records. */
  rung(): void
}

/**
 * A bell to this host wakes at once. One to all hosts wakes each of them after a while of its own, the longer the more hosts there
 * are: what they read together per second stays the same however many they are. It tells of instances elsewhere, so a host that has
 * none of its own leaves it to its next pass, by its timer or for its first one; only its copy of the records is made anew.
 */
export function listenToBells(
  { bus, clock, random, onRecordsChanged }: BellParts,
  loop: { wake(): void },
  agent: Rung,
): () => void {
  const ending = new AbortController()
  let shared = false
  const look = () => {
    agent.rung()
    loop.wake()
  }
  const unsubscribe = bus.onBell((bell) => {
    if (bell === 'own') return look()
    if (shared) return
    if (!agent.hasInstances()) {
      agent.rung()
      onRecordsChanged()
      return
    }
    shared = true
    const spreadMs = random() * agent.hosts() * SHARED_SPREAD_MS
    clock.sleep(spreadMs, ending.signal).then(
      () => {
        shared = false
        look()
      },
      () => undefined,
    )
  })
  return () => {
    unsubscribe()
    ending.abort()
  }
}
