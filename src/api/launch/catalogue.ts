/**
 * What launches choose from, as it was last read: hosts, instance types, subnets and groups.
 *
 * A choice only proposes: the host's own row decides (`takeCapacity`), and a NIC's keys do; types, subnets and groups are never removed, and what
 * removed one would have to make launches read it in their own transaction. So launches that come close upon each other may go
 * by one reading of all: what is read a second then stays the same however many hosts there are. Among few hosts it is made for nearly
 * every launch.
 */
import type { Clock } from '../../lib/clock.ts'
import type { HostName } from '../../model/ids.ts'
import type { Group, Host, InstanceType, Subnet } from '../../model/records.ts'
import { afterTaking, type Demand } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'

/** A reading is used for this long, times the number of hosts. */
const AGE_MS_PER_HOST = 1

/** One reading, of all accounts. */
export interface CatalogueReading {
  readonly hosts: readonly Host[]
  readonly types: readonly InstanceType[]
  readonly subnets: readonly Subnet[]
  readonly groups: readonly Group[]
  /** False when it was made for an earlier launch: there may be room, and what is asked for, that it does not know of. */
  readonly isFresh: boolean
}

/** What one host that answers the API knows to choose from. */
export interface Catalogue {
  /** The last reading if it is young enough, unless `fresh`; else a new one in `tx`. Errors: as the store's. */
  read(
    tx: Pick<ReadTx, 'hosts' | 'instanceTypes' | 'subnets' | 'groups'>,
    options: { readonly fresh: boolean },
  ): Promise<CatalogueReading>
  /** Keeps in mind what a launch took, until the next reading. */
  took(host: HostName, demand: Demand): void
}

/** Knows nothing at first. */
export function createCatalogue(clock: Pick<Clock, 'monotonic'>): Catalogue {
  let known: { reading: CatalogueReading; readonly untilMs: number } | null = null
  return {
    async read(tx, { fresh }) {
      if (!fresh && known !== null && clock.monotonic() < known.untilMs) return known.reading
      const beganMs = clock.monotonic()
      const reading = {
        hosts: await tx.hosts(),
        types: await tx.instanceTypes(),
        subnets: await tx.subnets({}),
        groups: await tx.groups({}),
      }
      const untilMs = beganMs + reading.hosts.length * AGE_MS_PER_HOST
      known = { reading: { ...reading, isFresh: false }, untilMs }
      return { ...reading, isFresh: true }
    },
    took(host, demand) {
      if (known === null) return
      const { reading } = known
      known.reading = { ...reading, hosts: afterTaking(reading.hosts, host, demand) }
    },
  }
}
