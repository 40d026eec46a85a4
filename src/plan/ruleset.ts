/**
 * The firewall as nft tables, made from a host's want, with the scripts that load them and that
 * change them in place, each one transaction. Pure.
 *
 * - Links and addresses are elements of sets and maps. The number of rules depends only on the
 *   number of combinations of security groups.
 * - Packets that are neither from nor to an instance are left alone: every base chain accepts by
 *   policy.
 * - A packet from an instance must have the link, the Ethernet address and the IP address of one
 *   NIC of the want. So a link that is not in the want is cut off even while the daemon is down.
 *
 * Syntax: nft(8).
 */
import { METADATA_ADDRESS } from '../model/addr.ts'
import type { CounterValues } from '../model/counters.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { HostRouting } from '../model/host-routing.ts'
import {
  FABRIC_LINK,
  GUARD_TABLE,
  NFT_TABLE,
  nicLinkName,
  TRACE_TABLE,
  WORLD_LINK,
} from '../model/names.ts'
import type { NatSettings } from '../model/nat.ts'
import type { TypeRate } from '../model/network-rates.ts'
import { addressesOf, type HostWant, type NicWant } from '../model/want.ts'
import { aclRules } from './acl-rules.ts'
import { arpTable, type Senders, type SharedAddresses } from './arp-table.ts'
import { onlyUnwrapped, onlyWrapped } from './fabric-encryption.ts'
import { fromFabric } from './fabric-rules.ts'
import { type FloatingRules, floatingRules, servedFloatingIps } from './floating.ts'
import { guardTable } from './guard.ts'
import { metadataHopRules } from './metadata-hop-limit.ts'
import { natRules } from './nat.ts'
import { natGatewayRules } from './nat-gateway-rules.ts'
import { type Networks, networks } from './networks.ts'
import {
  baseChain,
  chain,
  type NftObject,
  type NftTable,
  set,
  tableText,
  updateScript,
} from './nft-tables.ts'
import { ACCEPT, ACCEPT_VERIFIED, ANY_NIC, DROP_REASONS, drop, dropCounter } from './nft-text.ts'
import { dropChain, nicCounterSets } from './nic-counters.ts'
import { type PeeringRules, peeringRules } from './peering-rules.ts'
import { type ReachSettings, reachRules } from './reach.ts'
import { type RouteRules, routeRules } from './route-rules.ts'
import { type RouterRules, routerRules, routerSenders } from './routers.ts'
import { securityGroupChains } from './security-groups.ts'
import { serviceAddresses } from './service-addresses.ts'
import { takenBy } from './stand-ins.ts'
import { type StandbyRules, standbyRules, withStandby } from './standby.ts'
import { ANY_TRANSIT, FIT_SEGMENTS, NO_TRANSIT, transitRules } from './transit-rules.ts'

export interface FirewallSettings extends ReachSettings {
  /** TCP ports of the host itself that instances may connect to, beyond DHCP, DNS and metadata. */
  readonly instanceToHostPorts: readonly number[]
  /** This host's side of the fabric. */
  readonly fabric: FabricSettings
  /** Whether it is the network namespace of a VPC; absent: it is the machine's own. */
  readonly inVpc?: boolean
  /** How fast NICs may be, by instance type. */
  readonly rates: readonly TypeRate[]
  /** Most rules of security groups that have counters. */
  readonly countedRules: number
  readonly nat: NatSettings
}

/** Family and name of the tables that the script replaces. */
const REPLACED = [
  { family: 'inet', name: NFT_TABLE },
  { family: 'arp', name: NFT_TABLE },
] as const
/** All tables that the script makes. */
export const RULESET_TABLES = [...REPLACED, { family: 'inet', name: GUARD_TABLE }] as const
/**
 * Put before the script, this recreates the guard as well. It is needed when the guard cannot be
 * refilled, for example after somebody has changed its chains.
 */
export const RECREATE_GUARD = `add table inet ${GUARD_TABLE}\ndelete table inet ${GUARD_TABLE}\n`
/** Reasons whose counters are in other tables. */
const COUNTED_ELSEWHERE: readonly string[] = ['arp', 'unjudged', 'stranger']
const DROPPED_HERE = DROP_REASONS.filter((reason) => !COUNTED_ELSEWHERE.includes(reason))

