/** Routes and network ACLs of any kind for two subnets, and wants that have them. */
import fc from 'fast-check'
import { cidr, ipv4 } from '../../src/model/addr.ts'
import type { Flow } from '../../src/model/flow.ts'
import { peerLinkName } from '../../src/model/names.ts'
import { type AclRule, byNumber } from '../../src/model/network-acl.ts'
import type { PeeredVpc } from '../../src/model/peering.ts'
import { byDestination } from '../../src/model/route-table.ts'
import type { HostWant, NicWant } from '../../src/model/want.ts'
import type { RouteWant, WayOut } from '../../src/model/ways-out.ts'
import { judgeAcl } from '../../src/plan/acl-rules.ts'
import { ledSubnets, wayToRouter } from '../../src/plan/router-routes.ts'
import { numbered } from './records.ts'
import { TEST_GATEWAY, testInstance } from './testbed.ts'

/** No subnet is smaller: the number of its routing table follows from its range. */
const SPLIT_SUBNETS = [
  { id: numbered('subnet', 1), cidr: cidr('172.31.0.0/28') },
  { id: numbered('subnet', 2), cidr: cidr('172.31.0.16/28') },
] as const

/** The instance that routes may lead to. It is in the second subnet. */
export const ROUTER = testInstance(23, [3])
const [routerNic] = ROUTER.nics as [NicWant]
const TO_ROUTER: WayOut = { kind: 'nic', nic: routerNic.id, ip: routerNic.ip }

const anyWay: fc.Arbitrary<WayOut> = fc.oneof(
  fc
    .constantFrom('internet' as const, 'internet' as const, 'nat' as const, 'blackhole' as const)
    .map((kind): WayOut => ({ kind })),
  fc.constant(TO_ROUTER),
)
/** By a NAT gateway with an address, here or on another host. */
const anyWayByAddress: fc.Arbitrary<WayOut> = fc.constantFrom(undefined, '10.0.0.2').map((via) => ({
  ...{ kind: 'nat-address', gateway: numbered('nat', 1), ip: ipv4('198.51.100.205') },
  ...(via === undefined ? {} : { via: ipv4(via) }),
}))
const routesBy = (way: fc.Arbitrary<WayOut>): fc.Arbitrary<readonly RouteWant[]> =>
  fc
    .dictionary(
      fc.constantFrom('0.0.0.0/0', '198.51.0.0/16', '198.51.100.2/32', '203.0.113.0/24'),
      way,
      { maxKeys: 3 },
    )
    .map((routes) =>
      byDestination(
        Object.entries(routes).map(([destination, to]) => ({ destination: cidr(destination), to })),
      ),
    )
const anyRoutes = routesBy(anyWay)

const ANY = { fromPort: -1, toPort: -1 }
const anyMatch = fc.constantFrom(
  { protocol: -1, ...ANY },
  { protocol: -1, ...ANY },
  { protocol: 6, fromPort: 22, toPort: 80 },
  { protocol: 6, fromPort: 0, toPort: 65_535 },
  { protocol: 17, fromPort: 53, toPort: 53 },
  { protocol: 1, ...ANY },
  { protocol: 1, fromPort: 8, toPort: 0 },
)
const anyAcl: fc.Arbitrary<readonly AclRule[]> = fc
  .array(
    fc.tuple(
      fc.boolean(),
      fc.boolean(),
      anyMatch,
      fc.constantFrom(
        '0.0.0.0/0',
        '0.0.0.0/0',
        '172.31.0.11/32',
        '172.31.0.16/28',
        '198.51.100.0/24',
      ),
    ),
    { maxLength: 6 },
  )
  .map((rules) =>
    byNumber(
      rules.map(([egress, allow, match, peer], at) => ({
        ...{ egress, allow, number: at + 1, ...match },
        peer: { kind: 'ipv4', cidr: cidr(peer) },
      })),
    ),
  )

/** Routes and, perhaps, an ACL for each of the two subnets. */
export type AnyRouting = readonly (readonly [readonly RouteWant[], readonly AclRule[] | null])[]
export const anyRouting: fc.Arbitrary<AnyRouting> = fc.tuple(
  fc.tuple(anyRoutes, fc.option(anyAcl, { nil: null })),
  fc.tuple(anyRoutes, fc.option(anyAcl, { nil: null })),
)

/** Of a VPC with a network of its own: also by NAT gateways with an address. */
export const anyRoutingByGateways: fc.Arbitrary<AnyRouting> = fc.tuple(
  fc.tuple(routesBy(fc.oneof(anyWay, anyWayByAddress)), fc.constant(null)),
  fc.tuple(routesBy(fc.oneof(anyWay, anyWayByAddress)), fc.constant(null)),
)

