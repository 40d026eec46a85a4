/**
 * NAT gateways that this host carries, as nft rules in the network namespace of their VPC, which
 * may be the machine's own. Pure.
 *
 * What goes out by one gets its floating IP here, whichever host the instance is on. From other
 * hosts it comes by the fabric, with the addresses that it has (`router-routes.ts` leads it here);
 * its answers go back the same way. Of a VPC with a namespace, the machine's own passes the
 * floating IP on, as that of an instance (`floating.ts`). Nobody outside can begin a connection to
 * it.
 *
 * Each address of an instance has ports of its own at each gateway, so that none can use up what
 * others need. Without gateways that are carried here there are no rules.
 */
import type { Ipv4 } from '../model/addr.ts'
import type { NatGatewayId } from '../model/ids.ts'
import { FABRIC_LINK } from '../model/names.ts'
import type { PortRange } from '../model/nat.ts'
import { addressesOf, type HostWant, type SharedWant } from '../model/want.ts'
import { type AlikeSubnets, alikeSubnets, routeLines } from './alike-subnets.ts'
import { carriedAddresses, isCarriedHere } from './carried-gateways.ts'
import { DROP_UNSOURCED, translate } from './nat.ts'
import { ANY_OTHER_ADDRESS, gatewayShares } from './nat-shares.ts'
import { chain, map, type NftObject, set } from './nft-tables.ts'
import { ACCEPT, ANY_NIC, ANY_PEER, drop } from './nft-text.ts'
import { FIT_SEGMENTS } from './transit-rules.ts'

/** Chains and sets of the main table, and lines for its chains. */
export interface NatGatewayRules {
  readonly objects: readonly NftObject[]
  /** Of what is forwarded between the fabric and the outside. */
  readonly forward: readonly string[]
  /** Of what an instance of this host sends out, before anything else translates it. */
  readonly outbound: readonly string[]
  /** Of what leaves this host, whoever sent it. */
  readonly passing: readonly string[]
  /** Before what has no address of the host to go out with is dropped: it needs none. */
  readonly sourced: readonly string[]
}

const NONE: NatGatewayRules = { objects: [], forward: [], outbound: [], passing: [], sourced: [] }

/** Matches what instances of other hosts send out of the VPC by this one. */
export const LEAVING_FROM_FABRIC = `iifname "${FABRIC_LINK}" ${isOutside('oifname')}`

/** Matches the links that lead neither to an instance, nor to another host or a peer of the VPC. */
function isOutside(field: 'iifname' | 'oifname'): string {
  return [ANY_NIC, ANY_PEER, `"${FABRIC_LINK}"`].map((link) => `${field} != ${link}`).join(' ')
}

/** The rules for a namespace. */
export function natGatewayRules(want: Pick<HostWant, 'local' | 'shared'>): NatGatewayRules {
  const carried = carriedAddresses(want.shared)
  if (carried.size === 0) return NONE
  const alike = alikeSubnets(leadingSubnets(want.shared), 'by_gateway')
  const names = new Map([...carried.keys()].toSorted().map((id, at) => [id, `${at}`]))
  const from = (verdict: string) =>
    alike.flatMap(({ name, subnets }) =>
      subnets.match('ip saddr').map((own) => `${own} ${verdict}_${name}`),
    )
  const shares = gatewayShares(senders(want))
  return {
    objects: [
      set('carried_ips', ['type ipv4_addr'], [...new Set(carried.values())]),
      ...alike.flatMap(({ subnets }) => subnets.sets),
      ...[...carried].flatMap(([id, ip]) => sourceChains(names.get(id) ?? '', ip, shares)),
      ...alike.map((one) => natChain(one, names)),
      chain('carried_nat', from('jump carried_nat')),
      ...alike.map(passChain),
      chain('leave_by_gateway', [
        FIT_SEGMENTS,
        `ip hdrlength > 5 ${drop('option')}`,
        `ct state established,related ${ACCEPT}`,
        `ct state invalid ${drop('invalid')}`,
        // The middle of a connection that another host carried until now. Its end is told at once.
        'tcp flags & (fin | syn | rst | ack) == ack reject with tcp reset',
        `tcp flags & (fin | syn | rst | ack) != syn ${drop('invalid')}`,
        ...from('goto carried_pass'),
        drop('route'),
      ]),
      chain('return_by_gateway', [
        FIT_SEGMENTS,
        `ct state established,related ${ACCEPT}`,
        drop('transit'),
      ]),
    ],
    forward: [
      // It would go back to where it came from.
      `ip daddr @carried_ips ${drop('transit')}`,
      `${LEAVING_FROM_FABRIC} goto leave_by_gateway`,
      `${isOutside('iifname')} oifname "${FABRIC_LINK}" goto return_by_gateway`,
    ],
    outbound: ['jump carried_nat'],
    passing: [`${LEAVING_FROM_FABRIC} jump carried_nat`],
    sourced: alike.flatMap(({ routes, subnets }) =>
      subnets
        .match('ip saddr')
        .flatMap((own) =>
          routeLines(routes, 'ip daddr', (to) =>
            isCarriedHere(to) ? 'return' : DROP_UNSOURCED,
          ).map((line) => `${own} ${line}`),
        ),
    ),
  }
}

/** Addresses of all instances that may go out by a gateway, on whichever host they are. */
function senders({ local, shared }: Pick<HostWant, 'local' | 'shared'>): readonly Ipv4[] {
  const here = local.instances.flatMap(({ nics }) => nics.flatMap(addressesOf))
  return [...here, ...shared.routes.map(({ ip }) => ip)]
}

/** The subnets of which a route leads to a gateway that is carried here. */
function leadingSubnets({ subnets }: SharedWant) {
  return subnets.flatMap(({ cidr, routes = [] }) =>
    routes.some(({ to }) => isCarriedHere(to)) ? [{ cidr, routes }] : [],
  )
}

/** Who goes out by a gateway, with which ports of its address. */
function sourceChains(
  name: string,
  address: Ipv4,
  shares: ReadonlyMap<Ipv4, PortRange>,
): readonly NftObject[] {
  const chainOf = ({ first }: PortRange) => `carried_${name}_from_${first}`
  return [
    ...[...new Map([...shares.values()].map((share) => [share.first, share])).values()].map(
      (share) => chain(chainOf(share), translate(address, share)),
    ),
    map(
      `carried_${name}_shares`,
      'type ipv4_addr : verdict',
      [...shares].map(([ip, share]) => `${ip} : goto ${chainOf(share)}`),
    ),
    chain(`carried_${name}`, [
      `ip saddr vmap @carried_${name}_shares`,
      ...translate(address, ANY_OTHER_ADDRESS),
    ]),
  ]
}

function natChain(
  { name, routes }: AlikeSubnets,
  names: ReadonlyMap<NatGatewayId, string>,
): NftObject {
  return chain(
    `carried_nat_${name}`,
    routeLines(routes, 'ip daddr', (to) =>
      isCarriedHere(to) ? `goto carried_${names.get(to.gateway)}` : 'return',
    ),
  )
}

function passChain({ name, routes }: AlikeSubnets): NftObject {
  return chain(`carried_pass_${name}`, [
    ...routeLines(routes, 'ip daddr', (to) =>
      isCarriedHere(to) ? 'goto leave_host' : drop('route'),
    ),
    drop('route'),
  ])
}
