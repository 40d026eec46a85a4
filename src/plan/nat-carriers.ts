/**
 * Which host carries a NAT gateway that has a floating IP. Pure.
 *
 * Routers send what is for an address to one host. So one host at a time goes out with it, for the
 * instances of all hosts. Hosts with instances of the VPC can carry it: they know the VPC already,
 * and a VPC whose instances are on one host depends on no other.
 */
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import type { NatGateway } from '../model/route-table.ts'

/** What the choice is made from. */
interface Candidates {
  readonly hosts: readonly Pick<Host, 'name' | 'zone' | 'state' | 'live'>[]
  /** The hosts of the VPC's NICs, one for each NIC. */
  readonly members: readonly HostName[]
  /** That of the gateway's subnet. */
  readonly zone: string
  /** Zones that the address may be used in; null: all. */
  readonly zones: readonly string[] | null
}

/**
 * The host that should carry the gateway: the one that does, as long as it can; else one of the
 * gateway's own zone, if there is one, and there the one with most NICs of the VPC. All hosts
 * choose alike. Undefined when none can. One that drains goes on while no other can.
 */
export function chooseCarrier(
  { id, address }: Pick<NatGateway, 'id' | 'address'>,
  { hosts, members, zone, zones }: Candidates,
): HostName | undefined {
  const counts = new Map<HostName, number>()
  for (const host of members) counts.set(host, (counts.get(host) ?? 0) + 1)
  const able = hosts.filter(
    (host) => host.live && counts.has(host.name) && (zones === null || zones.includes(host.zone)),
  )
  const active = able.filter(({ state }) => state === 'active')
  const current = ({ name }: Pick<Host, 'name'>) => name === address?.carrier
  const carrying = active.find(current) ?? (active.length === 0 ? able.find(current) : undefined)
  if (carrying !== undefined) return carrying.name
  const rank = ({ name, zone: at }: Pick<Host, 'name' | 'zone'>) =>
    (at === zone ? 0 : 1e9) - (counts.get(name) ?? 0)
  const [first] = active.toSorted(
    (a, b) => rank(a) - rank(b) || spread(id, a.name) - spread(id, b.name),
  )
  return first?.name
}

/** Of hosts that are alike, gateways take different ones (FNV-1a). */
function spread(gateway: string, host: string): number {
  let hash = 0x811c9dc5
  for (const char of `${gateway} ${host}`)
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash
}
