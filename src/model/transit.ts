/**
 * The link between the machine's own network namespace and that of a VPC. Pure.
 *
 * Each VPC that has a namespace has a number, alike on all hosts. The link's addresses follow from
 * it (RFC 3021: two addresses of a `/31`), so nothing is allocated. The range is part of the shared
 * address space (RFC 6598), which neither hosts' networks nor the Internet's destinations use.
 */
import {
  type Cidr,
  cidr,
  cidrAddress,
  type Ipv4,
  ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
} from './addr.ts'
import type { VpcId } from './ids.ts'
import { TRANSIT_LINK_PREFIX } from './names.ts'

/** All addresses of such links. */
export const TRANSIT_RANGE: Cidr = cidr('100.64.0.0/15')
/** Prefix of each link. */
export const TRANSIT_PREFIX = 31

/**
 * Addresses that stand for those of instances on the way between a VPC's namespace and the
 * machine's own, to destinations that see the addresses of instances (`plan/stand-ins.ts`). The
 * range is reserved (RFC 1112, section 4), so nothing else has them.
 */
export const STAND_IN_RANGE: Cidr = cidr('250.0.0.0/8')

/** An address of an instance, and what it is between the two namespaces. */
export interface StandIn {
  readonly ip: Ipv4
  readonly as: Ipv4
}

/** One such link. */
export interface Transit {
  /** Its end in the machine's own namespace. */
  readonly link: string
  /** The machine's address on it, which is the VPC's way out. */
  readonly gateway: Ipv4
  /** The VPC's address on it, behind which its instances are masqueraded. */
  readonly address: Ipv4
  /** Whose it is; absent where nothing depends on it. */
  readonly vpc?: VpcId
  /** Floating IPs of its instances on this host, and of NAT gateways; absent: none. */
  readonly floatingIps?: readonly Ipv4[]
  /** Those of NAT gateways, which another host may have taken over; absent: none. */
  readonly carried?: readonly Ipv4[]
  /** Of its instances on this host; absent: none of their addresses is seen outside. */
  readonly standIns?: readonly StandIn[]
}

/** The link of the VPC with this number. */
export function transitOf(network: number): Transit {
  return {
    link: `${TRANSIT_LINK_PREFIX}${network}`,
    gateway: cidrAddress(TRANSIT_RANGE, 2 * network),
    address: cidrAddress(TRANSIT_RANGE, 2 * network + 1),
  }
}

/** The first address of the range that is reserved (RFC 1112, section 4). */
const RESERVED = ipv4ToNumber(ipv4('240.0.0.0'))
const RESERVED_SIZE = 2 ** 28

/**
 * By which a host is the next hop inside a VPC's namespace, made of its fabric address. No VPC has
 * an address of that range, while the fabric address itself may be one of the VPC's.
 */
export function nextHopOf(fabricAddress: Ipv4): Ipv4 {
  return ipv4FromNumber(RESERVED + (ipv4ToNumber(fabricAddress) % RESERVED_SIZE))
}
