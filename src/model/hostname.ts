/**
 * Host names: the first label of an instance's DNS names. Pure.
 *
 * The canonical one is the instance id (EC2 user guide, "EC2 instance hostnames and domains":
 * resource name). The IP-based name, and a Name tag that is a valid label, resolve as well.
 */
import { type Ipv4, parseIpv4 } from './addr.ts'
import { parseId } from './ids.ts'

/** EC2's IP-based host name, `ip-172-31-0-7`. */
export function ipHostLabel(ip: Ipv4): string {
  return `ip-${ip.replaceAll('.', '-')}`
}

/** EC2's public host name of a floating IP, `ec2-203-0-113-7`. */
export function publicHostLabel(ip: Ipv4): string {
  return `ec2-${ip.replaceAll('.', '-')}`
}

/** The address that EC2's public host name names; undefined when it is none. */
export function publicHostAddress(label: string): Ipv4 | undefined {
  const [, address] = /^ec2-(\d+-\d+-\d+-\d+)$/.exec(label) ?? []
  return address === undefined ? undefined : parseIpv4(address.replaceAll('-', '.'))
}

/**
 * Whether a label looks like an instance id or an IP-based name. A Name tag must not replace one.
 */
export function isHostLabel(label: string): boolean {
  return parseId('i', label) !== undefined || /^(?:ip|ec2)-\d+-\d+-\d+-\d+$/.test(label)
}

/**
 * A Name tag as a DNS label (RFC 1123 section 2.1, lower case). Undefined when it is not a valid
 * one.
 */
export function nameTagLabel(value: string | undefined): string | undefined {
  const label = value?.toLowerCase()
  return label !== undefined && /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label)
    ? label
    : undefined
}
