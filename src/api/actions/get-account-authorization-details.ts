/**
 * GetAccountAuthorizationDetails: all users, groups, roles and policies of an account at once, as
 * programs that audit an account ask for them.
 */
import type { ManagedPolicyDetail, PolicyDetail } from '@aws-sdk/client-iam'
import { z } from 'zod'
import type { IdentityPolicy, OwnPolicy } from '../../model/account-records.ts'
import type { AccountId } from '../../model/ids.ts'
import { MANAGED_POLICIES } from '../../model/managed-policies.ts'
import type { ReadTx } from '../../store/store.ts'
import { tagsView } from '../accounts/iam-tags.ts'
import { attachmentsOf, CLOUD_VERSION, policyView } from '../accounts/managed-policy-views.ts'
import { ownArn, ownPolicyView, versionView } from '../accounts/own-policies.ts'
import { profileView, wholeRoleView } from '../accounts/roles.ts'
import { groupView } from '../accounts/user-groups.ts'
import { listUsers, pageOf, pageShape, userView } from '../accounts/users.ts'
import { readAction } from '../read.ts'

const KINDS = ['User', 'Group', 'Role', 'LocalManagedPolicy', 'AWSManagedPolicy'] as const

/** Something of the account, with how it is read in detail: only what a page shows is. */
interface Entity {
  readonly kind: (typeof KINDS)[number]
  readonly name: string
  readonly detail: () => object | Promise<object>
}

/**
 * Users first, then groups, roles and policies; of the policies of the cloud those that somebody
 * has.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
 */
export const getAccountAuthorizationDetails = readAction({
  name: 'GetAccountAuthorizationDetails',
  input: z.strictObject({ ...pageShape, Filter: z.array(z.enum(KINDS)).max(20).default([]) }),
  answer: async ({ Filter, ...page }, { account, read }) =>
    await read(async (tx) => {
      const all = (await entitiesOf(tx, account)).filter(
        ({ kind }) => Filter.length === 0 || Filter.includes(kind),
      )
      const keyOf = ({ kind, name }: Entity) => `${KINDS.indexOf(kind)}/${name}`
      const { items, more } = pageOf(all, keyOf, page)
      const details = new Map<Entity['kind'], object[]>()
      for (const { kind, detail } of items)
        details.set(kind, [...(details.get(kind) ?? []), await detail()])
      const of = (kind: Entity['kind']) => details.get(kind) ?? []
      return {
        UserDetailList: of('User'),
        GroupDetailList: of('Group'),
        RoleDetailList: of('Role'),
        Policies: [...of('LocalManagedPolicy'), ...of('AWSManagedPolicy')],
        ...more,
      }
    }),
})

async function entitiesOf(tx: ReadTx, account: AccountId): Promise<readonly Entity[]> {
  const policies = Map.groupBy(await tx.identityPolicies(account), ({ owner }) => owner)
  const of = (owner: IdentityPolicy['owner']) => policies.get(owner) ?? []
  const counts = await attachmentsOf(tx, account)
  const profiles = await tx.instanceProfiles(account)
  const groups = await tx.userGroups(account)
  const groupName = new Map(groups.map(({ id, name }) => [id, name]))
  const members = Map.groupBy(await tx.groupMembers(account), ({ user }) => user)
  const users = (await listUsers(tx, account)).map(
    (user): Entity => ({
      kind: 'User',
      name: user.name,
      detail: () => ({
        ...userView(user),
        UserPolicyList: inlineDetails(of(`user/${user.name}`)),
        GroupList: (members.get(user.id) ?? []).flatMap(({ group }) => groupName.get(group) ?? []),
        AttachedManagedPolicies: attachedDetails(of(`user/${user.name}`)),
        Tags: tagsView(user.tags),
      }),
    }),
  )
  const groupEntities = groups.map(
    (group): Entity => ({
      kind: 'Group',
      name: group.name,
      detail: () => ({
        ...groupView(group),
        GroupPolicyList: inlineDetails(of(`group/${group.name}`)),
        AttachedManagedPolicies: attachedDetails(of(`group/${group.name}`)),
      }),
    }),
  )
  const roles = (await tx.roles(account)).map(
    (role): Entity => ({
      kind: 'Role',
      name: role.name,
      detail: () => {
        const {
          Description: _description,
          MaxSessionDuration: _most,
          ...view
        } = wholeRoleView(role)
        return {
          ...view,
          Tags: tagsView(role.tags),
          InstanceProfileList: profiles
            .filter((one) => one.role === role.name)
            .map((one) => profileView(one, role)),
          RolePolicyList: inlineDetails(of(`role/${role.name}`)),
          AttachedManagedPolicies: attachedDetails(of(`role/${role.name}`)),
        }
      },
    }),
  )
  const own = (await tx.ownPolicies(account)).map(
    (policy): Entity => ({
      kind: 'LocalManagedPolicy',
      name: policy.name,
      detail: async () => await ownDetail(tx, policy, counts.get(ownArn(policy)) ?? 0),
    }),
  )
  const ofCloud = MANAGED_POLICIES.filter(({ arn }) => counts.has(arn)).map(
    (policy): Entity => ({
      kind: 'AWSManagedPolicy',
      name: policy.name,
      detail: (): ManagedPolicyDetail => ({
        ...policyView(policy, counts),
        Description: policy.description,
        PolicyVersionList: [{ ...CLOUD_VERSION, Document: encodeURIComponent(policy.document) }],
      }),
    }),
  )
  return [...users, ...groupEntities, ...roles, ...own, ...ofCloud]
}

async function ownDetail(
  tx: ReadTx,
  policy: OwnPolicy,
  attachments: number,
): Promise<ManagedPolicyDetail> {
  const { Tags: _tags, ...view } = ownPolicyView(policy, attachments)
  const versions = await tx.ownPolicyVersions(policy)
  return {
    ...view,
    ...(policy.description === '' ? {} : { Description: policy.description }),
    PolicyVersionList: versions.toReversed().map((one) => ({
      ...versionView(one, one.version === policy.defaultVersion),
      Document: encodeURIComponent(one.document),
    })),
  }
}

function inlineDetails(policies: readonly IdentityPolicy[]): PolicyDetail[] {
  return policies
    .filter(({ kind }) => kind === 'inline')
    .map(({ name, document }) => ({
      PolicyName: name,
      PolicyDocument: encodeURIComponent(document),
    }))
}

function attachedDetails(policies: readonly IdentityPolicy[]) {
  return policies
    .filter(({ kind }) => kind === 'managed')
    .map(({ name: PolicyArn }) => ({
      PolicyName: PolicyArn.slice(PolicyArn.lastIndexOf('/') + 1),
      PolicyArn,
    }))
}
