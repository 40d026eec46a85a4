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
import { BUDGETS_TABLE, nicLinkName } from '../model/names.ts'
import type { TypeRate } from '../model/network-rates.ts'
import type { HostWant } from '../model/want.ts'
import {
  baseChain,
  chain,
  map,
  type NftObject,
  type NftTable,
  namedCounter,
  set,
  tableText,
} from './nft-tables.ts'
import { ANY_NIC } from './nft-text.ts'
import {
  acceptedChains,
  dropBy,
  dropChain,
  dropCounted,
  dropCounterOf,
  NIC_COUNTER_SETS,
  nicCounterSets,
} from './nic-counters.ts'
import { MAX_NICS, RATE_DROP_REASONS, RATE_SETS, rateObjects } from './rates.ts'
import { serviceAddresses } from './service-addresses.ts'

/** Why a packet was dropped; each has a counter. */
export const BUDGET_DROP_REASONS = [
  /** More open connections than the NIC's share of the connection table. */
  'budget_connections',
  /** New connections too fast. */
  'budget_new_connections',
  'budget_dns',
  'budget_dhcp',
  /** To the TCP services: metadata, and DNS over TCP. */
  'budget_service_tcp',
  /** To a service address, by ICMP or to a port without a service. */
  'budget_service_other',
  'budget_fragments',
  /** A packet that would cause an ICMP error: its TTL ends here, or there is no route. */
  'budget_unreachable',
  'budget_arp',
  ...RATE_DROP_REASONS,
] as const
export type BudgetDropReason = (typeof BUDGET_DROP_REASONS)[number]

/** The reasons of the table `inet`. */
const DROPPED_HERE = BUDGET_DROP_REASONS.filter((reason) => reason !== 'budget_arp')

/** Family and name of the tables that the script updates. */
export const BUDGET_TABLES = [
  { family: 'inet', name: BUDGETS_TABLE },
  { family: 'arp', name: BUDGETS_TABLE },
] as const

export interface BudgetLimits {
  /** Size of the kernel's connection table (`nf_conntrack_max`). */
  readonly connectionTableSize: number
  /** Memory that this host hands out. An instance's share of it is its share of the table. */
  readonly instanceMemoryMiB: number
  /** How fast NICs may be. */
  readonly rates: readonly TypeRate[]
}

/** Entries of the connection table per MiB that is handed out. With fewer, shares are smaller. */
export const CONNECTIONS_PER_MIB = 128
/**
 * Open connections of an instance in each direction, per MiB of its memory. In the worst case a NIC
 * holds six times as many entries. In each direction these are the open ones, as many again that it
 * opened at once, and those that ended within `CLOSED_SECONDS`. That is three quarters of
 * `CONNECTIONS_PER_MIB`; the last quarter is for the host itself.
 */
const OPEN_PER_MIB = 16
const WORST_ENTRIES_PER_OPEN = 6
const RESERVED_FOR_HOST = 1 / 4
/**
 * Classes of NICs by open connections. A NIC gets the largest class within its share. For each new
 * connection the kernel walks a whole list of open ones. So the lists are short, a class has
 * several of them, and a hash of addresses and ports chooses one.
 */
const LIST_LENGTH = 128
const CLASSES: readonly number[] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768]
/**
 * Granted even where the connection table is too small: with less, ordinary guests would notice.
 */
const SMALLEST_CLASS = 512
/**
 * How long the entry of an ended TCP connection stays. It is no longer counted as open then. The
 * kernel's default is 120 s.
 */
const CLOSED_SECONDS = 10

interface Rate {
  readonly perSecond: number
  readonly burst: number
}

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

const MAX_LISTS = 65_536
/** Definition of a set with a bucket for each NIC. */
const BUCKET_SET = [
  'type ifname',
  `size ${MAX_NICS}`,
  'flags dynamic,timeout',
  // An unused bucket is full again after `burst / perSecond` seconds, so it can be removed.
  'timeout 1m',
] as const

