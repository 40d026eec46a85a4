/**
 * IPv6 networks as text. Instances have no IPv6, but a group rule may name an IPv6 network, as
 * rules for EC2 often do. So networks are only parsed, made canonical and shown. Pure.
 */
const GROUPS = 8
const GROUP_BITS = 16
const GROUP_MAX = 0xffff

/**
 * The network in `text` (`2001:db8::/32`) in the form of RFC 5952, with host bits cleared.
 * Undefined when malformed, or when it contains a dotted quad.
 */
export function canonicalIpv6Cidr(text: string): string | undefined {
  const [address = '', length = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^(?:\d{1,2}|1[01]\d|12[0-8])$/.test(length)) return undefined
  const groups = parseGroups(address.toLowerCase())
  if (groups === undefined) return undefined
  const prefix = Number(length)
  const masked = groups.map((group, at) => {
    const bits = Math.min(GROUP_BITS, Math.max(0, prefix - at * GROUP_BITS))
    return group & (GROUP_MAX << (GROUP_BITS - bits)) & GROUP_MAX
  })
  return `${formatGroups(masked)}/${prefix}`
}

/** The eight groups of an address (RFC 4291, section 2.2). */
function parseGroups(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const parts = [...head, ...(tail ?? [])]
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/.test(part))) return undefined
  const missing = GROUPS - parts.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const zeros = Array<string>(missing).fill('0')
  return [...head, ...zeros, ...(tail ?? [])].map((part) => Number.parseInt(part, 16))
}

/** The longest run of two or more zeros becomes `::` (RFC 5952, section 4.2). */
function formatGroups(groups: readonly number[]): string {
  let best = { start: 0, length: 1 }
  for (let start = 0; start < GROUPS; start++) {
    const end = groups.findIndex((group, at) => at >= start && group !== 0)
    const length = (end === -1 ? GROUPS : end) - start
    if (length > best.length) best = { start, length }
  }
  const hex = (some: readonly number[]) => some.map((group) => group.toString(16)).join(':')
  if (best.length < 2) return hex(groups)
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`
}
