/**
 * How many connections each NIC may have open, and open anew in a second, as nft chains of the
 * budgets' table (`budgets.ts`). Pure.
 */
import { nicLinkName } from '../model/names.ts'
import type { TypeRate } from '../model/network-rates.ts'
import type { HostWant } from '../model/want.ts'
import { above, bucketSet, drop } from './budget-buckets.ts'
import { carriedAddresses } from './carried-gateways.ts'
import { LEAVING_FROM_FABRIC } from './nat-gateway-rules.ts'
import { baseChain, chain, map, type NftObject, set } from './nft-tables.ts'

/** What budgets depend on. */
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
 * Part of the connection table that instances of other hosts may fill with open connections, by the
 * NAT gateways of one VPC that are carried here. At their worst they fill six times as much.
 */
const CARRIED_SHARE = 1 / 32
/**
 * How long the entry of an ended TCP connection stays. It is no longer counted as open then. The
 * kernel's default is 120 s.
 */
const CLOSED_SECONDS = 10

const MAX_LISTS = 65_536

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

/** Of what instances of other hosts send out by NAT gateways here, which share one budget. */
function carriedLines(
  { shared }: HostWant,
  { connectionTableSize }: BudgetLimits,
): readonly string[] {
  if (carriedAddresses(shared).size === 0) return []
  const share = connectionTableSize * CARRIED_SHARE
  const open = CLASSES.findLast((each) => each <= share) ?? SMALLEST_CLASS
  return [`${LEAVING_FROM_FABRIC} goto out_${open}`]
}

/**
 * After the firewall (0), so that only accepted connections count. A connection counts for the NIC
 * that it comes from, else for the NIC that it goes to. It is counted with its first packet; later
 * packets are in the connection table already.
 */
export function connectionChains(want: HostWant, limits: BudgetLimits): readonly NftObject[] {
  const classes = nicClasses(want, limits)
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
      ...carriedLines(want, limits),
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
