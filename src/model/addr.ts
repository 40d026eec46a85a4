/**
 * IPv4 addresses, networks and Ethernet addresses as values. Pure.
 *
 * Addresses are canonical strings, because they are compared, logged and stored. Arithmetic uses
 * `ipv4ToNumber` and `ipv4FromNumber`.
 */
import type { Branded } from './ids.ts'

/** Dotted quad without leading zeros, e.g. `172.31.0.7`. */
export type Ipv4 = Branded<'Ipv4'>
/** Lower-case, colon-separated, unicast, e.g. `02:00:5e:10:00:01`. */
export type Mac = Branded<'Mac'>

const DOT = '.'.charCodeAt(0)
const ZERO = '0'.charCodeAt(0)

/** A network: `network` has no host bits set. */
export interface Cidr {
  readonly network: Ipv4
  readonly prefix: number
}

/** Parses an address. Undefined unless it is four decimal octets without leading zeros. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const octets = text.split('.')
  const valid =
    octets.length === 4 &&
    octets.every((octet) => /^(?:0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255)
  return valid ? (text as Ipv4) : undefined
}

/** Like `parseIpv4`, for literals in our code. Throws RangeError instead of returning undefined. */
export function ipv4(text: string): Ipv4 {
  const ip = parseIpv4(text)
  if (ip === undefined) throw new RangeError(`not an IPv4 address: ${text}`)
  return ip
}

/** Unsigned 32-bit value of an address, most significant octet first. */
export function ipv4ToNumber(ip: Ipv4): number {
  // Every pass parses all addresses of the host, and splitting the text is many times slower.
  let value = 0
  let octet = 0
  for (let at = 0; at < ip.length; at += 1) {
    const code = ip.charCodeAt(at)
    if (code === DOT) {
      value = value * 256 + octet
      octet = 0
    } else octet = octet * 10 + code - ZERO
  }
  return value * 256 + octet
}

/** The address with this unsigned 32-bit value. Throws RangeError outside 0..2^32-1. */
export function ipv4FromNumber(value: number): Ipv4 {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
    throw new RangeError(`not an IPv4 value: ${value}`)
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.') as Ipv4
}

/** The address as four bytes in network order. */
export function ipv4ToBytes(ip: Ipv4): Uint8Array {
  const value = ipv4ToNumber(ip)
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** The address in the four bytes at `offset`. */
export function ipv4FromBytes(bytes: Uint8Array, offset = 0): Ipv4 {
  const [a, b, c, d] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]]
  if (d === undefined) throw new RangeError('an IPv4 address needs four bytes')
  return `${a}.${b}.${c}.${d}` as Ipv4
}

/** Parses a network such as `10.0.1.0/24`. Undefined when it is malformed or has host bits set. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, ...rest] = text.split('/')
  if (address === undefined || length === undefined || rest.length > 0) return undefined
  const network = parseIpv4(address)
  if (network === undefined || !/^(?:\d|[12]\d|3[0-2])$/.test(length)) return undefined
  const prefix = Number(length)
  const value = ipv4ToNumber(network)
  return value % 2 ** (32 - prefix) === 0 ? { network, prefix } : undefined
}

/**
 * As `parseCidr`, but host bits are cleared, as EC2 does: 100.68.0.18/18 becomes 100.68.0.0/18.
 */
export function maskedCidr(text: string): Cidr | undefined {
  const [address = '', length = '', ...rest] = text.split('/')
  const ip = parseIpv4(address)
  if (ip === undefined || rest.length > 0 || !/^(?:\d|[12]\d|3[0-2])$/.test(length))
    return undefined
  const prefix = Number(length)
  const size = 2 ** (32 - prefix)
  return { network: ipv4FromNumber(Math.floor(ipv4ToNumber(ip) / size) * size), prefix }
}

/** Like `parseCidr`, for literals in our code. Throws RangeError. */
export function cidr(text: string): Cidr {
  const parsed = parseCidr(text)
  if (parsed === undefined) throw new RangeError(`not an IPv4 network: ${text}`)
  return parsed
}

/** `network/prefix`. */
export function formatCidr(net: Cidr): string {
  return `${net.network}/${net.prefix}`
}

/** Number of addresses in the network, including its first and last. */
export function cidrSize(net: Cidr): number {
  return 2 ** (32 - net.prefix)
}

/**
 * The `index`-th address of the network; 0 is the network address. Throws RangeError outside it.
 */
export function cidrAddress(net: Cidr, index: number): Ipv4 {
  if (index < 0 || index >= cidrSize(net))
    throw new RangeError(`${formatCidr(net)} has no address ${index}`)
  return ipv4FromNumber(ipv4ToNumber(net.network) + index)
}

/** Whether the address lies in the network. */
export function cidrContains(net: Cidr, ip: Ipv4): boolean {
  const offset = ipv4ToNumber(ip) - ipv4ToNumber(net.network)
  return offset >= 0 && offset < cidrSize(net)
}

/** Whether two networks share an address. */
export function cidrOverlaps(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b.network) || cidrContains(b, a.network)
}

/** Whether the second network lies in the first as a whole. */
export function cidrHolds(outer: Cidr, inner: Cidr): boolean {
  return cidrContains(outer, inner.network) && inner.prefix >= outer.prefix
}

/** The netmask of a prefix length, e.g. 24 -> 255.255.255.0. */
export function netmask(prefix: number): Ipv4 {
  return ipv4FromNumber(2 ** 32 - 2 ** (32 - prefix))
}

/** The broadcast address of the network. */
export function broadcastAddress(net: Cidr): Ipv4 {
  return cidrAddress(net, cidrSize(net) - 1)
}

/**
 * The gateway of a subnet: its first address, as in EC2 ("VPC router", VPC user guide, subnet
 * sizing).
 */
export function gatewayOf(subnet: Cidr): Ipv4 {
  return cidrAddress(subnet, 1)
}

/**
 * The DNS resolver of a network: its base address plus two (VPC user guide, "Amazon DNS server").
 * Undefined if the network is too small.
 */
export function resolverOf(net: Cidr): Ipv4 | undefined {
  return cidrSize(net) >= RESERVED_AT_START ? cidrAddress(net, 2) : undefined
}

/**
 * Number of addresses at the start of a subnet that instances cannot have: network, router, DNS,
 * and a reserved one. The fifth is the broadcast address at its end (VPC user guide, "Subnet CIDR
 * blocks").
 */
export const RESERVED_AT_START = 4

/**
 * Parses an Ethernet address with `:` or `-`, in either case. Undefined when it is malformed or a
 * group address.
 */
export function parseMac(text: string): Mac | undefined {
  const mac = text.toLowerCase().replaceAll('-', ':')
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac)) return undefined
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 ? (mac as Mac) : undefined
}

/** The Ethernet address as six bytes. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16))
}

/**
 * Six bytes as lower-case text with colons. They come from a packet and may be a group address, so
 * the type is not `Mac`.
 */
export function formatMacBytes(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/**
 * A locally administered unicast address (second bit of the first octet, IEEE 802 clause 8.2) from
 * five random bytes.
 */
export function macFromRandom(random: Uint8Array): Mac {
  if (random.length < 5) throw new RangeError('a MAC needs five random bytes')
  return formatMacBytes(Uint8Array.of(0x02, ...random.subarray(0, 5))) as Mac
}

/** 169.254.169.254: instance metadata (EC2 user guide, "Instance metadata"). */
export const METADATA_ADDRESS = ipv4('169.254.169.254')
/** 169.254.169.253: the resolver's second address (VPC user guide, "Amazon DNS server"). */
export const RESOLVER_ADDRESS = ipv4('169.254.169.253')
