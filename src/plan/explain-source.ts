/** By which address what leaves a VPC is seen where it arrives. Pure. */
import { type Cidr, cidrContains, type Ipv4 } from '../model/addr.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { VpcId } from '../model/ids.ts'
import { transitOf } from '../model/transit.ts'
import type { CloudRecords } from './explain-question.ts'

/**
 * Between VPCs on one host: that of the link on which it arrives, and, where a VPC of the machine's
 * own network namespace gets it, that of the link from the sender's namespace.
 */
export function seenBetween(from: VpcId, to: VpcId, records: CloudRecords): Ipv4 | undefined {
  const arriving = networkOf(to, records)
  if (arriving !== null) return transitOf(arriving).gateway
  const leaving = networkOf(from, records)
  return leaving === null ? undefined : transitOf(leaving).address
}

/** Whether both VPCs are in one network namespace of a host. */
export function areTogether(a: VpcId, b: VpcId, records: CloudRecords): boolean {
  return a === b || (networkOf(a, records) === null && networkOf(b, records) === null)
}

/** The address of a host by which it sends something there; undefined when it is not known. */
export function ownAddressTowards(
  destination: Ipv4,
  routing: HostRouting | null,
): Ipv4 | undefined {
  if (routing === null) return undefined
  const { connected, addresses, defaultRoutes } = routing
  const near = (ip: Ipv4) => connected.find((net) => cidrContains(net, ip))
  const net: Cidr | undefined =
    near(destination) ??
    defaultRoutes.flatMap(({ gateway }) => (gateway === null ? [] : (near(gateway) ?? [])))[0]
  return net === undefined ? undefined : addresses.find((ip) => cidrContains(net, ip))
}

/** The number of a VPC with network namespaces of its own, or null. */
export function networkOf(vpc: VpcId, { vpcs }: Pick<CloudRecords, 'vpcs'>): number | null {
  return vpcs.find(({ id }) => id === vpc)?.network ?? null
}
