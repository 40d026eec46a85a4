/**
 * Outbound address translation: which addresses and ports instances go out with. Pure.
 *
 * Every instance has ports of its own, its share, so that none can use up what others need. A share
 * holds for each address of the host by itself.
 */
import type { Cidr, Ipv4 } from './addr.ts'
import type { NicId, VpcId } from './ids.ts'

/** Ports of what has no share: a packet that an instance forwards for somebody else. */
export const COMMON_PORTS: PortRange = { first: 8192, last: 16_383 }
/** Ports that are shared out. Those below `COMMON_PORTS` are left to the host itself. */
export const SHARED_PORTS: PortRange = { first: 16_384, last: 65_535 }

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** The ports that one NIC goes out with. */
export interface NatShare extends PortRange {
  readonly nic: NicId
}

/** Addresses and exceptions, as configured. */
export interface NatSettings {
  /** Addresses of this host that instances go out with; empty: that of the link they leave by. */
  readonly source: readonly Ipv4[]
  /** The same for some VPCs, in place of `source` and `exceptions`. */
  readonly vpcs: readonly VpcNatSettings[]
  /** Destinations that see the private addresses of instances. */
  readonly exceptions: readonly Cidr[]
}

/** Of one VPC. What is left out is as for all. */
interface VpcNatSettings {
  readonly vpc: VpcId
  readonly source?: readonly Ipv4[] | undefined
  readonly exceptions?: readonly Cidr[] | undefined
}

/** Everything goes out with the address of its link. */
export const PLAIN_NAT: NatSettings = { source: [], vpcs: [], exceptions: [] }

/** The addresses that instances of the VPC go out with; empty: that of the link they leave by. */
export function natSources({ source, vpcs }: NatSettings, vpc: VpcId | undefined): readonly Ipv4[] {
  return vpcs.find((one) => one.vpc === vpc)?.source ?? source
}

/** The destinations that see the private addresses of the VPC's instances. */
export function natExceptions(
  { exceptions, vpcs }: NatSettings,
  vpc: VpcId | undefined,
): readonly Cidr[] {
  return ownExceptions(vpcs, vpc) ?? exceptions
}

/** Those that are set for this VPC; undefined: none are. */
export function ownExceptions(
  vpcs: NatSettings['vpcs'],
  vpc: VpcId | undefined,
): readonly Cidr[] | undefined {
  return vpcs.find((one) => one.vpc === vpc)?.exceptions
}

/** Every address that the settings name. */
export function namedSources({ source, vpcs }: NatSettings): readonly Ipv4[] {
  return [...new Set([...source, ...vpcs.flatMap((one) => one.source ?? [])])]
}

/**
 * The ports that each of several addresses is used for: with several, an instance always goes out
 * with the one that its ports belong to.
 */
export function portsOfSources(
  sources: readonly Ipv4[],
): readonly { readonly source: Ipv4; readonly ports: PortRange }[] {
  const { first, last } = SHARED_PORTS
  const edge = (index: number) => first + Math.floor(((last + 1 - first) * index) / sources.length)
  return sources.map((source, index) => ({
    source,
    ports: { first: edge(index), last: edge(index + 1) - 1 },
  }))
}

/** The address that a share goes out with; undefined when there are none. */
export function sourceOfShare(sources: readonly Ipv4[], { first }: PortRange): Ipv4 | undefined {
  return portsOfSources(sources).findLast(({ ports }) => ports.first <= first)?.source
}
