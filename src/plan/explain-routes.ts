/**
 * What route tables and network ACLs say of a packet, in sentences. Pure: the same answers as the
 * rules of `route-rules.ts` and `acl-rules.ts` give in the kernel.
 */
import { cidrContains, type Ipv4 } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import { hasPorts, PROTOCOLS } from '../model/group-rule.ts'
import type { NicId, PeeringId } from '../model/ids.ts'
import { type AclRule, byNumber, formatAclPeer } from '../model/network-acl.ts'
import type { PlacedNic } from '../model/records.ts'
import type { WayByAddress, WayOut } from '../model/ways-out.ts'
import { judgeAcl } from './acl-rules.ts'
import type { CloudRecords } from './explain-question.ts'
import {
  aclOf,
  routeEnds,
  routesOf,
  routeText,
  routeTo,
  type SubnetRoute,
  tableOf,
} from './routes.ts'

/** A judgement, as the end of a sentence. */
interface RouteJudgement {
  readonly passes: boolean
  readonly why: string
  /** Undefined: there is no route. */
  readonly to?: WayOut['kind']
  /** The router that the route leads to. It does not pass by itself. */
  readonly router?: NicId
  /** The NAT gateway with whose address it goes out, by the host that carries it. */
  readonly gateway?: WayByAddress
}

/** The records that say where routes lead. */
export type RouteRecords = Pick<CloudRecords, 'routing' | 'nics' | 'peerings' | 'vpcs'>

/**
 * Whether the NIC's subnet has a way to an address outside its VPC. Null: the VPC has no route
 * tables, so it has (an older daemon made it).
 */
export function judgeLeaving(
  nic: PlacedNic,
  destination: Ipv4,
  records: RouteRecords,
): RouteJudgement | null {
  const own = records.routing.find(({ vpc }) => vpc === nic.vpc)
  const routes = routesOf(nic.subnet, own, routeEnds(records))
  if (own === undefined || routes === undefined) return null
  const route = routeTo(destination, routes)
  if (route === undefined)
    return {
      passes: false,
      why: `no route of ${tableOf(nic.subnet, own)}, by which ${nic.subnet} goes, leads to ${destination}`,
    }
  const { kind } = route.to
  if (kind === 'peering')
    return { passes: false, why: `${routeText(route)} leads to a peer only`, to: kind }
  if (route.to.kind === 'nic') {
    const { nic: router } = route.to
    return { passes: false, why: `${routeText(route)} leads to a router`, to: kind, router }
  }
  if (route.to.kind === 'nat-address')
    return { passes: true, why: routeText(route), to: kind, gateway: route.to }
  if (kind !== 'blackhole') return { passes: true, why: routeText(route), to: kind }
  return {
    passes: false,
    why: `${routeText(route)} is a blackhole: ${lostText(nic, route, records)}`,
    to: kind,
  }
}

function lostText(
  { vpc }: PlacedNic,
  { target }: Pick<SubnetRoute, 'target'>,
  { nics }: RouteRecords,
): string {
  switch (target.kind) {
    case 'internet-gateway':
      return `${target.id} is not attached to ${vpc}`
    case 'nat-gateway':
      return `${target.id} or its floating IP is gone, or its own subnet has no way there`
    case 'peering':
      return `${target.id} is not active`
    case 'network-interface': {
      const router = nics.find((one) => one.id === target.id)
      if (router === undefined) return `${target.id} is attached to no instance`
      return router.attachment?.isEnding === true
        ? `${target.id} is being detached`
        : `${target.id} checks source and destination (SourceDestCheck), so it gets nothing that is for others`
    }
    case 'unknown':
      return `this version does not know ${target.id}`
  }
}

/** Whether what comes from an address outside the VPC may reach the NIC, whose answers go there. */
export function judgeArriving(
  nic: PlacedNic,
  source: Ipv4,
  records: RouteRecords,
): RouteJudgement | null {
  const judged = judgeLeaving(nic, source, records)
  if (judged === null || (judged.to !== 'nat' && judged.to !== 'nat-address')) return judged
  return { ...judged, passes: false, why: `${judged.why} is a way out only` }
}

/**
 * Whether the NIC's subnet has a route to an address of a peer by this connection. Null: its VPC
 * has no route tables.
 */
export function judgePeerRoute(
  nic: PlacedNic,
  peer: Ipv4,
  peering: PeeringId,
  records: RouteRecords,
): RouteJudgement | null {
  const own = records.routing.find(({ vpc }) => vpc === nic.vpc)
  const routes = routesOf(nic.subnet, own, routeEnds(records))
  if (own === undefined || routes === undefined) return null
  const route = routeTo(peer, routes)
  if (route?.to.kind === 'peering' && route.to.peering === peering)
    return { passes: true, why: routeText(route) }
  const table = tableOf(nic.subnet, own)
  const why =
    route === undefined
      ? `no route of ${table}, by which ${nic.subnet} goes, leads to ${peer}`
      : `${routeText(route)} comes before any to ${peering}`
  return { passes: false, why }
}

/** A judgement of an ACL; undefined where none is asked. */
export interface AclJudgement {
  readonly passes: boolean
  /** A sentence. */
  readonly text: string
}

/** What the ACL of the NIC's subnet says of a packet that leaves it (`egress`) or enters it. */
export function judgeByAcl(
  packet: Flow,
  egress: boolean,
  nic: PlacedNic,
  { routing, subnets }: Pick<CloudRecords, 'routing' | 'subnets'>,
): AclJudgement | undefined {
  const own = routing.find(({ vpc }) => vpc === nic.vpc)
  const subnet = subnets.find(({ id }) => id === nic.subnet)
  const acl = own === undefined ? undefined : aclOf(nic.subnet, own)
  if (own === undefined || acl === undefined || subnet === undefined) return undefined
  const other = egress ? packet.destination : packet.source
  if (cidrContains(subnet.cidr, other)) return undefined
  const rules = byNumber(own.aclEntries.filter((entry) => entry.acl === acl.id))
  const rule = judgeAcl(packet, egress, rules)
  const direction = egress ? 'egress' : 'ingress'
  const where = `${acl.id}, the network ACL of ${nic.subnet}`
  if (rule === undefined)
    return { passes: false, text: `No ${direction} entry of ${where}, allows it.` }
  const verb = rule.allow ? 'allows' : 'denies'
  const text = `The ${direction} entry ${rule.number} of ${where}, ${verb} it: ${entryText(rule)}.`
  return { passes: rule.allow, text }
}

function entryText({ protocol, fromPort, toPort, peer, egress, allow }: AclRule): string {
  const [name = protocol === -1 ? 'everything' : `protocol ${protocol}`] =
    Object.entries(PROTOCOLS).find(([, number]) => number === protocol) ?? []
  const ports = hasPorts(protocol)
    ? ` ${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}`
    : ''
  const whom = `${egress ? 'to' : 'from'} ${formatAclPeer(peer)}`
  return `${allow ? 'allow' : 'deny'} ${name}${ports} ${whom}`
}

/** Where the ephemeral ports of Linux begin, to which answers go (ip_local_port_range). */
const ANSWER_PORT = 32_768
const ECHO_REQUEST = 8

/** The first packet of the answer. Its port is one that the client chose. */
export function answerOf({ source, destination, protocol, port, code }: Flow): Flow {
  const answer = { source: destination, destination: source, protocol }
  if (hasPorts(protocol)) return { ...answer, port: ANSWER_PORT, code: 0 }
  if (protocol === PROTOCOLS.icmp && port === ECHO_REQUEST) return { ...answer, port: 0, code: 0 }
  return { ...answer, port, code }
}
