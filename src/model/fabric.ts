/** The fabric: the network that carries packets of instances from host to host. Pure. */
import type { Ipv4, Mac } from './addr.ts'
import { formatMacBytes, ipv4ToBytes } from './addr.ts'

/** One host's side of the fabric. */
export interface FabricSettings {
  /** The address where other hosts reach this one. Null on a single host. */
  readonly address: Ipv4 | null
  /**
   * direct: the hosts share a layer-2 segment. vxlan: packets are encapsulated in UDP, and there
   * may be routers between the hosts.
   */
  readonly mode: 'direct' | 'vxlan'
  /** VXLAN network identifier (RFC 7348 section 5). */
  readonly vni: number
  /** UDP port of VXLAN, the same on all hosts. */
  readonly port: number
  /** ipsec: packets pass only through IPsec, which the operator sets up. Only with mode vxlan. */
  readonly encryption: 'none' | 'ipsec'
}

/** VXLAN network identifiers have 24 bits (RFC 7348, section 5). */
const VNI_MAX = 2 ** 24 - 1

/**
 * The VXLAN network identifier of the VPC with this number, where the fabric's own is `vni`: above
 * it, or below it where there is no room.
 */
export function vpcVni(vni: number, network: number): number {
  const above = vni + network
  return above <= VNI_MAX ? above : vni - network
}

/**
 * Bytes that VXLAN over IPv4 adds to a packet: outer IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC
 * 7348 section 5).
 */
const VXLAN_OVERHEAD_BYTES = 50

/**
 * Bytes that ESP in transport mode with AES-GCM adds at most: header 8, IV 8, padding to four bytes
 * and trailer 5, check value 16 (RFC 4303 section 2, RFC 4106).
 */
const ESP_OVERHEAD_BYTES = 37

/** Bytes that the fabric adds to an instance's packet. */
export function fabricOverheadBytes({
  mode,
  encryption,
}: Pick<FabricSettings, 'mode' | 'encryption'>): number {
  if (mode !== 'vxlan') return 0
  return VXLAN_OVERHEAD_BYTES + (encryption === 'ipsec' ? ESP_OVERHEAD_BYTES : 0)
}

/**
 * The Ethernet address of a host's VXLAN device. It is derived from the host's fabric address, so
 * every host knows it without allocation, learning or asking. Locally administered (IEEE 802 clause
 * 8.2).
 */
export function fabricMac(address: Ipv4): Mac {
  return formatMacBytes(Uint8Array.of(0x02, 0x61, ...ipv4ToBytes(address))) as Mac
}
