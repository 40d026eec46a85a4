/**
 * Addresses of NAT gateways that another host has taken over while this host could not read the
 * records. Such a host must stop to answer for them. It cannot know what the records say, but it
 * can ask the network: while it has no lease, it looks whether another machine answers for an
 * address, and leaves it to that one. While nobody else answers, it goes on: without the records
 * nobody can have taken it over.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Ipv4 } from '../model/addr.ts'
import { messageOf } from '../model/errors.ts'
import type { HostWant } from '../model/want.ts'
import { carriedAddresses } from '../plan/carried-gateways.ts'

/** How often a host without a lease looks. */
const LOOK_MS = 3_000

/** How it finds out. */
export interface YieldingParts {
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
  /** Whether this host can read what the records say, and so is told who has an address. */
  readonly isLeaseHeld: () => boolean
  /** Which of these another machine answers for. */
  readonly answeredElsewhere: (addresses: readonly Ipv4[]) => Promise<readonly Ipv4[]>
  /** Asks for a pass. */
  readonly wake: () => void
}

/** What `createYielding` returns. */
export interface Yielding {
  /** The addresses of this want, the machine's own part, that are another's by now. */
  yielded(want: Pick<HostWant, 'transits' | 'shared'>): ReadonlySet<Ipv4>
  close(): void
}

/** Looks from time to time from now on. */
export function createYielding(parts: YieldingParts): Yielding {
  const { clock, log, isLeaseHeld, answeredElsewhere, wake } = parts
  let carried: readonly Ipv4[] = []
  let yielded: ReadonlySet<Ipv4> = new Set()
  let hadLease = true
  const look = async () => {
    const hasLease = isLeaseHeld()
    // The first look with a lease may come before the records are read.
    const isTold = hasLease && hadLease
    hadLease = hasLease
    const before = yielded
    if (isTold || carried.length === 0) yielded = new Set()
    else if (!hasLease) {
      const kept = carried.filter((ip) => !before.has(ip))
      const others = kept.length === 0 ? [] : await answeredElsewhere(kept)
      yielded = new Set([...before, ...others].filter((ip) => carried.includes(ip)))
      if (others.length > 0)
        log.warn({ addresses: others }, 'another host answers for addresses of NAT gateways')
    }
    if (yielded.size !== before.size) wake()
  }
  let isClosed = false
  let cancel = () => {}
  const next = () => {
    if (isClosed) return
    cancel = clock.after(LOOK_MS, () => {
      look()
        .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'network not asked'))
        .finally(next)
    })
  }
  next()
  return {
    yielded: ({ transits = [], shared }) => {
      const ofVpcs = transits.flatMap((transit) => transit.carried ?? [])
      carried = [...ofVpcs, ...carriedAddresses(shared).values()]
      return yielded
    },
    close: () => {
      isClosed = true
      cancel()
    },
  }
}
