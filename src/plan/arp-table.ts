/**
 * ARP rules as a table of their own. Pure.
 *
 * A guest on a routed link can only attack the host's ARP cache, whose entries for guests are
 * permanent; these rules are the second protection. Proxy ARP answers a guest only for its own
 * network and for service addresses. On other links nobody gets an answer for a service address,
 * because every host has it.
 */
import { NFT_TABLE } from '../model/names.ts'
import type { Networks } from './networks.ts'
import { baseChain, chain, map, type NftTable, set } from './nft-tables.ts'
import { ANY_NIC, dropUnattributed as drop, dropCounter } from './nft-text.ts'

/** Addresses that are the same on every host. */
export interface SharedAddresses {
  /** Where the hosts' own services answer. */
  readonly services: readonly string[]
  readonly vpcs: Networks
}

/** Who may send on a link, as elements of sets. */
export interface Senders extends SharedAddresses {
  readonly sources: readonly string[]
  readonly macs: readonly string[]
}

/** In a map: the first address of the NICs of routers. */
interface ArpSenders extends Senders {
  readonly routers: readonly string[]
}

/** The table. */
export function arpTable({ sources, macs, services, vpcs, routers }: ArpSenders): NftTable {
  const objects = [
    dropCounter('arp'),
    set('nic_macs', ['type ifname . ether_addr'], macs),
    set('nic_sources', ['type ifname . ether_addr . ipv4_addr'], sources),
    set('services', ['type ipv4_addr'], services),
    ...vpcs.sets,
    ...(routers.length === 0 ? [] : [map('routers', 'type ifname : ipv4_addr', routers)]),
    baseChain('input', 'type filter hook input priority filter; policy accept;', [
      `iifname ${ANY_NIC} goto from_nic`,
      `arp daddr ip @services ${drop('arp')}`,
    ]),
    chain('from_nic', [
      'arp daddr ip @services goto check_sender',
      ...vpcs.match('arp daddr ip').map((ours) => `${ours} goto check_sender`),
      drop('arp'),
    ]),
    chain('check_sender', [
      'iifname . arp saddr ether . arp saddr ip @nic_sources accept',
      // A probe before an address is used has no sender address (RFC 5227, section 1.1).
      'arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether @nic_macs accept',
      // With the source of the packet that it wants to send, which need not be of this NIC (Linux:
      // `arp_announce` 0). The kernel would remember where the sender is.
      ...(routers.length === 0
        ? []
        : [
            'arp operation request iifname . arp saddr ether @nic_macs arp saddr ip set iifname map @routers accept',
          ]),
      drop('arp'),
    ]),
  ]
  return { family: 'arp', name: NFT_TABLE, objects }
}