/** The want with its NICs in the two subnets, and these routes and ACLs. */
export function withRouting(want: HostWant, routing: AnyRouting): HostWant {
  const subnets = SPLIT_SUBNETS.map((subnet, at) => {
    const [routes, rules] = routing[at] ?? [[], null]
    const acl = rules === null ? {} : { acl: { id: numbered('acl', at + 1), rules } }
    return { ...subnet, gateway: TEST_GATEWAY, routes, ...acl }
  })
  const instances = want.local.instances.map((instance) => ({
    ...instance,
    nics: instance.nics.map((nic) => ({
      ...nic,
      ...{ subnet: subnetOf(nic.ip).id, subnetCidr: subnetOf(nic.ip).cidr },
      ...(nic.id === routerNic.id ? { sourceDestCheck: false as const } : {}),
    })),
  }))
  return {
    ...want,
    local: { ...want.local, instances },
    shared: { ...want.shared, subnets },
  }
}

/** VPCs that are peered with one that has this routing, and routes to them of its first subnet. */
export interface AnyPeers {
  readonly peered: readonly PeeredVpc[]
  readonly routes: readonly RouteWant[]
}
const PEERS = [3, 4, 5].map((network) => ({
  ...{ network, link: peerLinkName(network), cidr: cidr(`10.${network}.0.0/16`) },
  ...{ id: numbered('pcx', network), vpc: numbered('vpc', network) },
}))
export const anyPeers: fc.Arbitrary<AnyPeers> = fc.record({
  peered: fc
    .tuple(fc.subarray(PEERS), fc.subarray(PEERS))
    .map(([there, linked]) =>
      there.map((peer) => (linked.includes(peer) ? peer : { ...peer, link: null })),
    ),
  // The connection may be gone, or lead to other addresses.
  routes: fc
    .dictionary(
      fc.constantFrom('10.3.0.0/16', '10.3.1.0/24', '10.4.0.0/16', '10.0.0.0/8'),
      fc.constantFrom(...PEERS),
      { maxKeys: 3 },
    )
    .map((routes) =>
      Object.entries(routes).map(([destination, { id }]) => ({
        destination: cidr(destination),
        to: { kind: 'peering', peering: id },
      })),
    ),
})

/** The want of the namespace of a VPC with these peers. */
export function withPeers(want: HostWant, { peered, routes }: AnyPeers): HostWant {
  const [first, ...others] = want.shared.subnets
  if (first === undefined) return { ...want, peered }
  const own = { ...first, routes: byDestination([...(first.routes ?? []), ...routes]) }
  return { ...want, peered, shared: { ...want.shared, subnets: [own, ...others] } }
}

/** The want of the machine's own namespace: its first VPC has those of these with a link. */
export function withRoutedPeers(want: HostWant, peers: AnyPeers): HostWant {
  const { peered: _, ...led } = withPeers(want, peers)
  const [vpc] = led.shared.vpcs
  if (vpc === undefined) return led
  const routedPeers = peers.peered.flatMap((peer) =>
    peer.link === null ? [] : { ...peer, link: peer.link, own: vpc.id, ownCidr: vpc.cidr },
  )
  const subnets = led.shared.subnets.map((subnet) => ({ ...subnet, vpc: vpc.id }))
  return {
    ...{ ...led, shared: { ...led.shared, subnets } },
    ...(routedPeers.length === 0 ? {} : { routedPeers }),
  }
}

function subnetOf(ip: string) {
  const [first, second] = SPLIT_SUBNETS
  return Number(ip.split('.').at(-1)) < 12 ? first : second
}

/**
 * Whether network ACLs let a packet out of the subnet of its source and into that of the other, or
 * of the router that it is led to.
 */
export function passesAcls(flow: Flow, want: HostWant): boolean {
  const { shared } = want
  const getter = wayToRouter(flow, ledSubnets(want))?.ip ?? flow.destination
  const [from, to, meant] = [flow.source, getter, flow.destination].map((ip) =>
    ip.startsWith('172.31.') ? subnetOf(ip).id : undefined,
  )
  const rulesOf = (id: string | undefined) =>
    shared.subnets.find((one) => one.id === id)?.acl?.rules
  const allows = (egress: boolean, rules: readonly AclRule[] | undefined) =>
    rules === undefined || judgeAcl(flow, egress, rules)?.allow === true
  // What is led to a router of its own subnet leaves that by its destination.
  return (
    (from === meant || allows(true, rulesOf(from))) && (from === to || allows(false, rulesOf(to)))
  )
}
