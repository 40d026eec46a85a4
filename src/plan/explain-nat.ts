/** With which address an instance goes out, for `atoll explain`. Pure. */
import { cidrContains, formatCidr } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName } from '../model/ids.ts'
import { type NatSettings, natExceptions, natSources } from '../model/nat.ts'
import type { PlacedNic, Vpc } from '../model/records.ts'
import type { ReachSettings } from './reach.ts'
import { isSeen, shownVpcs, takenBy } from './stand-ins.ts'

/** Of the host that answers. */
interface Outward extends Pick<ReachSettings, 'pools' | 'engines'> {
  readonly nat: NatSettings
  readonly routing: HostRouting
}

/**
 * The same answer as the chain `outbound` gives, in words. It does not pass when the host has no
 * address for it. Settings and addresses are those of the host that answers; `host` is that of the
 * instance; `isByNat`: it goes out by a NAT gateway.
 */
export function outwardAddress(
  { nic, isByNat }: { readonly nic: PlacedNic | null; readonly isByNat: boolean },
  { destination, source }: Flow,
  host: HostName | null,
  { vpcs }: { readonly vpcs: readonly Vpc[] },
  surroundings: Outward,
): { readonly passes: boolean; readonly text: string } {
  const { nat, routing } = surroundings
  const exception = natExceptions(nat, nic?.vpc).find((net) => cidrContains(net, destination))
  const vpc = vpcs.find(({ id }) => id === nic?.vpc)
  const passing = (text: string) => ({ passes: true, text })
  let hidden = ''
  if (exception !== undefined && vpc !== undefined) {
    const isShown =
      vpc.network === null ||
      (shownVpcs(vpcs, nat).has(vpc.id) && isSeen(source, takenBy(routing, surroundings)))
    const why = `network.nat.exceptions has ${formatCidr(exception)}`
    if (isShown) return passing(`its own address (${why})`)
    hidden = ` (${why}, but not for ${source}: see docs/nat.md)`
  }
  if (nic?.publicIp && !isByNat) return passing(`its floating IP ${nic.publicIp}${hidden}`)
  const sources = natSources(nat, nic?.vpc)
  if (sources.length === 0) return passing(`an address of host ${host}${hidden}`)
  const here = sources.filter((ip) => routing.addresses.includes(ip))
  return here.length === 0
    ? { passes: false, text: `${sources.join(' or ')} (network.nat), which no link has` }
    : passing(`${here.join(' or ')} (network.nat)${hidden}`)
}
