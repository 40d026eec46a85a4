/** Users, groups and roles as holders of policies, by their ARNs. */
import type { IdentityPolicy } from '../../model/account-records.ts'
import { AtollError, refused } from '../../model/errors.ts'
import { iamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { managedPolicyNamed } from '../../model/managed-policies.ts'
import type { Policy } from '../../model/policy.ts'
import type { ReadTx } from '../../store/store.ts'
import { policiesWith } from './caller-policies.ts'
import { requireRole } from './roles.ts'
import { groupsOfUser, requireUserGroup } from './user-groups.ts'
import { noSuchEntity, requireUser } from './users.ts'

/** Whose policies count for somebody: its own first, then those of its groups. */
export interface PolicyHolder {
  readonly account: AccountId
  readonly owners: readonly IdentityPolicy['owner'][]
  /** Its keys have all rights, whatever its policies. */
  readonly hasAllRights: boolean
}

/** A policy, and what it says. */
export interface HeldPolicy extends Pick<IdentityPolicy, 'owner' | 'name'> {
  /** Of a managed policy. Null: it is the owner's own. */
  readonly arn: string | null
  readonly policy: Policy
}

/**
 * The user, group or role of the account with this ARN. Errors: `InvalidInput` for another ARN,
 * `NoSuchEntity`.
 */
export async function requireHolder(
  tx: ReadTx,
  account: AccountId,
  arn: string,
): Promise<PolicyHolder> {
  const [, type, name = ''] =
    /^arn:aws:iam::\d{12}:(user|group|role)\/(?:[^\s]*\/)?([\w+=,.@-]{1,128})$/.exec(arn) ?? []
  if (type === undefined)
    throw refused('InvalidInput', `${arn} is not the ARN of a user, a group or a role`)
  const read = { user: requireUser, group: requireUserGroup, role: requireRole }
  // Another account's is asked for and refused as one that does not exist.
  const found = await read[type as keyof typeof read](tx, account, name).catch(unlessMissing)
  if (found === undefined || iamArn(type as keyof typeof read, found) !== arn)
    throw noSuchEntity(`The ${type} with ARN ${arn} cannot be found.`)
  const groups = type === 'user' ? await groupsOfUser(tx, account, found.id) : []
  return {
    account,
    hasAllRights: 'hasAllRights' in found && found.hasAllRights === true,
    owners: [
      `${type as keyof typeof read}/${name}`,
      ...groups.map((group) => `group/${group.name}` as const),
    ],
  }
}

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof AtollError) || error.code !== 'NoSuchEntity') throw error
}

/** All policies of a holder. Errors: `unavailable` when one cannot be read. */
export async function policiesOfHolder(
  tx: ReadTx,
  { account, owners, hasAllRights }: PolicyHolder,
): Promise<readonly HeldPolicy[]> {
  const records: IdentityPolicy[] = []
  for (const owner of owners) records.push(...(await tx.identityPolicies(account, owner)))
  const policies = await policiesWith(tx, account, records)
  const all = hasAllRights ? managedPolicyNamed('AdministratorAccess') : undefined
  const [self = 'user/'] = owners
  const unlimited =
    all === undefined ? [] : [{ owner: self, name: all.name, arn: all.arn, policy: all.policy }]
  const held = records.flatMap(({ owner, kind, name }, at) => {
    const policy = policies[at]
    if (policy === undefined) return []
    const arn = kind === 'managed' ? name : null
    return [{ owner, arn, policy, name: name.slice(name.lastIndexOf('/') + 1) }]
  })
  return [...unlimited, ...held]
}
