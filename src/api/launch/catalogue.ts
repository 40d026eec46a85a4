/**
 * The hosts as they were last read, for choosing where to launch.
 *
 * A choice only proposes and the host's own row decides (`takeCapacity`), so launches that come close upon each other may go by one reading
 * of all hosts: what is read a second then stays the same however many hosts there are. Among few hosts it is made for nearly every launch.
 */
import type { Clock } from '../../lib/clock.ts'
import type { HostName } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import { afterTaking, type Demand } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'

/** A reading is used for this long, times the number of hosts. */
const AGE_MS_PER_HOST = 1

/** One reading. */
export interface HostsReading {
  readonly hosts: readonly Host[]
  /** False when it was made for an earlier launch: there may be room that it does not know of. */
  readonly isFresh: boolean
}

/** What one host that answers the API knows of all of them. */
export interface KnownHosts {
  /** The last reading if it is young enough, unless `fresh`; else a new one in `tx`. Errors: as the store's. */
  read(tx: Pick<ReadTx, 'hosts'>, options: { readonly fresh: boolean }): Promise<HostsReading>
  /** Keeps in mind what a launch took, until the next reading. */
  took(host: HostName, demand: Demand): void
}

/** Knows nothing at first. */
export function createKnownHosts(clock: Pick<Clock, 'monotonic'>): KnownHosts {
  let known: { hosts: readonly Host[]; readonly untilMs: number } | null = null
  return {
    async read(tx, { fresh }) {
      if (!fresh && known !== null && clock.monotonic() < known.untilMs)
        return { hosts: known.hosts, isFresh: false }
      const beganMs = clock.monotonic()
      const hosts = await tx.hosts()
      known = { hosts, untilMs: beganMs + hosts.length * AGE_MS_PER_HOST }
      return { hosts, isFresh: true }
    },
    took(host, demand) {
      if (known !== null) known.hosts = afterTaking(known.hosts, host, demand)
    },
  }
}
