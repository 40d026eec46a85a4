/**
 * The firewall as text: one host's want becomes one nft script that replaces our tables as a whole. Pure.
 *
 * Links and addresses are elements of sets and maps; the number of rules depends on the number of combinations of groups only.
 * What is not from or to an instance is not touched: every base chain accepts by policy and looks away early. What is from an
 * instance has to show that it is: link, Ethernet address and IP address must be one of the want's NICs, so a link that no record
 * speaks of is dropped while the daemon is down, too. Syntax: nft(8).
 */
import type { Ipv4 } from '../model/addr.ts'
import { formatCidr, METADATA_ADDRESS, RESOLVER_ADDRESS } from '../model/addr.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { GroupId } from '../model/ids.ts'
import { FABRIC_LINK, NFT_TABLE, NIC_LINK_PREFIX, nicLinkName } from '../model/names.ts'
import type { HostWant, NicWant } from '../model/want.ts'
import { metadataHops } from './metadata-hops.ts'

export interface FirewallSettings {
  /** TCP ports of the host itself that instances may connect to, beyond DHCP, DNS and metadata. */
  readonly instanceToHostPorts: readonly number[]
  /** This host's side of the fabric. */
  readonly fabric: FabricSettings
}

/** Why a packet was dropped; each has a counter. */
export const DROP_REASONS = [
  /** From a NIC link that no record speaks of. */
  'unknown_link',
  'ipv6',
  /** Ethernet or IP source is not the NIC's own. */
  'spoofed',
  /** An instance answering DHCP (server port to client port). */
  'rogue_dhcp',
  /** From elsewhere, with the source address of a VPC that is not routed there. */
  'spoofed_outside',
  /** From elsewhere to a gateway or metadata address. */
  'service_outside',
  /** Not part of any connection, and not the start of one (conntrack's `invalid`). */
  'invalid',
  /** Into the VXLAN device or its port from somebody who is no peer, or out of it what no peer sends. */
  'fabric',
  /** Between elsewhere and an instance on another host, past our own: a host is a router for its own instances only. */
  'transit',
  /** From an instance to this host or another, and not one of its services. */
  'host',
  /** No group of the destination lets this source in. */
  'group',
  'arp',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** Name of the counter of a reason. */
export function dropCounterName(reason: DropReason): string {
  return `dropped_${reason}`
}

/** Family and name of the tables that the script replaces. */
export const RULESET_TABLES = [
  { family: 'inet', name: NFT_TABLE },
  { family: 'arp', name: NFT_TABLE },
] as const

const ANY_NIC = `"${NIC_LINK_PREFIX}*"`

/** The whole script: the same want always gives the same text. */
export function renderRuleset(want: HostWant, settings: FirewallSettings): string {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const sources = nics.map((nic) => `"${nicLinkName(nic.id)}" . ${nic.mac} . ${nic.ip}`)
  const macs = nics.map((nic) => `"${nicLinkName(nic.id)}" . ${nic.mac}`)
  return [
    ...RULESET_TABLES.flatMap(({ family, name }) => [
      // Adding first makes deleting succeed on a machine that has none.
      `add table ${family} ${name}`,
      `delete table ${family} ${name}`,
    ]),
    ...inetTable(want, settings, nics, sources, macs),
    ...arpTable(sources, macs),
    '',
  ].join('\n')
}

function inetTable(
  want: HostWant,
  settings: FirewallSettings,
  nics: readonly NicWant[],
  sources: readonly string[],
  macs: readonly string[],
): readonly string[] {
  const gateways = want.shared.subnets.map((subnet) => subnet.gateway)
  const services = [...gateways, METADATA_ADDRESS, RESOLVER_ADDRESS]
  const vpcs = want.shared.vpcs.map((vpc) => formatCidr(vpc.cidr))
  const links = nics.map((nic) => `"${nicLinkName(nic.id)}"`)
  const doors = planDoors(want, nics)
  const { fabric } = settings
  const peers = want.shared.peers.map((peer) => peer.address)
  return block(`table inet ${NFT_TABLE}`, [
    ...DROP_REASONS.filter((reason) => reason !== 'arp').flatMap(counter),
    ...set('nic_links', ['type ifname'], links),
    ...set('nic_macs', ['type ifname . ether_addr'], macs),
    ...set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    ...set('services', ['type ipv4_addr'], services),
    ...set('vpcs', ['type ipv4_addr', 'flags interval', 'auto-merge'], vpcs),
    ...set('peers', ['type ipv4_addr'], peers),
    ...doors.groups.flatMap(({ name, members }) => set(name, ['type ipv4_addr'], members)),
    ...doors.chains.flatMap(({ name, groups }) => doorChain(name, groups)),
    ...map('doors', 'type ipv4_addr : verdict', doors.elements),
    ...fromNic(),
    ...(fabric.mode === 'vxlan' ? fromFabric() : []),
    ...preroutingChain(fabric),
    ...hostChains(settings),
    ...forwardChains(settings),
    ...natChain(),
    ...metadataHops(want.local.instances),
  ])
}

/** Before connection tracking, so that a spoofed packet makes no entry in its table (`raw`, -300; fragments are whole by then). */
function preroutingChain(fabric: FabricSettings): readonly string[] {
  return block('chain prerouting', [
    'type filter hook prerouting priority raw; policy accept;',
    `iifname ${ANY_NIC} goto from_nic`,
    ...(fabric.mode === 'vxlan' ? [`iifname "${FABRIC_LINK}" goto from_fabric`] : []),
    'iifname "lo" accept',
    `ip daddr @services ${drop('service_outside')}`,
    `ip saddr @vpcs fib saddr . iif oif missing ${drop('spoofed_outside')}`,
  ])
}

function fromNic(): readonly string[] {
  return block('chain from_nic', [
    `iifname != @nic_links ${drop('unknown_link')}`,
    `meta nfproto ipv6 ${drop('ipv6')}`,
    `udp sport 67 udp dport 68 ${drop('rogue_dhcp')}`,
    'iifname . ether saddr . ip saddr @nic_sources accept',
    // A client that has no address yet (RFC 2131, section 4.1).
    'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 iifname . ether saddr @nic_macs accept',
    drop('spoofed'),
  ])
}

/**
 * What came out of the VXLAN device: from an instance to an instance, or an ICMP error of the peer who could not pass a packet on,
 * which connection tracking has to know as the answer to one. That a source is reached through this device, and so lives on a peer,
 * is the routing table's word.
 */
function fromFabric(): readonly string[] {
  return block('chain from_fabric', [
    `meta nfproto ipv6 ${drop('ipv6')}`,
    `ip daddr @services ${drop('service_outside')}`,
    `ip daddr != @vpcs ${drop('fabric')}`,
    'ip saddr @peers icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
    'ip saddr @vpcs fib saddr . iif oif exists accept',
    drop('fabric'),
  ])
}

/** What an instance may ask of the host. The host itself may reach its instances; the answers come back as established. */
function hostChains(settings: FirewallSettings): readonly string[] {
  const { fabric } = settings
  return [
    ...block('chain host_from_nic', [
      'ct state established,related accept',
      `ct state invalid ${drop('invalid')}`,
      'ip daddr 255.255.255.255 udp dport 67 accept',
      'ip daddr @services udp dport { 53, 67 } accept',
      'ip daddr @services tcp dport 53 accept',
      `ip daddr ${METADATA_ADDRESS} tcp dport 80 accept`,
      'ip daddr @services icmp type echo-request accept',
      ...openPorts(settings).map((ports) => `${ports} accept`),
      drop('host'),
    ]),
    ...block('chain input', [
      'type filter hook input priority filter; policy accept;',
      `iifname ${ANY_NIC} goto host_from_nic`,
      // Not in prerouting: the answer to an instance that was masqueraded to this very port is not meant for the host.
      ...(fabric.mode === 'vxlan'
        ? [
            `udp dport ${fabric.port} ip saddr != @peers ${drop('fabric')}`,
            `udp dport ${fabric.port} fib saddr . iif oif missing ${drop('fabric')}`,
          ]
        : []),
    ]),
  ]
}

/** The match for the host's ports that are open to instances, if there are any. */
function openPorts({ instanceToHostPorts }: FirewallSettings): readonly string[] {
  const ports = [...new Set(instanceToHostPorts)].sort((a, b) => a - b)
  return ports.length === 0 ? [] : [`tcp dport { ${ports.join(', ')} }`]
}

function forwardChains(settings: FirewallSettings): readonly string[] {
  return [
    ...block('chain instances', [
      // A path through a tunnel is narrower than the guest thinks.
      'tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu',
      'ct state established,related accept',
      `ct state invalid ${drop('invalid')}`,
      // Masqueraded it would look like this host itself, whom the engines and the fabric of the others trust.
      ...openPorts(settings).map((ports) => `ip daddr @peers ${ports} accept`),
      `ip daddr @peers ${drop('host')}`,
      `oifname != ${ANY_NIC} accept`,
      'ip daddr vmap @doors',
      drop('group'),
    ]),
    ...block('chain forward', [
      'type filter hook forward priority filter; policy accept;',
      `iifname ${ANY_NIC} goto instances`,
      `oifname ${ANY_NIC} goto instances`,
      `ip saddr @vpcs ${drop('transit')}`,
      `ip daddr @vpcs ${drop('transit')}`,
    ]),
  ]
}

/** Outbound traffic leaves under the host's own address; inside the VPCs addresses stay what they are. */
function natChain(): readonly string[] {
  return block('chain postrouting', [
    'type nat hook postrouting priority srcnat; policy accept;',
    `iifname ${ANY_NIC} oifname != ${ANY_NIC} ip daddr != @vpcs masquerade`,
  ])
}

/** A routed guest can poison nobody's ARP cache but ours, and ours has permanent entries: this is the second lock on that door. */
function arpTable(sources: readonly string[], macs: readonly string[]): readonly string[] {
  return block(`table arp ${NFT_TABLE}`, [
    ...counter('arp'),
    ...set('nic_macs', ['type ifname . ether_addr'], macs),
    ...set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    ...block('chain input', [
      'type filter hook input priority filter; policy accept;',
      `iifname != ${ANY_NIC} accept`,
      'iifname . arp saddr ether . arp saddr ip @nic_sources accept',
      // A probe before an address is used has no sender address (RFC 5227, section 1.1).
      'arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether @nic_macs accept',
      drop('arp'),
    ]),
  ])
}

/** One destination, one lookup: the combination of groups it is in leads to the chain that knows who may enter. */
interface Doors {
  readonly groups: readonly { readonly name: string; readonly members: readonly Ipv4[] }[]
  readonly chains: readonly { readonly name: string; readonly groups: readonly string[] }[]
  readonly elements: readonly string[]
}

function planDoors(want: HostWant, nics: readonly NicWant[]): Doors {
  const members = new Map(want.shared.groups.map((group) => [group.id, group.members]))
  const combinationOf = (nic: NicWant) =>
    [...new Set(nic.groups.map((group) => group.id))].toSorted()
  const byKey = new Map(nics.map((nic) => [combinationOf(nic).join(), combinationOf(nic)]))
  // Numbered, because the names of all groups together can be longer than the kernel lets a chain's name be.
  const keys = [...byKey.keys()].toSorted()
  const nameOf = new Map(keys.map((key, index) => [key, `door_${index}`]))
  const used = [...new Set([...byKey.values()].flat())].toSorted()
  return {
    groups: used.map((id) => ({ name: groupSetName(id), members: members.get(id) ?? [] })),
    chains: keys.map((key, index) => ({
      name: `door_${index}`,
      groups: (byKey.get(key) ?? []).map(groupSetName),
    })),
    elements: nics.map((nic) => `${nic.ip} : goto ${nameOf.get(combinationOf(nic).join())}`),
  }
}

function groupSetName(id: GroupId): string {
  return `members_${id.replaceAll('-', '_')}`
}

/** Only sources that are members enter; that a source is who it says was proved in prerouting. */
function doorChain(name: string, groups: readonly string[]): readonly string[] {
  return block(`chain ${name}`, [
    ...groups.map((group) => `ip saddr @${group} accept`),
    drop('group'),
  ])
}

function counter(reason: DropReason): readonly string[] {
  return block(`counter ${dropCounterName(reason)}`, [])
}

function drop(reason: DropReason): string {
  return `counter name "${dropCounterName(reason)}" drop`
}

function set(
  name: string,
  declaration: readonly string[],
  elements: readonly string[],
): readonly string[] {
  return block(`set ${name}`, [...declaration, ...elementLines(elements)])
}

function map(name: string, type: string, elements: readonly string[]): readonly string[] {
  return block(`map ${name}`, [type, ...elementLines(elements)])
}

/** nft takes no empty element list. Twice the same element would be an error: records forbid it, and a set removes the doubt. */
function elementLines(elements: readonly string[]): readonly string[] {
  const unique = [...new Set(elements)]
  return unique.length === 0 ? [] : [`elements = { ${unique.join(', ')} }`]
}

function block(head: string, body: readonly string[]): readonly string[] {
  return [`${head} {`, ...body.map((line) => `  ${line}`), '}']
}