/** The tables. The same want and limits always give the same ones. */
export function budgetTables(want: HostWant, limits: BudgetLimits): readonly NftTable[] {
  const classes = nicClasses(want, limits)
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
        ...serviceChains(serviceRates(classes.length)),
        ...connectionChains(classes),
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

/** The open connections that each NIC may have. NICs of one instance divide its share. */
function nicClasses(
  want: HostWant,
  { connectionTableSize, instanceMemoryMiB }: BudgetLimits,
): readonly { readonly link: string; readonly open: number }[] {
  const forInstances = connectionTableSize * (1 - RESERVED_FOR_HOST)
  const affordable = forInstances / WORST_ENTRIES_PER_OPEN / Math.max(1, instanceMemoryMiB)
  const perMiB = Math.min(OPEN_PER_MIB, affordable)
  return want.local.instances.flatMap(({ type, nics }) => {
    const share = (type.memoryMiB * perMiB) / nics.length
    const open = CLASSES.findLast((each) => each <= share) ?? SMALLEST_CLASS
    return nics.map((nic) => ({ link: `"${nicLinkName(nic.id)}"`, open }))
  })
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

/**
 * After the firewall (0), so that only accepted connections count. A connection counts for the NIC
 * that it comes from, else for the NIC that it goes to. It is counted with its first packet; later
 * packets are in the connection table already.
 */
function connectionChains(
  classes: readonly { readonly link: string; readonly open: number }[],
): readonly NftObject[] {
  const countOutgoing = [
    'ct status confirmed accept',
    'ct state != new accept',
    'iifname vmap @outgoing',
  ]
  return [
    {
      kind: 'ct timeout',
      name: 'ended_tcp',
      head: ['protocol tcp', 'l3proto ip', `policy = { time_wait : ${CLOSED_SECONDS} }`],
      items: [],
    },
    ...CLASSES.flatMap((open) => [
      ...classChain('out', 'iifname', open),
      ...classChain('in', 'oifname', open),
    ]),
    map(
      'outgoing',
      'type ifname : verdict',
      classes.map(({ link, open }) => `${link} : goto out_${open}`),
    ),
    map(
      'incoming',
      'type ifname : verdict',
      classes.map(({ link, open }) => `${link} : goto in_${open}`),
    ),
    baseChain('through', 'type filter hook forward priority filter + 10; policy accept;', [
      ...countOutgoing,
      'oifname vmap @incoming',
    ]),
    baseChain('to_host', 'type filter hook input priority filter + 10; policy accept;', [
      ...countOutgoing,
    ]),
  ]
}

function classChain(
  direction: 'in' | 'out',
  link: 'iifname' | 'oifname',
  open: number,
): readonly NftObject[] {
  const rate = { perSecond: Math.ceil(open / CLOSED_SECONDS), burst: open }
  const lists = open / LIST_LENGTH
  const openSet = `${direction}_open_${open}`
  const other = direction === 'out' ? 'ip daddr' : 'ip saddr'
  const tooMany = `ct count over ${LIST_LENGTH} } ${drop('budget_connections')}`
  return [
    bucketSet(`${direction}_new`, rate),
    // Without a timeout: the kernel removes an element when its last connection is gone.
    set(openSet, ['typeof iifname . numgen inc mod 1', `size ${MAX_LISTS}`, 'flags dynamic']),
    chain(`${direction}_${open}`, [
      'meta l4proto tcp ct timeout set "ended_tcp"',
      above(link, `${direction}_new`, rate, 'budget_new_connections'),
      `meta l4proto { tcp, udp } update @${openSet} { ${link} . jhash ${other} . th sport . th dport mod ${lists} ${tooMany}`,
      `meta l4proto != { tcp, udp } update @${openSet} { ${link} . jhash ${other} mod ${lists} ${tooMany}`,
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

function bucketName(name: string, { perSecond, burst }: Rate): string {
  return `${name}_${perSecond}_${burst}`
}

function bucketSet(name: string, rate: Rate): NftObject {
  return set(bucketName(name, rate), BUCKET_SET)
}

/** Drops packets above the rate of their NIC. */
function above(
  link: 'iifname' | 'oifname',
  name: string,
  rate: Rate,
  reason: BudgetDropReason,
): string {
  const { perSecond, burst } = rate
  const limit = `limit rate over ${perSecond}/second burst ${burst} packets`
  return `update @${bucketName(name, rate)} { ${link} ${limit} } ${drop(reason)}`
}

function counter(reason: BudgetDropReason): NftObject {
  return namedCounter(dropCounterOf(reason))
}

function drop(reason: BudgetDropReason): string {
  return reason === 'budget_arp' ? dropCounted(reason) : dropBy(reason)
}
