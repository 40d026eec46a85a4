/**
 * What each NIC may take of what all share in the kernel, as text: two nft tables that are brought
 * up to date and never replaced.
 *
 * Shared are the connection table, the memory for fragments, the ARP queue, the allowance for ICMP
 * errors, and the one thread that answers DHCP, DNS and metadata. A flood that reaches a socket has
 * cost everybody already, so what is above the budget ends here, on its way in. The tables are
 * apart from the firewall's, because a set forgets what it has counted when its table is replaced,
 * and any client can have the firewall replaced by launching something. Here the rules and the NICs
 * change and the counting goes on: a set that packets fill carries its limit in its name, so a
 * changed limit is another set. Pure. Syntax: nft(8).
 *
 * Traffic between an instance and the services of its own host is not tracked: it costs no entry of
 * the connection table.
 */
import { BUDGETS_TABLE, NIC_LINK_PREFIX, nicLinkName } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { block } from './nft-text.ts'
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
  /** To the services, by ICMP or anything that no service listens to. */
  'budget_service_other',
  'budget_fragments',
  /** What could only be answered by an ICMP error: it is at its last hop, or there is no route. */
  'budget_unreachable',
  'budget_arp',
] as const
export type BudgetDropReason = (typeof BUDGET_DROP_REASONS)[number]

/** Family and name of the tables that the script brings up to date. */
export const BUDGET_TABLES = [
  { family: 'inet', name: BUDGETS_TABLE },
  { family: 'arp', name: BUDGETS_TABLE },
] as const

export interface BudgetLimits {
  /** Entries that the connection table of the kernel holds (`nf_conntrack_max`). */
  readonly connectionTableSize: number
  /**
   * Memory that this host hands out to instances: each has the same share of the connection table
   * as of this.
   */
  readonly instanceMemoryMiB: number
}

/**
 * Entries of the connection table for each MiB that is handed out: the least at which every
 * instance has its full share.
 */
export const CONNECTIONS_PER_MIB = 128
/**
 * Open connections of an instance in each direction, for each MiB of its memory. In the worst case
 * a NIC holds six times as many entries (in each direction: those open, as many as it opened at
 * once, and those that ended within `CLOSED_SECONDS`), which is three quarters of
 * `CONNECTIONS_PER_MIB`: the last quarter is the host's own.
 */
const OPEN_PER_MIB = 16
const WORST_ENTRIES_PER_OPEN = 6
const RESERVED_FOR_HOST = 1 / 4
/**
 * Open connections by class, each twice the one before: a NIC gets the largest that is within its
 * share. The kernel looks through a whole list for each new connection, so the lists are short and
 * a class has several, chosen by addresses and ports.
 */
const LIST_LENGTH = 128
const CLASSES: readonly number[] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768]
/**
 * With fewer an ordinary guest would notice, also where the connection table cannot be as large as
 * it should be.
 */
const SMALLEST_CLASS = 512
/**
 * How long an entry stays when its TCP connection has ended; the kernel's default is 120 s, and it
 * is no longer counted then.
 */
const CLOSED_SECONDS = 10

interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * As EC2's resolver allows for each network interface (VPC user guide, "DNS quotas"); on a host of
 * many less, so that all together ask no more than the one thread can answer.
 */
const DNS = { most: 1024, ofAll: 32_768, least: 128 }
/** A client in trouble sends one in a few seconds (RFC 2131, section 4.1). */
const DHCP: Rate = { perSecond: 20, burst: 40 }
/** A request of the metadata service costs the thread ten times as much as a DNS query. */
const SERVICE_CONNECTIONS = { most: 128, ofAll: 2048, least: 16 }
const SERVICE_TCP: Rate = { perSecond: 4096, burst: 4096 }
const SERVICE_OTHER: Rate = { perSecond: 200, burst: 200 }
/**
 * Of a datagram of 64 KiB there are 45. What is never completed stays for `FRAGMENT_SECONDS`
 * (`host/network/shared-tables.ts`).
 */
const FRAGMENTS: Rate = { perSecond: 250, burst: 500 }
const UNREACHABLE: Rate = { perSecond: 50, burst: 100 }
/** Every address of the subnet is asked for by ARP, as all of them are routed. */
const ARP: Rate = { perSecond: 100, burst: 200 }

const ANY_NIC = `"${NIC_LINK_PREFIX}*"`
/** Elements of a set that packets fill. Only links of NICs become elements. */
const MAX_NICS = 8192
const MAX_LISTS = 65_536
/** Definition of a set with a bucket for each NIC. */
const BUCKET_SET = [
  'type ifname',
  `size ${MAX_NICS}`,
  'flags dynamic,timeout',
  // Forgotten when it is full again, which is within `burst / perSecond` seconds.
  'timeout 1m',
] as const

/**
 * The script: the same want and limits always give the same text, and running it again changes
 * nothing.
 */
