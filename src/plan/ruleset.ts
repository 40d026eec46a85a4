/**
 * The firewall as text: one host's want becomes one nft script that replaces our tables as a whole.
 * Pure.
 *
 * Links and addresses are elements of sets and maps; the number of rules depends on the number of
 * combinations of groups only. What is not from or to an instance is not touched: every base chain
 * accepts by policy and looks away early. What is from an instance has to show that it is: link,
 * Ethernet address and IP address must be one of the want's NICs, so a link that no record speaks
 * of is dropped while the daemon is down, too. Syntax: nft(8).
 */
import { METADATA_ADDRESS } from '../model/addr.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { Surroundings } from '../model/host-routing.ts'
import {
  FABRIC_LINK,
  GUARD_TABLE,
  NFT_TABLE,
  NIC_LINK_PREFIX,
  nicLinkName,
} from '../model/names.ts'
import type { HostWant, NicWant } from '../model/want.ts'
import { onlyUnwrapped, onlyWrapped } from './fabric-encryption.ts'
import { guardTable } from './guard.ts'
import { type Doors, doorChain, planDoors, toDoors } from './ingress.ts'
import { metadataHops } from './metadata-hop-limit.ts'
import { type Networks, networks } from './networks.ts'
import { block, counter, DROP_REASONS, drop, map, PASS, PROVED, set } from './nft-text.ts'
import { type ReachSettings, reachRules } from './reach.ts'
import { serviceAddresses } from './service-addresses.ts'

export interface FirewallSettings extends ReachSettings {
  /** TCP ports of the host itself that instances may connect to, beyond DHCP, DNS and metadata. */
  readonly instanceToHostPorts: readonly number[]
  /** This host's side of the fabric. */
  readonly fabric: FabricSettings
}

/** Family and name of the tables that the script replaces. */
const REPLACED = [
  { family: 'inet', name: NFT_TABLE },
  { family: 'arp', name: NFT_TABLE },
] as const
/** Of all tables that the script makes. */
export const RULESET_TABLES = [...REPLACED, { family: 'inet', name: GUARD_TABLE }] as const
/**
 * Put before the script it makes the guard anew, too: for one that cannot be filled, as after
 * somebody has changed its chains.
 */
export const GUARD_ANEW = `add table inet ${GUARD_TABLE}\ndelete table inet ${GUARD_TABLE}\n`
/** Counted in tables other than the main one. */
const COUNTED_ELSEWHERE: readonly string[] = ['arp', 'unjudged', 'stranger']

const SOURCE_CHECK = -450
const ANY_NIC = `"${NIC_LINK_PREFIX}*"`

/** The whole script: the same want in the same surroundings always gives the same text. */
export function renderRuleset(
  want: HostWant,
  settings: FirewallSettings,
  around: Surroundings,
): string {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const sources = nics.map((nic) => `"${nicLinkName(nic.id)}" . ${nic.mac} . ${nic.ip}`)
  const macs = nics.map((nic) => `"${nicLinkName(nic.id)}" . ${nic.mac}`)
  const addresses: SharedAddresses = {
    services: serviceAddresses(want.shared),
    vpcs: networks(
      'vpcs',
      want.shared.vpcs.map((vpc) => vpc.cidr),
    ),
  }
  return [
    ...REPLACED.flatMap(({ family, name }) => [
      // Adding first makes deleting succeed on a machine that has none.
      `add table ${family} ${name}`,
      `delete table ${family} ${name}`,
    ]),
    ...inetTable(want, settings, { ...addresses, nics, sources, macs }, around),
    ...arpTable({ ...addresses, sources, macs }),
    ...guardTable({ ...addresses, vpcs: want.shared.vpcs.map((vpc) => vpc.cidr) }, around),
    '',
  ].join('\n')
}

/** Alike on every host. */
interface SharedAddresses {
  /** Where the hosts' own services answer. */
  readonly services: readonly string[]
  readonly vpcs: Networks
}

/** Who may speak on a link: elements of sets. */
interface Speakers extends SharedAddresses {
  readonly sources: readonly string[]
  readonly macs: readonly string[]
}

