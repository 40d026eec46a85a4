/**
 * The guard: a table of its own, later than all others, that drops what belongs to instances and
 * that no rule has let through. Pure.
 *
 * The main table marks what it accepts (`PASS`). So whoever removes or empties that table, or any
 * part of it, shuts the instances off and opens nothing, whether the daemon lives or not. This
 * table is never removed, only filled again, in the same transaction as the main one. What holds
 * when it is gone, too, is the lock on each link (`host/network/lock.ts`).
 *
 * A chain's hook and priority cannot be changed where it exists: another one needs another name.
 */
import { type Cidr, formatCidr } from '../model/addr.ts'
import type { Surroundings } from '../model/host-routing.ts'
import { FABRIC_LINK, GUARD_TABLE, NIC_LINK_PREFIX } from '../model/names.ts'
import { block, counter, drop, NOT_PASSED, set } from './nft-text.ts'

/** Behind every other chain of filtering: the latest named priority of nft(8) is 300. */
const LAST = 450
/** Behind the main table's look at where a packet comes from, and before defragmentation (-400). */
const FIRST = -440

const ANY_NIC = `"${NIC_LINK_PREFIX}*"`

/** What the guard has to know of the want. */
interface GuardedAddresses {
  readonly services: readonly string[]
  readonly vpcs: readonly Cidr[]
}

/** The script that makes the guard, or fills the one that is there. */
export function guardTable(
  { services, vpcs }: GuardedAddresses,
  around: Surroundings,
): readonly string[] {
  const table = `inet ${GUARD_TABLE}`
  // With intervals, and yet never seen empty, because it is not made anew (`networks.ts`): none of
  // 314,000 packets at 235 replacements.
  const networks = ['type ipv4_addr', 'flags interval', 'auto-merge']
  return [
    // Flushing a set or a table needs one that exists.
    ...block(`table ${table}`, [
      ...set('services', ['type ipv4_addr'], []),
      ...set('vpcs', networks, []),
    ]),
    `flush table ${table}`,
    `flush set ${table} services`,
    `flush set ${table} vpcs`,
    ...block(`table ${table}`, [
      ...counter('unjudged'),
      ...counter('stranger'),
      ...set('services', ['type ipv4_addr'], services),
      ...set('vpcs', networks, vpcs.map(formatCidr)),
      ...block('chain prerouting', [
        `type filter hook prerouting priority ${FIRST}; policy accept;`,
        // What no group and no want can allow. The main table drops it, too, and says why.
        `iifname ${ANY_NIC} meta nfproto ipv6 ${drop('unjudged')}`,
        `iifname ${ANY_NIC} udp sport 67 udp dport 68 ${drop('unjudged')}`,
        `iifname ${ANY_NIC} icmp type redirect ${drop('unjudged')}`,
      ]),
      ...block('chain input', [
        `type filter hook input priority ${LAST}; policy accept;`,
        `iifname ${ANY_NIC} ${NOT_PASSED} ${drop('unjudged')}`,
        // Not one rule with a set of names: between a new set and its elements the kernel lets
        // packets see it empty.
        `iifname ${ANY_NIC} accept`,
        'iifname "lo" accept',
        `ip daddr @services ${drop('unjudged')}`,
      ]),
      ...block('chain forward', [
        `type filter hook forward priority ${LAST}; policy accept;`,
        `iifname ${ANY_NIC} ${NOT_PASSED} ${drop('unjudged')}`,
        `oifname ${ANY_NIC} ${NOT_PASSED} ${drop('unjudged')}`,
        `ip saddr @vpcs ${NOT_PASSED} ${drop('unjudged')}`,
        `ip daddr @vpcs ${NOT_PASSED} ${drop('unjudged')}`,
        ...(around.forwardedBefore ? [] : strangers(around)),
      ]),
    ]),
  ]
}

/**
 * Forwarding is on for the instances: what is neither from nor to one of ours is not forwarded,
 * unless it was before. A Docker Engine that finds forwarding switched on relies on somebody to do
 * this; its containers go out, are answered, and are reached where a port was published.
 */
function strangers({ engineBridges }: Surroundings): readonly string[] {
  const bridges = engineBridges.map((name) => `"${name}"`).join(', ')
  return [
    `iifname ${ANY_NIC} accept`,
    `iifname "${FABRIC_LINK}" accept`,
    `oifname ${ANY_NIC} accept`,
    `oifname "${FABRIC_LINK}" accept`,
    'ct state established,related accept',
    'ct status dnat accept',
    ...(bridges === '' ? [] : [`iifname { ${bridges} } accept`]),
    drop('stranger'),
  ]
}
