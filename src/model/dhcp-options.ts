/**
 * A set of DHCP options: what the instances of a VPC are told beside their address. Pure.
 *
 * https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html
 */
import type { Ipv4 } from './addr.ts'
import type { AccountId, DhcpOptionsId, VpcId } from './ids.ts'

/** EC2's word for the cloud's own resolver. */
export const OWN_RESOLVER = 'AmazonProvidedDNS'
/** Most servers of a kind. */
export const DHCP_SERVERS_MAX = 4
/** How names of NetBIOS are resolved: B, P, M or H (RFC 2132 section 8.7). */
export const NETBIOS_NODE_TYPES = [1, 2, 4, 8] as const
/** Most domain names: as many as resolv.conf(5) searches. */
export const DOMAIN_NAMES_MAX = 6
/** Longest text of all of them: they share one DHCP option, and one column. */
export const DOMAIN_NAMES_TEXT_MAX = 200
/** Longest domain name (RFC 1035 section 2.3.4). */
const DOMAIN_NAME_MAX = 253

/** What a set says; empty lists say nothing. */
export interface DhcpConfiguration {
  /** The first is the domain of the instances, and all are searched. */
  readonly domainNames: readonly string[]
  readonly nameServers: readonly (Ipv4 | typeof OWN_RESOLVER)[]
  readonly timeServers: readonly Ipv4[]
  /** Absent: none. */
  readonly netbiosServers?: readonly Ipv4[] | undefined
  /** Absent: instances are not told. */
  readonly netbiosNodeType?: (typeof NETBIOS_NODE_TYPES)[number] | undefined
}

/** The record of a set. */
export interface DhcpOptions extends DhcpConfiguration {
  readonly id: DhcpOptionsId
  readonly account: AccountId
}

/** How names are resolved in a VPC. */
export interface VpcDns {
  readonly vpc: VpcId
  /** As `Vpc.dnsSupport`. */
  readonly dnsSupport: boolean
  /** Null: the cloud's own set. */
  readonly options: DhcpOptions | null
}

/** Whether the text can be a domain name (RFC 1123 section 2.1), without a final dot. */
export function isDomainName(text: string): boolean {
  return (
    text.length <= DOMAIN_NAME_MAX &&
    text.split('.').every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
  )
}
