/**
 * Rate and connection limits of each NIC, as an nft script of two tables. Pure. Syntax: nft(8).
 *
 * All NICs share the kernel's connection table, its memory for fragments, the ARP queue, the limit
 * for ICMP errors, and the one thread that answers DHCP, DNS and metadata. Packets above a NIC's
 * budget are dropped on arrival, because a flood that reaches a socket has already cost everybody.
 *
 * The tables are apart from the firewall's and are updated in place. A set loses its counts when
 * its table is replaced, and a client can cause a replacement of the firewall by launching an
 * instance. A set that packets fill has its limit in its name, so that a changed limit is a new
 * set.
 *
 * Traffic between an instance and the services of its host is not tracked, so it takes no entry of
 * the connection table.
 */
import type { CounterValues } from '../model/counters.ts'
import { BUDGETS_TABLE } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import {
  above,
  BUCKET_SET,
  BUDGET_DROP_REASONS,
  bucketName,
  bucketSet,
  counter,
  drop,
  type Rate,
} from './budget-buckets.ts'
import { type BudgetLimits, connectionChains } from './connection-budgets.ts'
import { baseChain, chain, type NftObject, type NftTable, set, tableText } from './nft-tables.ts'
import { ANY_NIC } from './nft-text.ts'
import { acceptedChains, dropChain, NIC_COUNTER_SETS, nicCounterSets } from './nic-counters.ts'
import { RATE_SETS, rateObjects } from './rates.ts'
import { serviceAddresses } from './service-addresses.ts'
import { withStandby } from './standby.ts'

/** The reasons of the table `inet`. */
const DROPPED_HERE = BUDGET_DROP_REASONS.filter((reason) => reason !== 'budget_arp')

/** Family and name of the tables that the script updates. */
export const BUDGET_TABLES = [
  { family: 'inet', name: BUDGETS_TABLE },
  { family: 'arp', name: BUDGETS_TABLE },
] as const

/**
 * As EC2's resolver allows per network interface (VPC user guide, "DNS quotas"). On a host with
 * many NICs each gets less, so that all together ask no more than one thread can answer.
 */
const DNS = { most: 1024, ofAll: 32_768, least: 128 }
/** A client that retries sends one message in a few seconds (RFC 2131, section 4.1). */
const DHCP: Rate = { perSecond: 20, burst: 40 }
/** A request of the metadata service costs the thread ten times as much as a DNS query. */
const SERVICE_CONNECTIONS = { most: 128, ofAll: 2048, least: 16 }
const SERVICE_TCP: Rate = { perSecond: 4096, burst: 4096 }
const SERVICE_OTHER: Rate = { perSecond: 200, burst: 200 }
/**
 * A datagram of 64 KiB has 45 fragments. Incomplete ones stay for `FRAGMENT_SECONDS`
 * (`host/network/shared-tables.ts`).
 */
const FRAGMENTS: Rate = { perSecond: 250, burst: 500 }
const UNREACHABLE: Rate = { perSecond: 50, burst: 100 }
/** A guest asks by ARP for every address of its subnet, because all of them are routed. */
const ARP: Rate = { perSecond: 100, burst: 200 }

/** The tables. The same want and limits always give the same ones. */
export function budgetTables(given: HostWant, limits: BudgetLimits): readonly NftTable[] {
  const want = withStandby(given)
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const [inet, arp] = BUDGET_TABLES
  return [
    {
      ...inet,
      objects: [
        ...DROPPED_HERE.map(counter),
        ...nicCounterSets(want, 'dropped'),
        ...nicCounterSets(want, 'accepted'),
        ...DROPPED_HERE.map(dropChain),
        set('services', ['type ipv4_addr'], serviceAddresses(want.shared)),
        ...serviceChains(serviceRates(nics.length)),
        ...connectionChains(want, limits),
        ...rateObjects(want, limits.rates, drop),
        ...acceptedChains(),
      ],
    },
    { ...arp, objects: [counter('budget_arp'), ...arpChain()] },
  ]
}

/**
 * The script that makes the tables, or brings up to date what is there. It is safe to repeat.
 * Counters begin with the values in `counted`.
 */
export function loadBudgets(tables: readonly NftTable[], counted: CounterValues): string {
  return [
    ...BUDGET_TABLES.flatMap(({ family, name }) => [
      `add table ${family} ${name}`,
      // Empties the chains; sets keep their elements.
      `flush table ${family} ${name}`,
    ]),
    ...(['outgoing', 'incoming'] as const).flatMap((direction) => [
      `add map inet ${BUDGETS_TABLE} ${direction} { type ifname : verdict; }`,
      `flush map inet ${BUDGETS_TABLE} ${direction}`,
    ]),
    `add set inet ${BUDGETS_TABLE} services { type ipv4_addr; }`,
    `flush set inet ${BUDGETS_TABLE} services`,
    ...[...RATE_SETS, ...NIC_COUNTER_SETS].flatMap(({ name, head }) => [
      `add set inet ${BUDGETS_TABLE} ${name} { ${head.join('; ')}; }`,
      `flush set inet ${BUDGETS_TABLE} ${name}`,
    ]),
    ...removeOtherRates(new Set(tables.flatMap(({ objects }) => objects.map(({ name }) => name)))),
    ...tables.flatMap((table) => tableText(table, counted)),
    '',
  ].join('\n')
}