const SOURCE_CHECK = -450

/** The tables of one host. */
export interface Ruleset {
  /** The tables that Atoll alone fills, as values. */
  readonly tables: readonly NftTable[]
  /** The script that creates or refills the guard. */
  readonly guard: string
}

/** The ruleset. The same want, settings and routing always give the same one. */
export function planRuleset(
  want: HostWant,
  settings: FirewallSettings,
  routing: HostRouting,
): Ruleset {
  const nics = withStandby(want).local.instances.flatMap((instance) => instance.nics)
  const sources = nics.flatMap((nic) =>
    addressesOf(nic).map((ip) => `"${nicLinkName(nic.id)}" . ${nic.mac} . ${ip}`),
  )
  const macs = nics.map((nic) => `"${nicLinkName(nic.id)}" . ${nic.mac}`)
  // What peers have is routed as what the VPC has itself.
  const cidrs = [...want.shared.vpcs, ...(want.peered ?? [])].map(({ cidr }) => cidr)
  const addresses: SharedAddresses = {
    services: serviceAddresses(want.shared),
    vpcs: networks('vpcs', cidrs),
  }
  return {
    tables: [
      inetTable(want, settings, { ...addresses, nics, sources, macs }, routing),
      arpTable({ ...addresses, sources, macs, routers: routerSenders(nics) }),
    ],
    guard: [...guardTable({ ...addresses, vpcs: cidrs }, routing), ''].join('\n'),
  }
}

/**
 * The script that replaces whatever is there by this ruleset. Counters begin with the values in
 * `counted`.
 */
export function loadScript({ tables, guard }: Ruleset, counted: CounterValues = new Map()): string {
  const script = [
    // That of a trace stays behind when the daemon is killed.
    ...[...REPLACED, { family: 'inet', name: TRACE_TABLE }].flatMap(({ family, name }) => [
      // Only an existing table can be deleted, so add it first.
      `add table ${family} ${name}`,
      `delete table ${family} ${name}`,
    ]),
    ...tables.flatMap((table) => tableText(table, counted)),
  ]
  return `${script.join('\n')}\n${guard}`
}

/**
 * The script that changes one ruleset into the other in place, empty when they are the same; null
 * when only `loadScript` can.
 */
export function changeScript(before: Ruleset, now: Ruleset): string | null {
  const changes = updateScript(before.tables, now.tables)
  if (changes === null) return null
  const lines = changes.map((line) => `${line}\n`).join('')
  return before.guard === now.guard ? lines : `${lines}${now.guard}`
}

function inetTable(
  want: HostWant,
  settings: FirewallSettings,
  senders: Senders & { readonly nics: readonly NicWant[] },
  routing: HostRouting,
): NftTable {
  const { nics, sources, macs, services, vpcs } = senders
  const links = nics.map((nic) => `"${nicLinkName(nic.id)}"`)
  const { fabric } = settings
  const peers = want.shared.peers.map((peer) => peer.address)
  const routers = routerRules(want, nics, vpcs)
  const isOwn = settings.inVpc !== true
  const served = servedFloatingIps(want, routing)
  const floating = floatingRules(
    isOwn ? served : { ...served, carried: new Set() },
    routers.routes.beforeFloats,
  )
  const hasFloatingIps = floating.objects.length > 0
  const routes = routeRules(want, nics, { vpcs, hasFloatingIps, routers: routers.routes })
  const { addresses } = routing
  const gateways = natGatewayRules(want)
  const nat = natRules({
    ...{ want, nics, settings: settings.nat, addresses, vpcs, floating, isOwn },
    byNatGateway: routes.outbound,
    first: [...routes.untranslated, ...gateways.outbound],
    passing: gateways.passing,
    sourced: gateways.sourced,
    taken: takenBy(routing, settings),
  })
  const peering = peeringRules(want)
  const standby = standbyRules(want, vpcs)
  const reach = reachRules(settings, routing, vpcs, openPorts(settings), {
    first: peering.leaving,
    outwards: [...routers.leaving, ...nat.leaving],
  })
  const transit = isOwn
    ? transitRules(want.transits ?? [], vpcs, openPorts(settings), {
        hasFloatingIps,
        entering: routes.entering,
      })
    : NO_TRANSIT
  const objects = [
    ...DROPPED_HERE.map(dropCounter),
    ...nicCounterSets(withStandby(want), 'dropped'),
    ...DROPPED_HERE.map(dropChain),
    set('nic_links', ['type ifname'], links),
    set('nic_macs', ['type ifname . ether_addr'], macs),
    set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    set('services', ['type ipv4_addr'], services),
    ...vpcs.sets,
    set('peers', ['type ipv4_addr'], peers),
    ...reach.sets,
    ...nat.before,
    ...routers.objects,
    fromNic(routers),
    ...(fabric.mode === 'vxlan' ? fromFabric(vpcs, want, routers, peering.fromFabric) : []),
    ...transit.arriving,
    ...peering.objects,
    ...floating.objects,
    preroutingChain(settings, vpcs, floating, peering.arriving),
    reach.chain,
    ...routes.objects,
    ...securityGroupChains(want, nics, routes.leaving, settings.countedRules),
    ...transit.chains,
    ...hostChains(settings, want, routes, peering),
    ...gateways.objects,
    ...standby.objects,
    ...forwardChains(settings, vpcs, { routes, standby }, [
      [...peering.forward, ...gateways.forward],
      nat.returning,
    ]),
    ...aclRules(want, nics),
    ...nat.objects,
    ...metadataHopRules(want.local.instances),
  ]
  return { family: 'inet', name: NFT_TABLE, objects }
}

