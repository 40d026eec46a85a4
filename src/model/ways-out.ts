/** The ways out of a VPC, as the want has them. Pure. */
import type { Cidr, Ipv4 } from './addr.ts'
import type { NatGatewayId, NicId, PeeringId } from './ids.ts'

/** A way out of a VPC. */
export interface RouteWant {
  readonly destination: Cidr
  readonly to: WayOut
}

/**
 * Where a route leads.
 *
 * - `internet`: out, with the floating IP of the NIC, or else the address of its host. What comes
 *   from there reaches the NIC.
 * - `nat`: out, always with the address of the host. Nothing comes in by it.
 * - `nat-address`: the same with the address of a NAT gateway, by the one host that carries it.
 * - `peering`: to the other VPC of the connection.
 * - `nic`: to an instance that is a router, with the addresses that the packet has.
 * - `blackhole`: nowhere.
 *
 * `plan/route-rules.ts` and `plan/router-routes.ts` say what each does with a packet.
 */
export type WayOut =
  | { readonly kind: 'internet' }
  | { readonly kind: 'nat' }
  /** To the other VPC of this connection, as long as that is active. */
  | { readonly kind: 'peering'; readonly peering: PeeringId }
  | WayToNic
  | WayByAddress
  | { readonly kind: 'blackhole' }

/** Out with the address of a NAT gateway. */
export interface WayByAddress {
  readonly kind: 'nat-address'
  readonly gateway: NatGatewayId
  /** The floating IP. */
  readonly ip: Ipv4
  /** The next hop to the host that carries it; absent: this host does. */
  readonly via?: Ipv4 | undefined
}

/** To a NIC whose source and destination are not checked. */
export interface WayToNic {
  readonly kind: 'nic'
  readonly nic: NicId
  /** Its first address. */
  readonly ip: Ipv4
  /** The next hop to its host; absent: it is on this host. */
  readonly via?: Ipv4 | undefined
}
