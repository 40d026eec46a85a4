/**
 * The guard: a second nft table that drops every packet from or to an instance which the main table
 * has not accepted. Pure.
 *
 * The main table marks what it accepts (`ACCEPT`), and the guard runs after every other chain. So
 * anyone who deletes or empties the main table cuts the instances off and opens nothing, even while
 * the daemon is down. The guard is never deleted: each transaction that replaces the main table
 * refills it. If the guard is deleted, too, the lock on each link still holds
 * (`host/network/lock.ts`).
 *
 * The hook and the priority of an existing chain cannot be changed. A change of either needs a new
 * chain name.
 */
import { type Cidr, formatCidr } from '../model/addr.ts'
import type { HostRouting } from '../model/host-routing.ts'
import { FABRIC_LINK, GUARD_TABLE, TRANSIT_LINK_PREFIX } from '../model/names.ts'
import { baseChain, type NftObject, set, tableText } from './nft-tables.ts'
import {
  ANY_NIC,
  ANY_PEER,
  dropUnattributed as drop,
  dropCounter,
  NOT_ACCEPTED,
} from './nft-text.ts'

/** After every other filter chain: the highest named priority of nft(8) is 300. */
const AFTER_ALL = 450
/** After the main table's source check (-450) and before defragmentation (-400). */
const AFTER_SOURCE_CHECK = -440

const GUARD = { family: 'inet', name: GUARD_TABLE } as const
const ANY_TRANSIT = `"${TRANSIT_LINK_PREFIX}*"`

/** What the guard needs from the want. */
interface GuardedAddresses {
  readonly services: readonly string[]
  readonly vpcs: readonly Cidr[]
}

/** The script that creates the guard, or refills an existing one. */
export function guardTable(
  { services, vpcs }: GuardedAddresses,
  routing: HostRouting,
): readonly string[] {
  const table = `inet ${GUARD_TABLE}`
  // An interval set is safe here because it is not recreated with its table (`networks.ts`): none
  // of 314,000 packets saw it empty at 235 replacements.
  const networks = ['type ipv4_addr', 'flags interval', 'auto-merge']
  return [
    // Only what exists can be flushed.
    ...tableText({
      ...GUARD,
      objects: [set('services', ['type ipv4_addr']), set('vpcs', networks)],
    }),
    `flush table ${table}`,
    `flush set ${table} services`,
    `flush set ${table} vpcs`,
    ...tableText({
      ...GUARD,
      objects: [
        dropCounter('unjudged'),
        dropCounter('stranger'),
        set('services', ['type ipv4_addr'], services),
        set('vpcs', networks, vpcs.map(formatCidr)),
        ...guardChains(routing),
      ],
    }),
  ]
}

function guardChains(routing: HostRouting): readonly NftObject[] {
  return [
    baseChain(
      'prerouting',
      `type filter hook prerouting priority ${AFTER_SOURCE_CHECK}; policy accept;`,
      [
        // Never allowed by any group. The main table drops it first, with its own counters.
        `iifname ${ANY_NIC} meta nfproto ipv6 ${drop('unjudged')}`,
        `iifname ${ANY_NIC} udp sport 67 udp dport 68 ${drop('unjudged')}`,
        `iifname ${ANY_NIC} icmp type redirect ${drop('unjudged')}`,
      ],
    ),
    baseChain('input', `type filter hook input priority ${AFTER_ALL}; policy accept;`, [
      `iifname ${ANY_NIC} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `iifname ${ANY_TRANSIT} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `iifname ${ANY_PEER} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      // Separate rules, because packets may see a new set before its elements are in it.
      `iifname ${ANY_NIC} accept`,
      'iifname "lo" accept',
      `ip daddr @services ${drop('unjudged')}`,
    ]),
    baseChain('forward', `type filter hook forward priority ${AFTER_ALL}; policy accept;`, [
      `iifname ${ANY_NIC} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `oifname ${ANY_NIC} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `iifname ${ANY_TRANSIT} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `oifname ${ANY_TRANSIT} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `iifname ${ANY_PEER} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `oifname ${ANY_PEER} ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `ip saddr @vpcs ${NOT_ACCEPTED} ${drop('unjudged')}`,
      `ip daddr @vpcs ${NOT_ACCEPTED} ${drop('unjudged')}`,
      ...(routing.forwardedBefore ? [] : dropOtherForwarding(routing)),
    ]),
  ]
}

/**
 * Drops forwarded packets that are neither from nor to an instance. Atoll switched forwarding on
 * for instances only, and a Docker Engine that finds it on does not drop these packets itself.
 * Docker's containers still go out, get answers, and are reached at their published ports.
 */
function dropOtherForwarding({ engineBridges }: HostRouting): readonly string[] {
  const bridges = engineBridges.map((name) => `"${name}"`).join(', ')
  return [
    `iifname ${ANY_NIC} accept`,
    `iifname "${FABRIC_LINK}" accept`,
    `oifname ${ANY_NIC} accept`,
    `oifname "${FABRIC_LINK}" accept`,
    `iifname ${ANY_TRANSIT} accept`,
    `oifname ${ANY_TRANSIT} accept`,
    'ct state established,related accept',
    'ct status dnat accept',
    ...(bridges === '' ? [] : [`iifname { ${bridges} } accept`]),
    drop('stranger'),
  ]
}
