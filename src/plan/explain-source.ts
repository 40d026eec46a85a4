/** By which address what leaves a VPC is seen where it arrives. Pure. */
import { type Cidr, cidrContains, type Ipv4 } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName, VpcId } from '../model/ids.ts'
import { transitOf } from '../model/transit.ts'
import {
  type CloudRecords,
  type End,
  floatingIpOf,
  hostOf,
  SOME_ADDRESS_OUTSIDE,
  vpcOf,
} from './explain-question.ts'
import { judgeLeaving } from './explain-routes.ts'

/** Two ends, and what the host that answers knows of its network. */
export interface Between {
  readonly source: End
  readonly destination: End
  readonly records: CloudRecords
  readonly surroundings: { readonly host: HostName; readonly routing: HostRouting }
}

/**
 * Between VPCs on one host: that of the link on which it arrives, and, where a VPC of the machine's
 * own network namespace gets it, that of the link from the sender's namespace.
 */
function seenBetween(from: VpcId, to: VpcId, records: CloudRecords): Ipv4 | undefined {
  const arriving = networkOf(to, records)
  if (arriving !== null) return transitOf(arriving).gateway
  const leaving = networkOf(from, records)
  return leaving === null ? undefined : transitOf(leaving).address
}

/** Whether both VPCs are in one network namespace of a host. */
function areTogether(a: VpcId, b: VpcId, records: CloudRecords): boolean {
  return a === b || (networkOf(a, records) === null && networkOf(b, records) === null)
}

/** The address of a host by which it sends something there; undefined when it is not known. */
function ownAddressTowards(destination: Ipv4, routing: HostRouting | null): Ipv4 | undefined {
  if (routing === null) return undefined
  const { connected, addresses, defaultRoutes } = routing
  const near = (ip: Ipv4) => connected.find((net) => cidrContains(net, ip))
  const net: Cidr | undefined =
    near(destination) ??
    defaultRoutes.flatMap(({ gateway }) => (gateway === null ? [] : (near(gateway) ?? [])))[0]
  return net === undefined ? undefined : addresses.find((ip) => cidrContains(net, ip))
}

/** The source as the destination's namespace has it, and the destination as the source's does. */
export function seenByBoth(
  between: Between,
  flow: Pick<Flow, 'source' | 'destination'>,
): Pick<Flow, 'source' | 'destination'> {
  const { source, destination } = between
  const floatingIp = floatingIpOf(destination)
  if (floatingIp === null || source.kind === 'address' || isTranslatedHere(between)) return flow
  return { source: addressOutside(between, source, floatingIp).ip, destination: floatingIp }
}

/** Whether one network namespace has both ends. */
export function isTranslatedHere({ source, destination, records }: Between): boolean {
  const [from, to] = [vpcOf(source), vpcOf(destination)]
  const isSameHost = hostOf(source) === hostOf(destination)
  return from !== null && to !== null && isSameHost && areTogether(from, to, records)
}

/** The address with which a packet of an instance comes to a floating IP elsewhere. */
export function addressOutside(
  { destination, records, surroundings }: Between,
  source: Extract<End, { readonly kind: 'instance' }>,
  floatingIp: Ipv4,
): { readonly ip: Ipv4; readonly isOwn: boolean } {
  const [host, from, to] = [hostOf(source), vpcOf(source), vpcOf(destination)]
  const leaving = source.nic === null ? null : judgeLeaving(source.nic, floatingIp, records)
  if (leaving?.gateway !== undefined) return { ip: leaving.gateway.ip, isOwn: false }
  const own = leaving?.to === 'nat' ? null : source.nic?.publicIp
  if (own) return { ip: own, isOwn: true }
  // Only of the host that answers it is known.
  const routing = host === surroundings.host ? surroundings.routing : null
  const near =
    host === hostOf(destination) && from !== null && to !== null
      ? seenBetween(from, to, records)
      : ownAddressTowards(floatingIp, routing)
  const sender = records.hosts.find(({ name }) => name === host)
  return { ip: near ?? sender?.fabricAddress ?? SOME_ADDRESS_OUTSIDE, isOwn: false }
}

/** The number of a VPC with network namespaces of its own, or null. */
export function networkOf(vpc: VpcId, { vpcs }: Pick<CloudRecords, 'vpcs'>): number | null {
  return vpcs.find(({ id }) => id === vpc)?.network ?? null
}
