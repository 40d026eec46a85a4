/** The fabric: the network that carries packets of instances from host to host. Pure. */
import type { Ipv4, Mac } from './addr.ts'
import { formatMacBytes, ipv4ToBytes } from './addr.ts'

/** A host's own side of the fabric. */
export interface FabricSettings {
  /** Where the other hosts reach this one; null on a single host. */
  readonly address: Ipv4 | null
  /**
   * direct: the hosts share a layer-2 segment. vxlan: packets are wrapped in UDP, and routers may
   * lie between.
   */
  readonly mode: 'direct' | 'vxlan'
  /** VXLAN network identifier (RFC 7348 section 5). */
  readonly vni: number
  /** UDP port of VXLAN, alike on all hosts. */
  readonly port: number
  /**
   * ipsec: nothing of it comes or goes but through IPsec, which somebody else sets up; with mode
   * vxlan only.
   */
  readonly encryption: 'none' | 'ipsec'
}

/**
 * What VXLAN over IPv4 puts around a packet: outer IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC
 * 7348 section 5).
 */
const VXLAN_OVERHEAD_BYTES = 50

/**
 * What ESP in transport mode with AES-GCM adds at most: header 8, IV 8, padding to four bytes and
 * its trailer 5, check value 16 (RFC 4303 section 2, RFC 4106).
 */
const ESP_OVERHEAD_BYTES = 37

/** What is put around an instance's packet on its way to another host. */
export function fabricOverheadBytes({
  mode,
  encryption,
}: Pick<FabricSettings, 'mode' | 'encryption'>): number {
  if (mode !== 'vxlan') return 0
  return VXLAN_OVERHEAD_BYTES + (encryption === 'ipsec' ? ESP_OVERHEAD_BYTES : 0)
}

/**
 * The Ethernet address of a host's VXLAN device, made of its fabric address, so that everybody
 * knows everybody's and none has to be allocated, learned or asked for. Locally administered (IEEE
 * 802 clause 8.2).
 */
export function fabricMac(address: Ipv4): Mac {
  return formatMacBytes(Uint8Array.of(0x02, 0x61, ...ipv4ToBytes(address))) as Mac
}