/**
 * The source check. It runs before defragmentation (-400), so that it sees every fragment: else a
 * spoofed fragment could become part of another sender's datagram. It also runs before connection
 * tracking (-200), so that a spoofed packet creates no entry there.
 */
function preroutingChain(
  { fabric, inVpc }: FirewallSettings,
  vpcs: Networks,
  floating: FloatingRules,
  fromPeers: readonly string[],
): NftObject {
  return baseChain(
    'prerouting',
    `type filter hook prerouting priority ${SOURCE_CHECK}; policy accept;`,
    [
      `iifname ${ANY_NIC} goto from_nic`,
      ...(fabric.mode === 'vxlan' ? [`iifname "${FABRIC_LINK}" goto from_fabric`] : []),
      ...(inVpc === true ? [] : [`iifname ${ANY_TRANSIT} goto from_transit`]),
      ...fromPeers,
      'iifname "lo" accept',
      `ip daddr @services ${drop('service_outside')}`,
      ...vpcs
        .match('ip saddr')
        .map((ours) => `${ours} fib saddr . iif oif missing ${drop('spoofed_outside')}`),
      ...floating.fromOutside,
    ],
  )
}

function fromNic(routers: RouterRules): NftObject {
  return chain('from_nic', [
    `iifname != @nic_links ${drop('unknown_link')}`,
    `meta nfproto ipv6 ${drop('ipv6')}`,
    `udp sport 67 udp dport 68 ${drop('rogue_dhcp')}`,
    `ip hdrlength > 5 ${drop('option')}`,
    `icmp type redirect ${drop('option')}`,
    `iifname . ether saddr . ip saddr @nic_sources ${ACCEPT_VERIFIED}`,
    // A client that has no address yet (RFC 2131, section 4.1).
    `ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 iifname . ether saddr @nic_macs ${ACCEPT_VERIFIED}`,
    ...routers.fromNic,
    drop('spoofed'),
  ])
}

/**
 * Packets between instances and the host itself. Instances may use the services and the open ports.
 * The host may reach its instances, whose answers are accepted as established.
 */
