/**
 * DescribeStaleSecurityGroups and DescribeSecurityGroupReferences: rules that name groups of
 * another VPC, by the VPC that has the rules, and by the groups that they name.
 * https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
 */
import type { SecurityGroupReference, StaleSecurityGroup } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Group, GroupRule } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import { refuseMissing } from '../describe.ts'
import { type NamedGroupInfos, namedGroupInfos, peersOf } from '../networks/foreign-groups.ts'
import { missingGroups } from '../networks/security-groups.ts'
import { findVpcs } from '../networks/vpcs.ts'
import { describeAction, readAction } from '../read.ts'
import { idListSchema, idSchema, pagedShape, required } from '../schemas.ts'
import { permissionsView } from '../views/security-group.ts'

/** The groups of a VPC with rules that allow nothing any more, and these rules. */
export const describeStaleSecurityGroups = describeAction({
  name: 'DescribeStaleSecurityGroups',
  input: z.strictObject({
    ...pagedShape(5, 255, { larger: 'limited' }),
    VpcId: idSchema('vpc', 'InvalidVpcID.Malformed'),
  }),
  rows: ({ VpcId }, { account, read }) =>
    read(async (tx) => {
      await findVpcs(tx, account, [VpcId])
      const groups = await tx.groups({ account, vpcs: [VpcId] })
      const rules = await tx.groupRules({ account, vpcs: [VpcId] })
      const { infoOf, isStale } = await namedGroupInfos(tx, account, rules)
      const stale = Map.groupBy(rules.filter(isStale), ({ group }) => group)
      return groups.flatMap((group) => {
        const some = stale.get(group.id)
        return some === undefined ? [] : [{ group, rules: some, infoOf }]
      })
    }),
  view: staleView,
  key: ({ GroupId }) => GroupId ?? '',
  filters: {},
  answer: (StaleSecurityGroupSet) => ({ StaleSecurityGroupSet }),
})

function staleView({
  group,
  rules,
  infoOf,
}: {
  readonly group: Group
  readonly rules: readonly GroupRule[]
  readonly infoOf: NamedGroupInfos
}): StaleSecurityGroup {
  const of = (egress: boolean) =>
    permissionsView(
      rules.filter((rule) => rule.egress === egress),
      infoOf,
    ).map(({ IpProtocol, FromPort, ToPort, UserIdGroupPairs }) => ({
      ...{ IpProtocol, FromPort, ToPort, UserIdGroupPairs },
      ...{ IpRanges: [], PrefixListIds: [] },
    }))
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpc,
    StaleIpPermissions: of(false),
    StaleIpPermissionsEgress: of(true),
  }
}

/** The peered VPCs that have rules which name these groups of the account. */
export const describeSecurityGroupReferences = readAction({
  name: 'DescribeSecurityGroupReferences',
  input: z.strictObject({
    GroupId: required(idListSchema('sg', 'InvalidGroupId.Malformed'), 'groupId'),
  }),
  answer: async ({ GroupId: ids }, { account, read }) => ({
    SecurityGroupReferenceSet: await read(async (tx) => {
      const groups = await tx.groups({ account })
      refuseMissing(ids, new Set(groups.map(({ id }) => id)), missingGroups)
      const wanted = new Set<string>(ids)
      return await referencesTo(
        tx,
        groups.filter(({ id }) => wanted.has(id)),
      )
    }),
  }),
})

/** One for each group and each VPC. A rule of a VPC that is not peered any more is stale. */
async function referencesTo(
  tx: ReadTx,
  groups: readonly Group[],
): Promise<readonly SecurityGroupReference[]> {
  const [first] = groups
  if (first === undefined) return []
  const rules = await tx.groupRulesNamingFromAfar(groups.map(({ id }) => id))
  const peerings = await tx.vpcPeerings({ account: first.account })
  return groups.flatMap(({ id, vpc }) => {
    const naming = new Set(
      rules.flatMap((rule) =>
        rule.peer.kind === 'group' && rule.peer.group === id ? rule.vpc : [],
      ),
    )
    return peersOf(vpc, peerings).flatMap((peer) =>
      naming.has(peer.vpc)
        ? [
            {
              GroupId: id,
              ReferencingVpcId: peer.vpc,
              VpcPeeringConnectionId: peer.peering.id,
            },
          ]
        : [],
    )
  })
}
