/** Whether a peering connection joins the VPCs of two instances, for `atoll explain`. Pure. */
import type { Ipv4 } from '../model/addr.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName, VpcId } from '../model/ids.ts'
import { type ActivePeering, usablePeerings } from '../model/peering.ts'
import type { Vpc } from '../model/records.ts'
import { addressOf, type End, hostOf, vpcOf } from './explain-question.ts'
import { judgePeerRoute, type RouteRecords } from './explain-routes.ts'

/** Null when both are in one VPC. */
export function judgePeering(
  from: VpcId | null,
  to: VpcId | null,
  {
    peerings,
    vpcs,
  }: { readonly peerings: readonly ActivePeering[]; readonly vpcs: readonly Vpc[] },
): {
  readonly passes: boolean
  readonly text: string
  readonly peering?: ActivePeering['id']
} | null {
  if (from === to) return null
  const usable = usablePeerings(peerings, vpcs)
  const joins = ({ vpcs: [a, b] }: ActivePeering) =>
    (a === from && b === to) || (a === to && b === from)
  const found = usable.find(joins)
  return found === undefined
    ? {
        passes: false,
        text: `They are in different VPCs, ${from} and ${to}, and nothing joins these.`,
      }
    : {
        peering: found.id,
        passes: true,
        text: `The peering connection ${found.id} joins ${from} and ${to}.`,
      }
}

/**
 * The host's own addresses within the range of a peer: from the machine's own namespace they lead
 * to the host itself, and nothing is taken from there that claims one. Empty: neither end has one.
 */
export function lostToHost(
  ends: readonly [End, End],
  { vpcs }: { readonly vpcs: readonly Vpc[] },
  { host, routing }: { readonly host: HostName; readonly routing: HostRouting },
): readonly { readonly passes: false; readonly text: string }[] {
  const isInMachine = (end: End) =>
    vpcs.some(({ id, network }) => id === vpcOf(end) && network === null)
  const inMachine = ends.find(isInMachine)
  const inside = ends.find((end) => !isInMachine(end))
  const ip = inside === undefined ? null : addressOf(inside)
  // Only of the host that answers the addresses are known.
  if (inMachine === undefined || ip === null || hostOf(inMachine) !== host) return []
  if (!routing.addresses.includes(ip)) return []
  const text = `${ip} is an address of host ${host} itself, so instances of ${vpcOf(inMachine)} on it do not reach the peer there.`
  return [{ passes: false, text }]
}

/** Whether the subnet of one end has a route to an address of the other; empty: it needs none. */
export function peerRoute(
  end: End,
  peer: Ipv4,
  peering: ActivePeering['id'],
  records: RouteRecords,
): readonly { readonly passes: boolean; readonly text: string }[] {
  if (end.kind === 'address' || end.nic === null) return []
  const judged = judgePeerRoute(end.nic, peer, peering, records)
  if (judged === null) return []
  const { passes, why } = judged
  return [{ passes, text: `${why.charAt(0).toUpperCase()}${why.slice(1)}.` }]
}