export function renderBudgets(want: HostWant, limits: BudgetLimits): string {
  const classes = nicClasses(want, limits)
  return [
    ...BUDGET_TABLES.flatMap(({ family, name }) => [
      `add table ${family} ${name}`,
      // Empties chains; sets keep what they hold.
      `flush table ${family} ${name}`,
    ]),
    ...(['outgoing', 'incoming'] as const).flatMap((direction) => [
      `add map inet ${BUDGETS_TABLE} ${direction} { type ifname : verdict; }`,
      `flush map inet ${BUDGETS_TABLE} ${direction}`,
    ]),
    `add set inet ${BUDGETS_TABLE} services { type ipv4_addr; }`,
    `flush set inet ${BUDGETS_TABLE} services`,
    ...removeOtherRates(serviceRates(classes.length)),
    ...block(`table inet ${BUDGETS_TABLE}`, [
      ...BUDGET_DROP_REASONS.filter((reason) => reason !== 'budget_arp').flatMap(counter),
      ...elements('set services', 'type ipv4_addr', serviceAddresses(want.shared)),
      ...serviceChains(serviceRates(classes.length)),
      ...connectionChains(classes),
    ]),
    ...block(`table arp ${BUDGETS_TABLE}`, [...counter('budget_arp'), ...arpChain()]),
    '',
  ].join('\n')
}

/** What deletes the tables, for when those of another version cannot be brought up to date. */
export function removeBudgets(): string {
  return BUDGET_TABLES.map(
    ({ family, name }) => `add table ${family} ${name}\ndelete table ${family} ${name}\n`,
  ).join('')
}

/**
 * Links of NICs with the open connections that each may have. An instance's share is divided among
 * its NICs.
 */
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
 * Queries and new connections of one NIC each second: a power of two, so that one NIC more or less
 * seldom changes the sets.
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

/**
 * Deletes the sets of those rates that another number of NICs has. Only a set that exists can be
 * deleted, and no rule uses it any more.
 */
function removeOtherRates(used: ReturnType<typeof serviceRates>): readonly string[] {
  const others = (name: string, { most, least }: typeof DNS, current: Rate) => {
    const steps = Array.from(
      { length: Math.log2(most / least) + 1 },
      (_, step) => least * 2 ** step,
    )
    return steps
      .filter((step) => step !== current.perSecond)
      .map((step) => bucketName(name, oneSecond(step)))
  }
  return [
    ...others('dns', DNS, used.dns),
    ...others('service_connections', SERVICE_CONNECTIONS, used.connections),
  ].flatMap((set) => [
    `add set inet ${BUDGETS_TABLE} ${set} { ${BUCKET_SET.join('; ')}; }`,
    `delete set inet ${BUDGETS_TABLE} ${set}`,
  ])
}

/** Before defragmentation (-400) and connection tracking (-200), behind the proof of the source. */
function serviceChains({ dns, connections }: ReturnType<typeof serviceRates>): readonly string[] {
  return [
    ...bucketSets('fragments', FRAGMENTS),
    ...bucketSets('dns', dns),
    ...bucketSets('dhcp', DHCP),
    ...bucketSets('service_connections', connections),
    ...bucketSets('service_tcp', SERVICE_TCP),
    ...bucketSets('service_other', SERVICE_OTHER),
    ...bucketSets('unreachable', UNREACHABLE),
    ...block('chain to_service', [
      `udp dport 53 ${above('iifname', 'dns', dns, 'budget_dns')}`,
      `udp dport 67 ${above('iifname', 'dhcp', DHCP, 'budget_dhcp')}`,
      'udp dport { 53, 67 } accept',
      `tcp dport { 53, 80 } tcp flags & (syn | ack) == syn ${above('iifname', 'service_connections', connections, 'budget_service_tcp')}`,
      `tcp dport { 53, 80 } ${above('iifname', 'service_tcp', SERVICE_TCP, 'budget_service_tcp')}`,
      'tcp dport { 53, 80 } accept',
      above('iifname', 'service_other', SERVICE_OTHER, 'budget_service_other'),
    ]),
    ...block('chain arriving', [
      'type filter hook prerouting priority -440; policy accept;',
      `iifname != ${ANY_NIC} accept`,
      `ip frag-off & 0x3fff != 0 ${above('iifname', 'fragments', FRAGMENTS, 'budget_fragments')}`,
      'ip daddr @services goto to_service',
      'ip daddr 255.255.255.255 goto to_service',
      `ip ttl <= 1 ${above('iifname', 'unreachable', UNREACHABLE, 'budget_unreachable')}`,
    ]),
    // Not before: a fragment that is not tracked would not be put together with the others.
    ...block('chain asking', [
      'type filter hook prerouting priority raw; policy accept;',
      `iifname != ${ANY_NIC} accept`,
      'ip daddr 255.255.255.255 udp dport 67 notrack',
      'ip daddr @services udp dport { 53, 67 } notrack',
      'ip daddr @services tcp dport { 53, 80 } notrack',
      'ip daddr @services icmp type echo-request notrack',
    ]),
    ...block('chain answering', [
      'type filter hook output priority raw; policy accept;',
      `oifname != ${ANY_NIC} accept`,
      'ip saddr @services udp sport { 53, 67 } notrack',
      'ip saddr @services tcp sport { 53, 80 } notrack',
      'ip saddr @services icmp type echo-reply notrack',
    ]),
    ...block('chain unroutable', [
      'type filter hook prerouting priority mangle; policy accept;',
      `iifname ${ANY_NIC} ct state new fib daddr type { unreachable, prohibit } ${above('iifname', 'unreachable', UNREACHABLE, 'budget_unreachable')}`,
    ]),
  ]
}

