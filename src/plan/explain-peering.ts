/** Whether a peering connection joins the VPCs of two instances, for `atoll explain`. Pure. */
import type { Ipv4 } from '../model/addr.ts'
import type { VpcId } from '../model/ids.ts'
import { type ActivePeering, usablePeerings } from '../model/peering.ts'
import type { Vpc } from '../model/records.ts'
import type { End } from './explain-question.ts'
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
