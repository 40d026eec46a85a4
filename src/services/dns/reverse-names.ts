/** Reverse names: those of addresses, of networks, and what a name says. Pure. */
import { type Cidr, cidrAddress, cidrSize, type Ipv4 } from '../../model/addr.ts'
import { keyOf } from './packet.ts'

/** Octets of an address, each of which is a label. */
export const OCTETS = 4
const REVERSE_APEX = keyOf('in-addr.arpa')
const DIGIT_ZERO = 0x30

/** The reverse name of an address (RFC 1035 section 3.5). */
export function reverseName(ip: Ipv4): string {
  return `${ip.split('.').reverse().join('.')}.in-addr.arpa`
}

/**
 * The reverse zones that cover a network exactly: one for each value of the octet in which the
 * prefix ends. There are at most 128 for any prefix length but 0, and they contain no other
 * address.
 */
export function reverseZones(net: Cidr): readonly string[] {
  const octets = Math.max(1, Math.ceil(net.prefix / 8))
  const addressesPerZone = 2 ** (32 - 8 * octets)
  const count = cidrSize(net) / addressesPerZone
  return Array.from({ length: count }, (_, index) =>
    cidrAddress(net, index * addressesPerZone)
      .split('.')
      .slice(0, octets)
      .reverse()
      .concat('in-addr.arpa')
      .join('.'),
  )
}

/** The one to four octets before `in-addr.arpa`, first one first; undefined: it has others. */
export function octetsOf(key: string): readonly number[] | undefined {
  const end = key.length - REVERSE_APEX.length
  if (end <= 0 || !key.endsWith(REVERSE_APEX)) return undefined
  const octets: number[] = []
  for (let at = 0; at < end; at += 1 + key.charCodeAt(at)) {
    const octet = octetAt(key, at)
    if (octet === undefined || octets.length === OCTETS) return undefined
    octets.push(octet)
  }
  return octets.reverse()
}

/** The octet that the label at `at` is: decimal, without leading zeros. */
function octetAt(key: string, at: number): number | undefined {
  const digits = key.charCodeAt(at)
  let octet = 0
  for (let place = at + 1; place <= at + digits; place += 1) {
    const digit = key.charCodeAt(place) - DIGIT_ZERO
    if (digit < 0 || digit > 9) return undefined
    octet = octet * 10 + digit
  }
  const isPlain = digits === 1 || key.charCodeAt(at + 1) !== DIGIT_ZERO
  return digits <= 3 && octet <= 255 && isPlain ? octet : undefined
}
