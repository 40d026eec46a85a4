/** Which NAT gateways with a floating IP a host carries, by its want. Pure. */
import type { Ipv4 } from '../model/addr.ts'
import type { NatGatewayId } from '../model/ids.ts'
import type { SharedWant } from '../model/want.ts'
import type { WayByAddress, WayOut } from '../model/ways-out.ts'

/** Whether this host carries the gateway that a way goes by. */
export function isCarriedHere(to: WayOut): to is WayByAddress {
  return to.kind === 'nat-address' && to.via === undefined
}

/** The floating IPs of the gateways that this host carries, by their gateways. */
export function carriedAddresses({
  subnets,
}: Pick<SharedWant, 'subnets'>): ReadonlyMap<NatGatewayId, Ipv4> {
  return new Map(
    subnets.flatMap(({ routes = [] }) =>
      routes.flatMap(({ to }) => (isCarriedHere(to) ? [[to.gateway, to.ip] as const] : [])),
    ),
  )
}
