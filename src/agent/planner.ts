/**
 * From readings of the records to wants, one after the other.
 *
 * Most readings bring another step of this host's own instances and nothing of the others'. The
 * shared part of the want goes by the number of members in this host's VPCs, so it is made again
 * only when what it is made of has changed (`docs/measured.md`, "Wants"). Services tell by its
 * identity that nothing changed.
 */
import type { HostName } from '../model/ids.ts'
import type { HostWant, SharedWant } from '../model/want.ts'
import { type SharedRecords, type Snapshot, sharedWant, wantFor } from '../plan/want.ts'

/** Plans what `host` should be; as `wantFor`. */
export type Planner = (records: Snapshot, known: HostWant | null) => HostWant | null

/** A planner that has made nothing yet. */
export function createPlanner(host: HostName): Planner {
  let last: { readonly records: SharedRecords; readonly want: SharedWant } | null = null
  return (records, known) => {
    if (last === null || !isSame(last.records, records))
      last = { records, want: sharedWant(host, records) }
    return wantFor(host, records, known, last.want)
  }
}

/**
 * Whether all that `sharedWant` looks at is the same. A host's generation, which it does not look
 * at, advances with each step of its instances.
 */
function isSame(a: SharedRecords, b: SharedRecords): boolean {
  return (
    a.nics === b.nics &&
    a.subnets === b.subnets &&
    a.vpcs === b.vpcs &&
    a.groups === b.groups &&
    a.hosts.length === b.hosts.length &&
    a.hosts.every(({ name, fabricAddress }, at) => {
      const other = b.hosts[at]
      return name === other?.name && fabricAddress === other.fabricAddress
    })
  )
}
