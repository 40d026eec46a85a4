/** Whether a peering connection joins the VPCs of two instances, for `atoll explain`. Pure. */
import type { VpcId } from '../model/ids.ts'
import { type ActivePeering, usablePeerings } from '../model/peering.ts'
import type { Vpc } from '../model/records.ts'

/** Null when both are in one VPC. */
export function judgePeering(
  from: VpcId | null,
  to: VpcId | null,
  {
    peerings,
    vpcs,
  }: { readonly peerings: readonly ActivePeering[]; readonly vpcs: readonly Vpc[] },
): { readonly passes: boolean; readonly text: string } | null {
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
    : { passes: true, text: `The peering connection ${found.id} joins ${from} and ${to}.` }
}