function inetTable(
  want: HostWant,
  settings: FirewallSettings,
  speakers: Speakers & { readonly nics: readonly NicWant[] },
  around: Surroundings,
): readonly string[] {
  const { nics, sources, macs, services, vpcs } = speakers
  const links = nics.map((nic) => `"${nicLinkName(nic.id)}"`)
  const doors = planDoors(want, nics)
  const { fabric } = settings
  const peers = want.shared.peers.map((peer) => peer.address)
  const reach = reachRules(settings, around, vpcs, openPorts(settings))
  return block(`table inet ${NFT_TABLE}`, [
    ...DROP_REASONS.filter((reason) => !COUNTED_ELSEWHERE.includes(reason)).flatMap(counter),
    ...set('nic_links', ['type ifname'], links),
    ...set('nic_macs', ['type ifname . ether_addr'], macs),
    ...set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    ...set('services', ['type ipv4_addr'], services),
    ...vpcs.sets,
    ...set('peers', ['type ipv4_addr'], peers),
    ...reach.sets,
    ...doors.groups.flatMap(({ name, members }) => set(name, ['type ipv4_addr'], members)),
    ...doors.chains.flatMap(({ name, groups }) => doorChain(name, groups)),
    ...doors.chains.flatMap(({ behind }) => set(behind.name, ['type ipv4_addr'], behind.addresses)),
    ...map('doors', 'type ipv4_addr : verdict', doors.elements),
    ...fromNic(),
    ...(fabric.mode === 'vxlan' ? fromFabric(vpcs) : []),
    ...preroutingChain(fabric, vpcs),
    ...hostChains(settings),
    ...reach.chain,
    ...forwardChains(vpcs, doors),
    ...natChains(vpcs),
    ...metadataHops(want.local.instances),
    ...onlyWrapped(fabric, drop('fabric')),
  ])
}

/**
 * Before defragmentation (-400), so that each fragment shows its own source: put together first,
 * one of another's would pass for a part of the victim's datagram. And so before connection
 * tracking (-200), in whose table a spoofed packet makes no entry.
 */
function preroutingChain(fabric: FabricSettings, vpcs: Networks): readonly string[] {
  return block('chain prerouting', [
    `type filter hook prerouting priority ${SOURCE_CHECK}; policy accept;`,
    `iifname ${ANY_NIC} goto from_nic`,
    ...(fabric.mode === 'vxlan' ? [`iifname "${FABRIC_LINK}" goto from_fabric`] : []),
    'iifname "lo" accept',
    `ip daddr @services ${drop('service_outside')}`,
    ...vpcs
      .match('ip saddr')
      .map((ours) => `${ours} fib saddr . iif oif missing ${drop('spoofed_outside')}`),
  ])
}

function fromNic(): readonly string[] {
  return block('chain from_nic', [
    `iifname != @nic_links ${drop('unknown_link')}`,
    `meta nfproto ipv6 ${drop('ipv6')}`,
    `udp sport 67 udp dport 68 ${drop('rogue_dhcp')}`,
    `ip hdrlength > 5 ${drop('option')}`,
    `icmp type redirect ${drop('option')}`,
    `iifname . ether saddr . ip saddr @nic_sources ${PROVED}`,
    // A client that has no address yet (RFC 2131, section 4.1).
    `ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 iifname . ether saddr @nic_macs ${PROVED}`,
    drop('spoofed'),
  ])
}

/**
 * What came out of the VXLAN device: from an instance to an instance, or an ICMP error of the peer
 * who could not pass a packet on, which connection tracking has to know as the answer to one. That
 * a source is reached through this device, and so lives on a peer, is the routing table's word.
 */
function fromFabric(vpcs: Networks): readonly string[] {
  return [
    ...block('chain from_fabric', [
      `meta nfproto ipv6 ${drop('ipv6')}`,
      `ip daddr @services ${drop('service_outside')}`,
      ...vpcs.match('ip daddr').map((ours) => `${ours} goto from_peer`),
      drop('fabric'),
    ]),
    ...block('chain from_peer', [
      'ip saddr @peers icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
      ...vpcs.match('ip saddr').map((ours) => `${ours} fib saddr . iif oif exists accept`),
      drop('fabric'),
    ]),
  ]
}

/**
 * What an instance may ask of the host. The host itself may reach its instances; the answers come
 * back as established.
 */
