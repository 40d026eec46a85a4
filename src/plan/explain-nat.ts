/** With which address an instance goes out, for `atoll explain`. Pure. */
import { cidrContains, formatCidr } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName } from '../model/ids.ts'
import { type NatSettings, natSources } from '../model/nat.ts'
import type { PlacedNic, Vpc } from '../model/records.ts'

/**
 * The same answer as the chain `outbound` gives, in words. It does not pass when the host has no
 * address for it. Settings and addresses are those of the host that answers; `host` is that of the
 * instance; `isByNat`: it goes out by a NAT gateway.
 */
export function outwardAddress(
  { nic, isByNat }: { readonly nic: PlacedNic | null; readonly isByNat: boolean },
  { destination }: Flow,
  host: HostName | null,
  { vpcs }: { readonly vpcs: readonly Vpc[] },
  { nat, routing }: { readonly nat: NatSettings; readonly routing: HostRouting },
): { readonly passes: boolean; readonly text: string } {
  const exception = nat.exceptions.find((net) => cidrContains(net, destination))
  const isOwn = vpcs.some(({ id, network }) => id === nic?.vpc && network === null)
  const passing = (text: string) => ({ passes: true, text })
  if (exception !== undefined && isOwn)
    return passing(`its own address (network.nat.exceptions has ${formatCidr(exception)})`)
  if (nic?.publicIp && !isByNat) return passing(`its floating IP ${nic.publicIp}`)
  const sources = natSources(nat, nic?.vpc)
  if (sources.length === 0) return passing(`an address of host ${host}`)
  const here = sources.filter((ip) => routing.addresses.includes(ip))
  return here.length === 0
    ? { passes: false, text: `${sources.join(' or ')} (network.nat), which no link has` }
    : passing(`${here.join(' or ')} (network.nat)`)
}