function hostChains(
  settings: FirewallSettings,
  { transits = [] }: Pick<HostWant, 'transits'>,
  routes: RouteRules,
  peering: Pick<PeeringRules, 'input' | 'output'>,
): readonly NftObject[] {
  const { fabric, inVpc } = settings
  // VPCs with a namespace have VXLAN in both modes.
  const hasVxlan = fabric.mode === 'vxlan' || (fabric.address !== null && transits.length > 0)
  return [
    chain('host_from_nic', [
      `ct state established,related ${ACCEPT}`,
      `ct state invalid ${drop('invalid')}`,
      `ip daddr 255.255.255.255 udp dport 67 ${ACCEPT}`,
      // Our services listen on these addresses, not on 0.0.0.0. Of a TCP connection only the first
      // packet matches the listening socket.
      `ip daddr @services udp dport 53 socket wildcard 1 ${drop('foreign_service')}`,
      `ip daddr @services tcp dport { 53, 80 } tcp flags & (syn | ack) == syn socket wildcard 1 ${drop('foreign_service')}`,
      `ip daddr @services udp dport { 53, 67 } ${ACCEPT}`,
      `ip daddr @services tcp dport 53 ${ACCEPT}`,
      `ip daddr ${METADATA_ADDRESS} tcp dport 80 ${ACCEPT}`,
      `ip daddr @services icmp type echo-request ${ACCEPT}`,
      ...openPorts(settings).flatMap((ports) => [
        ...routes.toHost.map((route) => `${ports} ${route}`),
        `${ports} ${ACCEPT}`,
      ]),
      drop('host'),
    ]),
    baseChain('input', 'type filter hook input priority filter; policy accept;', [
      `iifname ${ANY_NIC} goto host_from_nic`,
      ...(inVpc === true
        ? [
            // The kernel would answer for every address of the namespace, whatever link it is on.
            `iifname "${WORLD_LINK}" ct state established,related accept`,
            `iifname "${WORLD_LINK}" ${drop('service_outside')}`,
          ]
        : [`iifname ${ANY_TRANSIT} goto host_from_transit`]),
      ...peering.input,
      // Not in prerouting: there it would match the answer to an instance that was masqueraded to
      // this port.
      ...(hasVxlan
        ? [
            ...onlyUnwrapped(fabric, drop('fabric')),
            `udp dport ${fabric.port} ip saddr != @peers ${drop('fabric')}`,
            `udp dport ${fabric.port} fib saddr . iif oif missing ${drop('fabric')}`,
          ]
        : []),
    ]),
    // The host reaches its instances. ICMP redirects are dropped: there is no better router.
    baseChain('output', 'type filter hook output priority filter; policy accept;', [
      `oifname ${ANY_NIC} icmp type redirect ${drop('option')}`,
      `oifname ${ANY_NIC} ${ACCEPT}`,
      ...(inVpc === true ? [] : [`oifname ${ANY_TRANSIT} ${ACCEPT}`]),
      ...peering.output,
      ...onlyWrapped(fabric, drop('fabric')),
    ]),
  ]
}

/** The match for the host's ports that are open to instances; empty if there are none. */
function openPorts({ instanceToHostPorts }: FirewallSettings): readonly string[] {
  const ports = [...new Set(instanceToHostPorts)].sort((a, b) => a - b)
  return ports.length === 0 ? [] : [`tcp dport { ${ports.join(', ')} }`]
}

function forwardChains(
  { inVpc }: FirewallSettings,
  vpcs: Networks,
  { routes, standby }: { readonly routes: RouteRules; readonly standby: StandbyRules },
  [betweenPeers, returning]: readonly [readonly string[], readonly string[]],
): readonly NftObject[] {
  return [
    chain('instances', [
      FIT_SEGMENTS,
      `ip hdrlength > 5 ${drop('option')}`,
      `ct state established,related ${ACCEPT}`,
      `ct state invalid ${drop('invalid')}`,
      // A connection begins with SYN. What looks like the middle of one belongs to a connection
      // that was ended because its permission was withdrawn. Its answers must not begin it again.
      `tcp flags & (fin | syn | rst | ack) != syn ${drop('invalid')}`,
      ...standby.beginning,
      ...routes.beginning,
      `iifname ${ANY_NIC} goto check_egress`,
      'goto check_ingress',
    ]),
    baseChain('forward', 'type filter hook forward priority filter; policy accept;', [
      ...(inVpc === true ? [] : [`iifname ${ANY_TRANSIT} goto leave_vpc`]),
      ...betweenPeers,
      `iifname ${ANY_NIC} goto instances`,
      `oifname ${ANY_NIC} goto instances`,
      ...(inVpc === true ? [] : [`oifname ${ANY_TRANSIT} goto enter_vpc`]),
      ...[...vpcs.match('ip saddr'), ...vpcs.match('ip daddr')].map(
        (ours) => `${ours} ${drop('transit')}`,
      ),
      ...returning,
    ]),
  ]
}
