/**
 * When a bell starts a pass: at once if it is for this host only, after a random delay if many
 * hosts hear it.
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { VpcId } from '../model/ids.ts'

/** The longest delay, for each host that hears the same bell. */
const SHARED_SPREAD_MS = 10

interface BellParts {
  readonly bus: Bus
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  readonly onRecordsChanged: () => void
}

/** The part of the agent that hears bells. */
interface BellListener {
  /** The number of all hosts, or of those with instances in a VPC, by the last reading. */
  hosts(vpc?: VpcId): number
  hasInstances(): boolean
}

/**
 * Starts listening; returns what ends it.
 *
 * - A bell for this host starts a pass at once.
 * - A bell for all hosts, or for the hosts of a VPC, starts one after a random delay. The delay
 *   grows with the number of these hosts, so the load on the database does not.
 * - A host without instances ignores a bell for all hosts until its next pass, which its timer or
 *   its first instance starts. It only refreshes its replica.
 */
export function listenToBells(
  { bus, clock, random, onRecordsChanged }: BellParts,
  loop: { wake(): void },
  agent: BellListener,
): () => void {
  const ending = new AbortController()
  let shared = false
  const unsubscribe = bus.onBell((bell) => {
    if (bell === 'own') return loop.wake()
    if (shared) return
    if (bell === 'shared' && !agent.hasInstances()) {
      onRecordsChanged()
      return
    }
    shared = true
    const hosts = agent.hosts(...(bell === 'shared' ? [] : [bell]))
    clock.sleep(random() * hosts * SHARED_SPREAD_MS, ending.signal).then(
      () => {
        shared = false
        loop.wake()
      },
      () => undefined,
    )
  })
  return () => {
    unsubscribe()
    ending.abort()
  }
}
