/** The DHCP options of a NIC, and which of them a client gets. Pure. */
import type { Ipv4 } from '../../model/addr.ts'
import { broadcastAddress, ipv4ToBytes, macToBytes, netmask } from '../../model/addr.ts'
import type { NicWant } from '../../model/want.ts'
import { toldTo } from '../../plan/nic-dhcp.ts'
import { IP_UDP_HEADER_BYTES, OPTION, type Option } from './packet.ts'

/** What the options depend on besides the NIC. */
export interface DhcpSettings {
  /**
   * Length of a lease. Clients renew after 1/2 of it and rebind after 7/8 (RFC 2131 section 4.4.5).
   */
  readonly leaseSeconds: number
  /**
   * MTU of instance NICs in bytes, at least 576. It also limits the length of a reply with its
   * headers.
   */
  readonly mtu: number
  /** Domain name of instances, without a final dot. */
  readonly zone: string
}

/** Longest value of an option (RFC 2132 section 2). */
const OPTION_BYTES_MAX = 255

/** The contents of all answers to one NIC, encoded. */
export interface Profile {
  readonly ip: Ipv4
  /** The NIC's Ethernet address. */
  readonly chaddr: Uint8Array
  /** The server identifier. */
  readonly server: Ipv4
  readonly serverOption: Option
  /** Times of a lease, in seconds from now. They are sent with every lease. */
  readonly times: readonly Option[]
  /** The NIC's configuration, most important first. */
  readonly configuration: readonly Option[]
  /** The longest reply, as UDP payload. */
  readonly maxReplyBytes: number
}

/** The profile of a NIC. `hostname` is the first label of its instance's name. */
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
 * The configuration for a client. With a parameter request list it is what the list names (RFC 2131
 * section 4.3.1). Without one it is everything except `SAID_TWICE`.
 */
export function requested(
  options: readonly Option[],
  parameters: Uint8Array | undefined,
): readonly Option[] {
  return options.filter(([code]) =>
    parameters === undefined ? !SAID_TWICE.has(code) : parameters.includes(code),
  )
}

/**
 * Options that repeat others in a newer form: the classless route repeats the router (RFC 3442),
 * and the search list repeats the domain name (RFC 3397).
 */
const SAID_TWICE: ReadonlySet<number> = new Set([OPTION.classlessRoutes, OPTION.domainSearch])

function leaseTimes({ leaseSeconds }: DhcpSettings): readonly Option[] {
  return [
    [OPTION.leaseTime, uint32(leaseSeconds)],
    [OPTION.renewalTime, uint32(Math.floor(leaseSeconds / 2))],
    [OPTION.rebindingTime, uint32(Math.floor((leaseSeconds * 7) / 8))],
  ]
}

function configuration(nic: NicWant, hostname: string, settings: DhcpSettings): readonly Option[] {
  const told = toldTo(nic, settings.zone)
  const { domainNames, netbiosNodeType: nodeType } = told
  const [domain] = domainNames
  return [
    // The mask comes before the router (RFC 2132 section 3.3).
    [OPTION.subnetMask, ipv4ToBytes(netmask(nic.subnetCidr.prefix))],
    ...(nic.deviceIndex === 0 ? routerOptions(nic.gateway) : []),
    ...addressList(OPTION.domainNameServer, told.nameServers),
    [OPTION.interfaceMtu, Uint8Array.of(settings.mtu >> 8, settings.mtu & 255)],
    [OPTION.hostName, text(hostname)],
    ...(domain === undefined ? [] : [[OPTION.domainName, text(domain)] as const]),
    ...(domain === undefined ? [] : [[OPTION.domainSearch, searchList(domainNames)] as const]),
    ...addressList(OPTION.timeServers, told.timeServers),
    ...addressList(OPTION.netbiosNameServers, told.netbiosServers),
    ...(nodeType === undefined ? [] : [[OPTION.netbiosNodeType, Uint8Array.of(nodeType)] as const]),
    [OPTION.broadcastAddress, ipv4ToBytes(broadcastAddress(nic.subnetCidr))],
  ]
}

/**
 * Only the first NIC gets a default route. With two, replies could leave by the NIC that the
 * request did not arrive on, and be dropped because of their source address.
 */
function routerOptions(gateway: Ipv4): readonly Option[] {
  return [
    [OPTION.classlessRoutes, defaultRoute(gateway)],
    [OPTION.router, ipv4ToBytes(gateway)],
  ]
}

/**
 * RFC 3442: prefix length, the significant bytes of the destination (none for a default route),
 * router. A client that uses this option ignores the router option, so it must contain the default
 * route.
 */
function defaultRoute(gateway: Ipv4): Uint8Array {
  return Uint8Array.of(0, ...ipv4ToBytes(gateway))
}

/** An option that lists addresses. It is left out when there are none. */
function addressList(code: number, ips: readonly Ipv4[]): readonly Option[] {
  if (ips.length === 0) return []
  return [[code, Uint8Array.from(ips.flatMap((ip) => [...ipv4ToBytes(ip)]))]]
}

/**
 * Domains, each as labels (RFC 3397 section 2, RFC 1035 section 3.1), as many as fit in the option.
 */
function searchList(domains: readonly string[]): Uint8Array {
  const list: number[] = []
  for (const domain of domains) {
    const labels = domain.split('.').map(text)
    const one = [...labels.flatMap((label) => [label.length, ...label]), 0]
    if (list.length + one.length > OPTION_BYTES_MAX) break
    list.push(...one)
  }
  return Uint8Array.from(list)
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** NVT ASCII without a final NUL (RFC 2132 section 2). */
function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
