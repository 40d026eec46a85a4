/**
 * Rules that name groups of a peered VPC, and what is known of such a group.
 * https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
 */
import type { UserIdGroupPair } from '@aws-sdk/client-ec2'
import type { AccountId, GroupId, VpcId } from '../../model/ids.ts'
import type { VpcPeering } from '../../model/peering.ts'
import type { Group, GroupRule } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'

/** What a rule says of the group that it names. */
type NamedGroupInfo = Pick<
  UserIdGroupPair,
  'UserId' | 'VpcId' | 'VpcPeeringConnectionId' | 'PeeringStatus'
>

/** A function that tells what is known of the group that each rule names. */
export type NamedGroupInfos = (rule: GroupRule) => NamedGroupInfo

/** Whether a rule allows nothing any more, because the group or the peering is gone. */
export type IsStale = (rule: GroupRule) => boolean

/** The VPCs that an active connection joins with this one, each with the connection. */
export function peersOf(
  vpc: VpcId,
  peerings: readonly VpcPeering[],
): readonly { readonly vpc: VpcId; readonly peering: VpcPeering }[] {
  return peerings.flatMap((peering) => {
    const { requester, accepter, state } = peering
    if (state !== 'active') return []
    if (requester.vpc === vpc) return [{ vpc: accepter.vpc, peering }]
    return accepter.vpc === vpc ? [{ vpc: requester.vpc, peering }] : []
  })
}

/** The groups of VPCs that are peered with this one. */
export async function groupsOfPeers(
  tx: ReadTx,
  { account, vpc }: Pick<Group, 'account' | 'vpc'>,
): Promise<readonly Group[]> {
  const vpcs = peersOf(vpc, await tx.vpcPeerings({ account })).map((one) => one.vpc)
  return vpcs.length === 0 ? [] : await tx.groups({ vpcs })
}

/** The group that a rule names, if it is of another VPC. */
function foreignGroup({ peer }: GroupRule): GroupId | undefined {
  return peer.kind === 'group' && peer.isForeign === true ? peer.group : undefined
}

/** What is known of the groups that these rules of an account name. */
export async function namedGroupInfos(
  tx: ReadTx,
  account: AccountId,
  rules: readonly GroupRule[],
): Promise<{ readonly infoOf: NamedGroupInfos; readonly isStale: IsStale }> {
  const own: NamedGroupInfos = (rule) => ({ UserId: rule.account })
  if (rules.every((rule) => foreignGroup(rule) === undefined))
    return { infoOf: own, isStale: () => false }
  const peerings = await tx.vpcPeerings({ account })
  const sides = peerings.flatMap(({ requester, accepter }) => [requester.vpc, accepter.vpc])
  const groups = await tx.groups({ vpcs: [...new Set(sides)] })
  const known = new Map(groups.map((group) => [group.id, group]))
  const joining = (rule: GroupRule, group: Group) =>
    peersOf(rule.vpc, peerings).find(({ vpc }) => vpc === group.vpc)?.peering
  return {
    infoOf(rule) {
      const id = foreignGroup(rule)
      if (id === undefined) return own(rule)
      const group = known.get(id)
      // Its owner has deleted it, or the peering has ended long ago.
      if (group === undefined) return { PeeringStatus: 'deleted' }
      const peering = joining(rule, group)
      return {
        UserId: group.account,
        VpcId: group.vpc,
        ...(peering === undefined ? {} : { VpcPeeringConnectionId: peering.id }),
        PeeringStatus: peering === undefined ? 'deleted' : 'active',
      }
    },
    isStale(rule) {
      const id = foreignGroup(rule)
      if (id === undefined) return false
      const group = known.get(id)
      return group === undefined || joining(rule, group) === undefined
    },
  }
}
