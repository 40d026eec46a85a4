/**
 * Decides which addresses a client may make this host connect to. Pure: no name is resolved here.
 *
 * Public addresses are allowed. Private ones (RFC 1918 and similar), and those on a network of this
 * host, are allowed when `images.reach` names them or a network that contains them. Special
 * addresses, and the cloud's own machines and networks, are allowed only when `images.reach` names
 * exactly that address.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** One entry of `images.reach`. */
export type Reach =
  | { readonly kind: 'network'; readonly address: string; readonly prefix: number }
  /** `port` null: every port. */
  | { readonly kind: 'address'; readonly address: string; readonly port: number | null }
  | { readonly kind: 'name'; readonly name: string; readonly port: number | null }

/** The destination of a request. */
export interface Destination {
  /** Lower case: the name that resolved to the address, or the address itself. */
  readonly host: string
  readonly address: string
  readonly port: number
}

/** The cloud's own addresses and networks, as text: `10.0.0.1`, `172.31.0.0/16`. */
export interface Inside {
  readonly addresses: readonly string[]
  readonly networks: readonly string[]
  /** Networks that this host is connected to, even with public addresses. Host bits may be set. */
  readonly near: readonly string[]
}

/**
 * Never public: this network, loopback, link-local, Azure's host address, multicast, reserved and
 * broadcast; IPv6 that is loopback, link-local, site-local or multicast, or contains an IPv4
 * address that a translator extracts (NAT64, 6to4, Teredo, IPv4-compatible).
 * https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16,
 * https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
 */
const NEVER = [
  ...[
    '0.0.0.0/8',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '168.63.129.16/32',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  ...[
    '::/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/32',
    '2002::/16',
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
]
/**
 * Private, shared (RFC 6598), and for protocols, documentation and measurements; IPv6 that is
 * unique local or not allocated.
 */
const PRIVATE = [
  ...[
    '10.0.0.0/8',
    '100.64.0.0/10',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '192.168.0.0/16',
  ],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['2001::/23', '2001:db8::/32', '3fff::/20', '5f00::/16', 'fc00::/7'],
]
/** All public IPv6 addresses (RFC 4291, 2.4). */
const WORLD_V6 = '2000::/3'
const MAPPED = /^::ffff:(?:(?<high>[0-9a-f]{1,4}):(?<low>[0-9a-f]{1,4})|(?<dotted>[0-9.]+))$/i
const NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
const PORT_MAX = 65_535
/**
 * Names of this machine or its local network, whatever another resolver answers (RFC 6761, 6762,
 * 8375).
 */
const NEAR = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa)$/

/**
 * An entry of `images.reach`: `10.1.0.0/16`, `10.1.2.3`, `10.1.2.3:8080`, `[fd00::1]:8080`,
 * `mirror.example`, `mirror.example:8080`.
 */
export function parseReach(text: string): Reach | undefined {
  const [base = '', length, ...more] = text.split('/')
  if (length !== undefined) {
    const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
    const bits = { 0: 0, 4: 32, 6: 128 }[isIP(base)] ?? 0
    if (more.length > 0 || bits === 0 || !(prefix >= 0 && prefix <= bits)) return undefined
    return prefix === bits
      ? { kind: 'address', address: plainAddress(base), port: null }
      : { kind: 'network', address: base, prefix }
  }
  if (isIP(text) !== 0) return { kind: 'address', address: plainAddress(text), port: null }
  const groups = /^(?:\[(?<six>[^\]]+)\]|(?<host>[^:[\]]+))(?::(?<port>[1-9]\d{0,4}))?$/.exec(
    text,
  )?.groups
  const host = (groups?.['six'] ?? groups?.['host'] ?? '').toLowerCase().replace(/\.$/, '')
  const port = groups?.['port'] === undefined ? null : Number(groups['port'])
  if (port !== null && port > PORT_MAX) return undefined
  if (isIP(host) !== 0) return { kind: 'address', address: plainAddress(host), port }
  // A name that ends in a number is a mistyped address (WHATWG URL, "ends in a number").
  if (groups?.['six'] !== undefined || !NAME.test(host) || /(?:^|\.)\d+$/.test(host))
    return undefined
  return { kind: 'name', name: host, port }
}

/** Why the destination is forbidden. Null when it is allowed. */
export function objectionTo(
  to: Destination,
  reach: readonly Reach[],
  inside: Inside,
): string | null {
  const address = plainAddress(to.address)
  if (isIP(address) === 0) return `${to.address} is not an address`
  const fits = ({ port }: { readonly port: number | null }) => port === null || port === to.port
  if (reach.some((one) => one.kind === 'address' && one.address === address && fits(one)))
    return null
  if (contains(NEVER, address)) return `${address} is not public`
  if (inside.addresses.some((one) => plainAddress(one) === address))
    return `${address} is a machine of the cloud`
  if (contains(inside.networks, address)) return `${address} is in a network of the cloud`
  const named = reach.some((one) => one.kind === 'name' && one.name === to.host && fits(one))
  const networks = reach.flatMap((one) =>
    one.kind === 'network' ? [`${one.address}/${one.prefix}`] : [],
  )
  if (named || contains(networks, address)) return null
  if (contains(inside.near, address))
    return `${address} is on a network of this host (setting images.reach)`
  const isWorld = isIPv4(address) || contains([WORLD_V6], address)
  return isWorld && !contains(PRIVATE, address)
    ? null
    : `${address} is private (setting images.reach)`
}

/**
 * Whether a name that does not resolve here may be left to a proxy. Names of this machine or its
 * local network may not.
 */
export function isFarName(host: string): boolean {
  return isIP(host) === 0 && host.includes('.') && NAME.test(host) && !NEAR.test(host)
}

/**
 * Converts an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2) to plain IPv4. Others stay unchanged.
 */
function plainAddress(text: string): string {
  const groups = MAPPED.exec(text)?.groups
  if (groups === undefined) return text.toLowerCase()
  if (groups['dotted'] !== undefined) return groups['dotted']
  const [high, low] = [groups['high'], groups['low']].map((part) => Number.parseInt(part ?? '', 16))
  return [high, low].flatMap((part = 0) => [part >> 8, part & 255]).join('.')
}

function contains(networks: readonly string[], address: string): boolean {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  for (const one of networks) {
    const [network = '', prefix] = one.split('/')
    if ((isIPv4(network) ? 'ipv4' : 'ipv6') === family)
      list.addSubnet(network, Number(prefix), family)
  }
  return list.check(address, family)
}
