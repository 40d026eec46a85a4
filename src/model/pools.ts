/**
 * Pools of floating IPs: the ranges of public addresses that an operator lets the cloud hand out.
 * Pure.
 */
import {
  type Cidr,
  cidrAddress,
  cidrSize,
  type Ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
  parseCidr,
  parseIpv4,
} from './addr.ts'

/** Addresses from the first to the last, both included. */
export interface AddressRange {
  readonly first: Ipv4
  readonly last: Ipv4
}

export interface Pool {
  /** Unique among the pools. */
  readonly name: string
  /** None has an address of another. */
  readonly ranges: readonly AddressRange[]
  /** The zones whose instances may have its addresses; null: all. */
  readonly zones: readonly string[] | null
  /** By which packets from its addresses leave; null or absent: by the default route. */
  readonly gateway?: Ipv4 | null
}

const ADDRESS_BITS = 32
/** A network with this prefix length or a longer one has no address of its own (RFC 3021). */
const POINT_TO_POINT_PREFIX = 31

/**
 * The range in `text`: an address, `first-last`, or a network. Of a network the first and the last
 * address are left out, which name the network and its broadcasts. Undefined for anything else.
 */
export function parseRange(text: string): AddressRange | undefined {
  const [from = '', to] = text.split('-').map((part) => part.trim())
  if (to === undefined && text.includes('/')) return rangeOfNetwork(parseCidr(text.trim()))
  const first = parseIpv4(from)
  const last = to === undefined ? first : parseIpv4(to)
  if (first === undefined || last === undefined) return undefined
  return ipv4ToNumber(first) <= ipv4ToNumber(last) ? { first, last } : undefined
}

function rangeOfNetwork(net: Cidr | undefined): AddressRange | undefined {
  if (net === undefined) return undefined
  const left = net.prefix >= POINT_TO_POINT_PREFIX ? 0 : 1
  return { first: cidrAddress(net, left), last: cidrAddress(net, cidrSize(net) - 1 - left) }
}

/** The range as `parseRange` reads it. */
export function formatRange({ first, last }: AddressRange): string {
  return first === last ? first : `${first}-${last}`
}

/** Number of addresses. */
export function rangeSize({ first, last }: AddressRange): number {
  return ipv4ToNumber(last) - ipv4ToNumber(first) + 1
}

/** Every address, in ascending order. */
export function addressesOf(range: AddressRange): readonly Ipv4[] {
  const first = ipv4ToNumber(range.first)
  return Array.from({ length: rangeSize(range) }, (_, index) => ipv4FromNumber(first + index))
}

/** Whether the range has the address. */
export function rangeContains({ first, last }: AddressRange, ip: Ipv4): boolean {
  const value = ipv4ToNumber(ip)
  return ipv4ToNumber(first) <= value && value <= ipv4ToNumber(last)
}

/** Whether an address is in both. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return (
    ipv4ToNumber(a.first) <= ipv4ToNumber(b.last) && ipv4ToNumber(b.first) <= ipv4ToNumber(a.last)
  )
}

/** Every address of the network. */
export function wholeRange(net: Cidr): AddressRange {
  return { first: net.network, last: cidrAddress(net, cidrSize(net) - 1) }
}

/** The fewest networks that have these addresses and no others, in ascending order. */
export function networksOfRange({ first, last }: AddressRange): readonly Cidr[] {
  const found: Cidr[] = []
  const end = ipv4ToNumber(last)
  for (let at = ipv4ToNumber(first); at <= end; ) {
    let bits = 0
    while (bits < ADDRESS_BITS && at % 2 ** (bits + 1) === 0 && at + 2 ** (bits + 1) - 1 <= end)
      bits += 1
    found.push({ network: ipv4FromNumber(at), prefix: ADDRESS_BITS - bits })
    at += 2 ** bits
  }
  return found
}

/** The networks of all pools. */
export function networksOfPools(pools: readonly Pool[]): readonly Cidr[] {
  return pools.flatMap(({ ranges }) => ranges.flatMap(networksOfRange))
}

/** Number of addresses of the pool. */
export function poolSize({ ranges }: Pick<Pool, 'ranges'>): number {
  return ranges.reduce((sum, range) => sum + rangeSize(range), 0)
}

/** The pool that has the address; undefined: none. */
export function poolWith<P extends Pick<Pool, 'ranges'>>(
  pools: readonly P[],
  ip: Ipv4,
): P | undefined {
  return pools.find(({ ranges }) => ranges.some((range) => rangeContains(range, ip)))
}

/**
 * Free addresses of the pool, each once, beginning with the one of number `from` (of any size).
 * `taken` are in use.
 */
export function* freeOfPool(
  pool: Pick<Pool, 'ranges'>,
  taken: ReadonlySet<Ipv4>,
  from: number,
): Generator<Ipv4> {
  const size = poolSize(pool)
  for (let index = 0; index < size; index += 1) {
    const ip = addressAt(pool, (from + index) % size)
    if (!taken.has(ip)) yield ip
  }
}

function addressAt({ ranges }: Pick<Pool, 'ranges'>, index: number): Ipv4 {
  let left = index
  for (const range of ranges) {
    const size = rangeSize(range)
    if (left < size) return ipv4FromNumber(ipv4ToNumber(range.first) + left)
    left -= size
  }
  throw new RangeError(`a pool has no address ${index}`)
}
