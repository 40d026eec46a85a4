/** A new VPC, with what each comes with. */
import { ALL_OUT, allFromMembers } from '../model/group-rule.ts'
import type { NewId } from '../model/ids.ts'
import type { Vpc } from '../model/records.ts'
import type { Tx } from './store.ts'

/** The name of each VPC's own group. */
export const DEFAULT_GROUP = 'default'

/**
 * Inserts a VPC and its default group, whose members reach each other and everything outside (VPC
 * user guide, "Default security groups for your VPCs"). `exists`: as `insertVpc`.
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
  return 'done'
}
