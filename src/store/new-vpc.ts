/** A new VPC, with what each comes with. */
import { cidr } from '../model/addr.ts'
import { derivedId } from '../model/derived-ids.ts'
import { ALL_OUT, allFromMembers } from '../model/group-rule.ts'
import type { NewId } from '../model/ids.ts'
import { DEFAULT_ACL_RULES } from '../model/network-acl.ts'
import type { Vpc } from '../model/records.ts'
import type { Tx } from './store.ts'

/** The name of each VPC's own group. */
export const DEFAULT_GROUP = 'default'
const EVERYWHERE = cidr('0.0.0.0/0')

/**
 * Inserts a VPC and its default group, whose members reach each other and everything outside (VPC
 * user guide, "Default security groups for your VPCs"), its main route table and its default ACL.
 * A default VPC has an internet gateway, too, and leads everything to it. `exists`: as `insertVpc`.
 */
export async function insertWholeVpc(tx: Tx, vpc: Vpc, newId: NewId): Promise<'done' | 'exists'> {
  if ((await tx.insertVpc(vpc)) === 'exists') return 'exists'
  const group = newId('sg')
  const of = { vpc: vpc.id, account: vpc.account }
  await tx.insertGroup({
    ...of,
    id: group,
    name: DEFAULT_GROUP,
    description: 'default VPC security group',
  })
  for (const match of [allFromMembers(group), ALL_OUT])
    await tx.insertGroupRule({ ...of, ...match, id: newId('sgr'), group, description: '' })
  await insertRouting(tx, vpc, newId, { hasGateway: vpc.isDefault })
  return 'done'
}

/**
 * Gives VPCs that an older daemon made what theirs have had until now: a way out, and an ACL that
 * lets everything pass, by the ids that it shows.
 */
export async function completeOlderVpcs(tx: Tx): Promise<void> {
  const vpcs = await tx.vpcs({})
  const routed = new Set((await tx.routeTableAssociations({})).map(({ vpc }) => vpc))
  if (tx.unreadable().length > 0) return
  for (const vpc of vpcs)
    if (!routed.has(vpc.id)) {
      const derived = (prefix: string) => derivedId(prefix, vpc.id)
      await insertRouting(tx, vpc, derived as NewId, { hasGateway: true })
    }
}

async function insertRouting(
  tx: Tx,
  { id: vpc, account }: Vpc,
  newId: NewId,
  { hasGateway }: { readonly hasGateway: boolean },
): Promise<void> {
  const [table, acl] = [newId('rtb'), newId('acl')]
  await tx.insertRouteTable({ id: table, account, vpc })
  await tx.insertRouteTableAssociation({ id: newId('rtbassoc'), table, vpc, subnet: null })
  await tx.insertNetworkAcl({ id: acl, account, vpc, isDefault: true })
  for (const rule of DEFAULT_ACL_RULES) await tx.insertNetworkAclEntry({ ...rule, acl, vpc })
  if (!hasGateway) return
  const gateway = newId('igw')
  await tx.insertInternetGateway({ id: gateway, account, vpc })
  const target = { kind: 'internet-gateway', id: gateway } as const
  await tx.insertRoute({ table, vpc, destination: EVERYWHERE, target })
}