/** A script that deletes the tables, for those of another version that cannot be updated. */
export function removeBudgets(): string {
  return BUDGET_TABLES.map(
    ({ family, name }) => `add table ${family} ${name}\ndelete table ${family} ${name}\n`,
  ).join('')
}

/**
 * Queries and new connections per NIC and second. Powers of two, so that another NIC seldom changes
 * the sets.
 */
function serviceRates(nics: number): { readonly dns: Rate; readonly connections: Rate } {
  const rate = ({ most, ofAll, least }: typeof DNS): Rate => {
    const share = 2 ** Math.floor(Math.log2(ofAll / Math.max(1, nics)))
    return oneSecond(Math.max(least, Math.min(most, share)))
  }
  return { dns: rate(DNS), connections: rate(SERVICE_CONNECTIONS) }
}

function oneSecond(perSecond: number): Rate {
  return { perSecond, burst: perSecond }
}

/** Deletes the sets of all rates but those in use. Each is added first: only then it can go. */
function removeOtherRates(used: ReadonlySet<string>): readonly string[] {
  const ofAll = (name: string, { most, least }: typeof DNS) =>
    Array.from({ length: Math.log2(most / least) + 1 }, (_, step) =>
      bucketName(name, oneSecond(least * 2 ** step)),
    )
  return [...ofAll('dns', DNS), ...ofAll('service_connections', SERVICE_CONNECTIONS)]
    .filter((name) => !used.has(name))
    .flatMap((name) => [
      `add set inet ${BUDGETS_TABLE} ${name} { ${BUCKET_SET.join('; ')}; }`,
      `delete set inet ${BUDGETS_TABLE} ${name}`,
    ])
}

/** Before defragmentation (-400) and connection tracking (-200), after the source check (-450). */
function serviceChains({
  dns,
  connections,
}: ReturnType<typeof serviceRates>): readonly NftObject[] {
  return [
    bucketSet('fragments', FRAGMENTS),
    bucketSet('dns', dns),
    bucketSet('dhcp', DHCP),
    bucketSet('service_connections', connections),
    bucketSet('service_tcp', SERVICE_TCP),
    bucketSet('service_other', SERVICE_OTHER),
    bucketSet('unreachable', UNREACHABLE),
    chain('to_service', [
      `udp dport 53 ${above('iifname', 'dns', dns, 'budget_dns')}`,
      `udp dport 67 ${above('iifname', 'dhcp', DHCP, 'budget_dhcp')}`,
      'udp dport { 53, 67 } accept',
      `tcp dport { 53, 80 } tcp flags & (syn | ack) == syn ${above('iifname', 'service_connections', connections, 'budget_service_tcp')}`,
      `tcp dport { 53, 80 } ${above('iifname', 'service_tcp', SERVICE_TCP, 'budget_service_tcp')}`,
      'tcp dport { 53, 80 } accept',
      above('iifname', 'service_other', SERVICE_OTHER, 'budget_service_other'),
    ]),
    baseChain('arriving', 'type filter hook prerouting priority -440; policy accept;', [
      `iifname != ${ANY_NIC} accept`,
      `ip frag-off & 0x3fff != 0 ${above('iifname', 'fragments', FRAGMENTS, 'budget_fragments')}`,
      'ip daddr @services goto to_service',
      'ip daddr 255.255.255.255 goto to_service',
      `ip ttl <= 1 ${above('iifname', 'unreachable', UNREACHABLE, 'budget_unreachable')}`,
    ]),
    // After defragmentation: an untracked fragment would not be reassembled.
    baseChain('asking', 'type filter hook prerouting priority raw; policy accept;', [
      `iifname != ${ANY_NIC} accept`,
      'ip daddr 255.255.255.255 udp dport 67 notrack',
      'ip daddr @services udp dport { 53, 67 } notrack',
      'ip daddr @services tcp dport { 53, 80 } notrack',
      'ip daddr @services icmp type echo-request notrack',
    ]),
    baseChain('answering', 'type filter hook output priority raw; policy accept;', [
      `oifname != ${ANY_NIC} accept`,
      'ip saddr @services udp sport { 53, 67 } notrack',
      'ip saddr @services tcp sport { 53, 80 } notrack',
      'ip saddr @services icmp type echo-reply notrack',
    ]),
    baseChain('unroutable', 'type filter hook prerouting priority mangle; policy accept;', [
      `iifname ${ANY_NIC} ct state new fib daddr type { unreachable, prohibit } ${above('iifname', 'unreachable', UNREACHABLE, 'budget_unreachable')}`,
    ]),
  ]
}

function arpChain(): readonly NftObject[] {
  return [
    bucketSet('requests', ARP),
    baseChain('input', 'type filter hook input priority filter - 10; policy accept;', [
      `iifname ${ANY_NIC} ${above('iifname', 'requests', ARP, 'budget_arp')}`,
    ]),
  ]
}
