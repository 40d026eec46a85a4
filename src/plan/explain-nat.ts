/** With which address an instance goes out, for `atoll explain`. Pure. */
import { cidrContains, formatCidr } from '../model/addr.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { Flow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName, NatGatewayId } from '../model/ids.ts'
import { type NatSettings, natExceptions, natSources } from '../model/nat.ts'
import type { PlacedNic } from '../model/records.ts'
import type { WayByAddress, WayOut } from '../model/ways-out.ts'
import type { CloudRecords } from './explain-question.ts'
import { apartStep } from './explain-router.ts'
import type { ReachSettings } from './reach.ts'
import { isSeen, shownVpcs, takenBy } from './stand-ins.ts'

/** Of the host that answers. */
interface Outward extends Pick<ReachSettings, 'pools' | 'engines'> {
  readonly fabric: Pick<FabricSettings, 'mode'>
  readonly nat: NatSettings
  readonly routing: HostRouting
}

/**
 * The address of a NAT gateway by which an instance of `host` goes out. It does not pass when no
 * host carries it.
 */
export function gatewayAddress(
  { gateway, ip }: WayByAddress,
  host: HostName | null,
  records: Pick<CloudRecords, 'hosts' | 'routing' | 'vpcs'>,
  fabric: Pick<FabricSettings, 'mode'>,
): { readonly passes: boolean; readonly text: string } {
  const carrier = carrierOf(gateway, records)
  const address = `${ip}, the address of ${gateway}`
  const no = (why: string) => ({ passes: false, text: `${address}, but ${why}` })
  if (carrier === null)
    return no(
      'no host carries it: none of those with instances of the VPC is live, in a zone of its pool',
    )
  const row = records.hosts.find(({ name }) => name === carrier)
  if (row?.live !== true)
    return no(`host ${carrier}, which carries it, is lost, and no other host can carry it yet`)
  if (carrier === host) return { passes: true, text: address }
  const apart = apartStep([host, carrier], records)
  if (apart !== null) return no(apart.text)
  const vpc = records.routing.find(({ natGateways }) =>
    natGateways.some(({ id }) => id === gateway),
  )
  const isOnSegment = records.vpcs.some(({ id, network }) => id === vpc?.vpc && network === null)
  if (isOnSegment && fabric.mode === 'direct')
    return no(
      `host ${carrier} carries it, and the VPC in the hosts' own network reaches it only with fabric.mode vxlan`,
    )
  return { passes: true, text: `${address}, by host ${carrier}, which carries it` }
}

/** The host that carries a NAT gateway; null: none does. */
export function carrierOf(
  gateway: NatGatewayId,
  { routing }: Pick<CloudRecords, 'routing'>,
): HostName | null {
  const all = routing.flatMap(({ natGateways }) => natGateways)
  return all.find(({ id }) => id === gateway)?.address?.carrier ?? null
}

/** A way out: by a NAT gateway (`nat`), or by one that has an address. */
interface Leaving {
  readonly to?: WayOut['kind']
  readonly gateway?: WayByAddress
}

/**
 * The same answer as the chain `outbound` gives, in words. It does not pass when the host has no
 * address for it. Settings and addresses are those of the host that answers; `host` is that of the
 * instance, `leaving` the way out by its routes.
 */
export function outwardAddress(
  { nic, leaving }: { readonly nic: PlacedNic | null; readonly leaving: Leaving | null },
  { destination, source }: Flow,
  host: HostName | null,
  records: Pick<CloudRecords, 'vpcs' | 'hosts' | 'routing'>,
  surroundings: Outward,
): { readonly passes: boolean; readonly text: string } {
  if (leaving?.gateway !== undefined)
    return gatewayAddress(leaving.gateway, host, records, surroundings.fabric)
  const { vpcs } = records
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
  if (nic?.publicIp && leaving?.to !== 'nat')
    return passing(`its floating IP ${nic.publicIp}${hidden}`)
  const sources = natSources(nat, nic?.vpc)
  if (sources.length === 0) return passing(`an address of host ${host}${hidden}`)
  const here = sources.filter((ip) => routing.addresses.includes(ip))
  return here.length === 0
    ? { passes: false, text: `${sources.join(' or ')} (network.nat), which no link has` }
    : passing(`${here.join(' or ')} (network.nat)${hidden}`)
}
