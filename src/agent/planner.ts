/**
 * Makes the want from each reading of the records.
 *
 * The cost of the shared part grows with the number of instances in this host's VPCs, and most
 * readings change only this host's own instances. So the shared part is made again only when its
 * input has changed (`docs/measured.md`, "Shortcuts"). An unchanged part is the same object, so
 * services see that nothing changed.
 */
import type { HostName } from '../model/ids.ts'
import type { HostWant, SharedWant } from '../model/want.ts'
import { type SharedRecords, type Snapshot, sharedWant, wantWith } from '../plan/want.ts'

/** As `wantFor`, for one host. */
export type Planner = (records: Snapshot, known: HostWant | null) => HostWant | null

/** A planner for `host`. */
export function createPlanner(host: HostName): Planner {
  let last: { readonly records: SharedRecords; readonly want: SharedWant } | null = null
  return (records, known) => {
    if (last === null || !isSame(last.records, records))
      last = { records, want: sharedWant(host, records) }
    return wantWith(last.want, host, records, known)
  }
}

/**
 * Whether everything that `sharedWant` reads is the same. It does not read a host's generation,
 * which advances with each step of its instances.
 */
function isSame(a: SharedRecords, b: SharedRecords): boolean {
  return (
    a.nics === b.nics &&
    a.subnets === b.subnets &&
    a.vpcs === b.vpcs &&
    a.peerings === b.peerings &&
    a.groups === b.groups &&
    a.groupRules === b.groupRules &&
    a.prefixListEntries === b.prefixListEntries &&
    a.hosts.length === b.hosts.length &&
    a.hosts.every(({ name, fabricAddress }, at) => {
      const other = b.hosts[at]
      return name === other?.name && fabricAddress === other.fabricAddress
    })
  )
}
