/**
 * When a bell makes a host look again: at once for its own, spread over a while for those that many
 * hosts hear.
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { VpcId } from '../model/ids.ts'

/** Hosts that hear the same bell look again within this time for each of them. */
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
  /**
   * How many hosts there are, as far as is known: all of them, or those with instances in a VPC.
   */
  hosts(vpc?: VpcId): number
  hasInstances(): boolean
  /** There is news in the records. */
  rung(): void
}

/**
 * A bell to this host wakes at once. One to all hosts, or to those of a VPC, wakes each of them
 * after a while of its own, the longer the more they are: what they read together per second stays
 * the same however many they are. One to all tells a host that has no instances nothing that could
 * not wait for its next pass, by its timer or for its first one; only its copy of the records is
 * made anew.
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
    if (bell === 'shared' && !agent.hasInstances()) {
      agent.rung()
      onRecordsChanged()
      return
    }
    shared = true
    const hosts = agent.hosts(...(bell === 'shared' ? [] : [bell]))
    clock.sleep(random() * hosts * SHARED_SPREAD_MS, ending.signal).then(
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