function hostChains(settings: FirewallSettings): readonly string[] {
  const { fabric } = settings
  return [
    ...block('chain host_from_nic', [
      `ct state established,related ${PASS}`,
      `ct state invalid ${drop('invalid')}`,
      `ip daddr 255.255.255.255 udp dport 67 ${PASS}`,
      // Ours listen at the addresses themselves. Of a connection only the first packet finds the
      // listening socket.
      `ip daddr @services udp dport 53 socket wildcard 1 ${drop('foreign_service')}`,
      `ip daddr @services tcp dport { 53, 80 } tcp flags & (syn | ack) == syn socket wildcard 1 ${drop('foreign_service')}`,
      `ip daddr @services udp dport { 53, 67 } ${PASS}`,
      `ip daddr @services tcp dport 53 ${PASS}`,
      `ip daddr ${METADATA_ADDRESS} tcp dport 80 ${PASS}`,
      `ip daddr @services icmp type echo-request ${PASS}`,
      ...openPorts(settings).map((ports) => `${ports} ${PASS}`),
      drop('host'),
    ]),
    ...block('chain input', [
      'type filter hook input priority filter; policy accept;',
      `iifname ${ANY_NIC} goto host_from_nic`,
      // Not in prerouting: the answer to an instance that was masqueraded to this very port is not
      // meant for the host.
      ...(fabric.mode === 'vxlan'
        ? [
            ...onlyUnwrapped(fabric, drop('fabric')),
            `udp dport ${fabric.port} ip saddr != @peers ${drop('fabric')}`,
            `udp dport ${fabric.port} fib saddr . iif oif missing ${drop('fabric')}`,
          ]
        : []),
    ]),
    // The host reaches its instances; it is no better router that it could send them to.
    ...block('chain output', [
      'type filter hook output priority filter; policy accept;',
      `oifname ${ANY_NIC} icmp type redirect ${drop('option')}`,
      `oifname ${ANY_NIC} ${PASS}`,
    ]),
  ]
}

/** The match for the host's ports that are open to instances, if there are any. */
function openPorts({ instanceToHostPorts }: FirewallSettings): readonly string[] {
  const ports = [...new Set(instanceToHostPorts)].sort((a, b) => a - b)
  return ports.length === 0 ? [] : [`tcp dport { ${ports.join(', ')} }`]
}

function forwardChains(vpcs: Networks, doors: Doors): readonly string[] {
  return [
    ...block('chain instances', [
      // A path through a tunnel is narrower than the guest thinks.
      'tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu',
      `ip hdrlength > 5 ${drop('option')}`,
      `ct state established,related ${PASS}`,
      `ct state invalid ${drop('invalid')}`,
      `oifname != ${ANY_NIC} goto beyond`,
      ...toDoors(doors),
      drop('group'),
    ]),
    ...block('chain forward', [
      'type filter hook forward priority filter; policy accept;',
      `iifname ${ANY_NIC} goto instances`,
      `oifname ${ANY_NIC} goto instances`,
      ...[...vpcs.match('ip saddr'), ...vpcs.match('ip daddr')].map(
        (ours) => `${ours} ${drop('transit')}`,
      ),
    ]),
  ]
}

/**
 * Outbound traffic leaves under the host's own address; inside the VPCs addresses stay what they
 * are.
 */
function natChains(vpcs: Networks): readonly string[] {
  return [
    ...block('chain outbound', [
      ...vpcs.match('ip daddr').map((ours) => `${ours} accept`),
      'masquerade',
    ]),
    ...block('chain postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `iifname ${ANY_NIC} oifname != ${ANY_NIC} goto outbound`,
    ]),
  ]
}

/**
 * A routed guest can poison nobody's ARP cache but ours, and ours has permanent entries: this is
 * the second lock on that door. Proxy ARP answers a guest for what its own network has, and for
 * nothing else of ours; on all other links nobody is answered for what every host carries alike.
 */
function arpTable({ sources, macs, services, vpcs }: Speakers): readonly string[] {
  return block(`table arp ${NFT_TABLE}`, [
    ...counter('arp'),
    ...set('nic_macs', ['type ifname . ether_addr'], macs),
    ...set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    ...set('services', ['type ipv4_addr'], services),
    ...vpcs.sets,
    ...block('chain input', [
      'type filter hook input priority filter; policy accept;',
      `iifname ${ANY_NIC} goto from_nic`,
      `arp daddr ip @services ${drop('arp')}`,
    ]),
    ...block('chain from_nic', [
      'arp daddr ip @services goto from_speaker',
      ...vpcs.match('arp daddr ip').map((ours) => `${ours} goto from_speaker`),
      drop('arp'),
    ]),
    ...block('chain from_speaker', [
      'iifname . arp saddr ether . arp saddr ip @nic_sources accept',
      // A probe before an address is used has no sender address (RFC 5227, section 1.1).
      'arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether @nic_macs accept',
      drop('arp'),
    ]),
  ])
}