/**
 * Behind the firewall (0), so that only what it has let through is charged: to the NIC that it
 * comes from, otherwise to that it goes to. A connection is charged with its first packet; later
 * ones are in the table already, whether they were answered or not.
 */
function connectionChains(
  classes: readonly { readonly link: string; readonly open: number }[],
): readonly string[] {
  const charge = ['ct status confirmed accept', 'ct state != new accept', 'iifname vmap @outgoing']
  return [
    ...block('ct timeout ended_tcp', [
      'protocol tcp',
      'l3proto ip',
      `policy = { time_wait : ${CLOSED_SECONDS} }`,
    ]),
    ...CLASSES.flatMap((open) => [
      ...classChain('out', 'iifname', open),
      ...classChain('in', 'oifname', open),
    ]),
    ...elements(
      'map outgoing',
      'type ifname : verdict',
      classes.map(({ link, open }) => `${link} : goto out_${open}`),
    ),
    ...elements(
      'map incoming',
      'type ifname : verdict',
      classes.map(({ link, open }) => `${link} : goto in_${open}`),
    ),
    ...block('chain through', [
      'type filter hook forward priority filter + 10; policy accept;',
      ...charge,
      'oifname vmap @incoming',
    ]),
    ...block('chain to_host', [
      'type filter hook input priority filter + 10; policy accept;',
      ...charge,
    ]),
  ]
}

function classChain(
  direction: 'in' | 'out',
  link: 'iifname' | 'oifname',
  open: number,
): readonly string[] {
  const rate = { perSecond: Math.ceil(open / CLOSED_SECONDS), burst: open }
  const lists = open / LIST_LENGTH
  const set = `${direction}_open_${open}`
  const other = direction === 'out' ? 'ip daddr' : 'ip saddr'
  const tooMany = `ct count over ${LIST_LENGTH} } ${drop('budget_connections')}`
  return [
    ...bucketSets(`${direction}_new`, rate),
    // No lifetime: the kernel removes an element when the last of its connections is gone.
    ...block(`set ${set}`, [
      'typeof iifname . numgen inc mod 1',
      `size ${MAX_LISTS}`,
      'flags dynamic',
    ]),
    ...block(`chain ${direction}_${open}`, [
      'meta l4proto tcp ct timeout set "ended_tcp"',
      above(link, `${direction}_new`, rate, 'budget_new_connections'),
      `meta l4proto { tcp, udp } update @${set} { ${link} . jhash ${other} . th sport . th dport mod ${lists} ${tooMany}`,
      `meta l4proto != { tcp, udp } update @${set} { ${link} . jhash ${other} mod ${lists} ${tooMany}`,
    ]),
  ]
}

function arpChain(): readonly string[] {
  return [
    ...bucketSets('requests', ARP),
    ...block('chain input', [
      'type filter hook input priority filter - 10; policy accept;',
      `iifname ${ANY_NIC} ${above('iifname', 'requests', ARP, 'budget_arp')}`,
    ]),
  ]
}

function bucketName(name: string, { perSecond, burst }: Rate): string {
  return `${name}_${perSecond}_${burst}`
}

function bucketSets(name: string, rate: Rate): readonly string[] {
  return block(`set ${bucketName(name, rate)}`, BUCKET_SET)
}

/** Drops what is above the rate of its NIC. */
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

/** Name of the counter of a reason. */
export function budgetCounterName(reason: BudgetDropReason): string {
  return `dropped_${reason}`
}

function counter(reason: BudgetDropReason): readonly string[] {
  return block(`counter ${budgetCounterName(reason)}`, [])
}

function drop(reason: BudgetDropReason): string {
  return `counter name "${budgetCounterName(reason)}" drop`
}

function elements(head: string, type: string, list: readonly string[]): readonly string[] {
  const unique = [...new Set(list)]
  return block(head, [
    type,
    ...(unique.length === 0 ? [] : [`elements = { ${unique.join(', ')} }`]),
  ])
}
