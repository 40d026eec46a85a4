/**
 * What a NIC is told, as options, and which of it a client gets. Pure.
 */
import type { Ipv4 } from '../../model/addr.ts'
import {
  broadcastAddress,
  ipv4ToBytes,
  macToBytes,
  netmask,
  RESOLVER_ADDRESS,
} from '../../model/addr.ts'
import type { NicWant } from '../../model/want.ts'
import { IP_UDP_HEADER_BYTES, OPTION } from './packet.ts'

/** What the answers depend on besides the NIC. */
export interface DhcpSettings {
  /**
   * Length of a lease. Renewal is due at 1/2 of it and rebinding at 7/8 (RFC 2131 section 4.4.5).
   */
  readonly leaseSeconds: number
  /** MTU of instance NICs, in bytes; also the longest reply, headers included. At least 576. */
  readonly mtu: number
  /** Domain name of instances, without a final dot. */
  readonly zone: string
}

/** An option's code and value. */
export type Option = readonly [code: number, value: Uint8Array]

/** Everything that answers to one NIC are made of, ready for the wire. */
export interface Profile {
  readonly ip: Ipv4
  /** The NIC's Ethernet address. */
  readonly chaddr: Uint8Array
  /** The server identifier. */
  readonly server: Ipv4
  readonly serverOption: Option
  /** Times of a lease, in seconds from now; sent with every lease, asked for or not. */
  readonly times: readonly Option[]
  /** What the NIC is to be configured with, most important first. */
  readonly configuration: readonly Option[]
  /** Longest reply, as UDP payload. */
  readonly maxReplyBytes: number
}

/** The profile of a NIC of an instance with this host name (first label). */
export function profileOf(nic: NicWant, hostname: string, settings: DhcpSettings): Profile {
  return {
    ip: nic.ip,
    chaddr: macToBytes(nic.mac),
    server: nic.gateway,
    serverOption: [OPTION.serverIdentifier, ipv4ToBytes(nic.gateway)],
    times: leaseTimes(settings),
    configuration: configuration(nic, hostname, settings),
    maxReplyBytes: settings.mtu - IP_UDP_HEADER_BYTES,
  }
}

/**
 * What a client is told: with a parameter request list only what it names (RFC 2131 section 4.3.1);
 * without one all but what is said a second time for clients that know it, and is noise to others.
 */
export function requested(
  options: readonly Option[],
  parameters: Uint8Array | undefined,
): readonly Option[] {
  return options.filter(([code]) =>
    parameters === undefined ? !SAID_TWICE.has(code) : parameters.includes(code),
  )
}

/** In place of the router (RFC 3442) and beside the domain name (RFC 3397). */
const SAID_TWICE: ReadonlySet<number> = new Set([OPTION.classlessRoutes, OPTION.domainSearch])

function leaseTimes({ leaseSeconds }: DhcpSettings): readonly Option[] {
  return [
    [OPTION.leaseTime, uint32(leaseSeconds)],
    [OPTION.renewalTime, uint32(Math.floor(leaseSeconds / 2))],
    [OPTION.rebindingTime, uint32(Math.floor((leaseSeconds * 7) / 8))],
  ]
}

function configuration(nic: NicWant, hostname: string, settings: DhcpSettings): readonly Option[] {
  const gateway = ipv4ToBytes(nic.gateway)
  return [
    // The mask comes before the router (RFC 2132 section 3.3).
    [OPTION.subnetMask, ipv4ToBytes(netmask(nic.subnetCidr.prefix))],
    ...(nic.deviceIndex === 0 ? routerOptions(nic.gateway) : []),
    [OPTION.domainNameServer, Uint8Array.of(...gateway, ...ipv4ToBytes(RESOLVER_ADDRESS))],
    [OPTION.interfaceMtu, Uint8Array.of(settings.mtu >> 8, settings.mtu & 255)],
    [OPTION.hostName, text(hostname)],
    [OPTION.domainName, text(settings.zone)],
    [OPTION.domainSearch, searchList(settings.zone)],
    [OPTION.broadcastAddress, ipv4ToBytes(broadcastAddress(nic.subnetCidr))],
  ]
}

/**
 * The way out leads through the first NIC only: with two, answers would leave by a link that drops
 * them as another's.
 */
function routerOptions(gateway: Ipv4): readonly Option[] {
  return [
    [OPTION.classlessRoutes, defaultRoute(gateway)],
    [OPTION.router, ipv4ToBytes(gateway)],
  ]
}

/**
 * RFC 3442: destination width, its significant bytes (none for a default route), router. A client
 * that takes this option ignores the router option, so the default route must be in it.
 */
function defaultRoute(gateway: Ipv4): Uint8Array {
  return Uint8Array.of(0, ...ipv4ToBytes(gateway))
}

/** One domain, as labels (RFC 3397 section 2, RFC 1035 section 3.1). */
function searchList(domain: string): Uint8Array {
  const labels = domain.split('.').map(text)
  return Uint8Array.of(...labels.flatMap((label) => [label.length, ...label]), 0)
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** NVT ASCII without a final NUL (RFC 2132 section 2). */
function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
