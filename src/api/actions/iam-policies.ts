/** Actions of IAM on managed policies: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import type { Policy as PolicyView } from '@aws-sdk/client-iam'
import { z } from 'zod'
import type { IdentityPolicy } from '../../model/account-records.ts'
import { MANAGED_POLICIES } from '../../model/managed-policies.ts'
import type { ReadTx } from '../../store/store.ts'
import { requireManaged } from '../accounts/identity-policies.ts'
import {
  attachmentsOf,
  CLOUD_VERSION,
  CLOUD_VERSION_ID,
  policyView,
} from '../accounts/managed-policy-views.ts'
import {
  findOwn,
  ownArn,
  ownPolicyView,
  refuseMissing,
  requireVersion,
  versionView,
} from '../accounts/own-policies.ts'
import { requireRole } from '../accounts/roles.ts'
import { requireUserGroup } from '../accounts/user-groups.ts'
import {
  noSuchEntity,
  pageOf,
  pageShape,
  pathPrefixSchema,
  policyArnSchema,
  requireUser,
} from '../accounts/users.ts'
import { readAction } from '../read.ts'

/** ListPolicies: those of the cloud, and the account's own. */
export const listPolicies = readAction({
  name: 'ListPolicies',
  input: z.strictObject({
    ...pageShape,
    Scope: z.enum(['All', 'AWS', 'Local']).default('All'),
    OnlyAttached: z.boolean().default(false),
    PathPrefix: pathPrefixSchema,
    PolicyUsageFilter: z.enum(['PermissionsPolicy', 'PermissionsBoundary']).optional(),
  }),
  async answer(asked, { account, read }) {
    const { own, counts } = await read(async (tx) => ({
      own: await tx.ownPolicies(account),
      counts: await attachmentsOf(tx, account),
    }))
    const ofCloud = MANAGED_POLICIES.map((one) => policyView(one, counts))
    const ofAccount = own.map((one) => ownPolicyView(one, counts.get(ownArn(one)) ?? 0))
    const all = [
      ...(asked.Scope === 'Local' ? [] : ofCloud),
      // Lists do not show tags.
      ...(asked.Scope === 'AWS' ? [] : ofAccount.map(({ Tags: _tags, ...one }) => one)),
    ]
    const isWanted = ({ Path = '/', AttachmentCount = 0 }: PolicyView) =>
      asked.PolicyUsageFilter !== 'PermissionsBoundary' &&
      Path.startsWith(asked.PathPrefix) &&
      (!asked.OnlyAttached || AttachmentCount > 0)
    const { items, more } = pageOf(all.filter(isWanted), ({ Arn = '' }) => Arn, asked)
    return { Policies: items, ...more }
  },
})

/** GetPolicy: one of the cloud, or of the account's own. */
export const getPolicy = readAction({
  name: 'GetPolicy',
  input: z.strictObject({ PolicyArn: policyArnSchema }),
  async answer({ PolicyArn }, { account, read }) {
    const { own, counts } = await read(async (tx) => ({
      own: await findOwn(tx, account, PolicyArn),
      counts: await attachmentsOf(tx, account),
    }))
    if (own !== undefined) {
      const view = ownPolicyView(own, counts.get(PolicyArn) ?? 0)
      const { description } = own
      return { Policy: { ...view, ...(description === '' ? {} : { Description: description }) } }
    }
    const policy = requireManaged(PolicyArn)
    return { Policy: { ...policyView(policy, counts), Description: policy.description } }
  },
})

/** GetPolicyVersion: what a managed policy says, URL-encoded. */
export const getPolicyVersion = readAction({
  name: 'GetPolicyVersion',
  input: z.strictObject({ PolicyArn: policyArnSchema, VersionId: z.string().max(64) }),
  async answer({ PolicyArn, VersionId }, { account, read }) {
    const found = await read(async (tx) => {
      const own = await findOwn(tx, account, PolicyArn)
      return own && { own, version: await requireVersion(tx, own, VersionId) }
    })
    if (found !== undefined) {
      const { own, version } = found
      const view = versionView(version, version.version === own.defaultVersion)
      return { PolicyVersion: { ...view, Document: encodeURIComponent(version.document) } }
    }
    const { document } = requireManaged(PolicyArn)
    if (VersionId !== CLOUD_VERSION_ID)
      throw noSuchEntity(
        `Policy ${PolicyArn} version ${VersionId} does not exist or is not attachable.`,
      )
    return { PolicyVersion: { ...CLOUD_VERSION, Document: encodeURIComponent(document) } }
  },
})

/** ListPolicyVersions: the youngest first. Policies of the cloud have one. */
export const listPolicyVersions = readAction({
  name: 'ListPolicyVersions',
  input: z.strictObject({ ...pageShape, PolicyArn: policyArnSchema }),
  async answer({ PolicyArn }, { account, read }) {
    const found = await read(async (tx) => {
      const own = await findOwn(tx, account, PolicyArn)
      return own && { own, versions: await tx.ownPolicyVersions(own) }
    })
    if (found === undefined) {
      requireManaged(PolicyArn)
      return { Versions: [CLOUD_VERSION], IsTruncated: false }
    }
    const { own, versions } = found
    const shown = versions.map((one) => versionView(one, one.version === own.defaultVersion))
    return { Versions: shown.toReversed(), IsTruncated: false }
  },
})

/** ListEntitiesForPolicy: the users, groups and roles of the account that have a managed policy. */
export const listEntitiesForPolicy = readAction({
  name: 'ListEntitiesForPolicy',
  input: z.strictObject({
    ...{ ...pageShape, PolicyArn: policyArnSchema, PathPrefix: pathPrefixSchema },
    EntityFilter: z
      .enum(['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'])
      .optional(),
    PolicyUsageFilter: z.enum(['PermissionsPolicy', 'PermissionsBoundary']).optional(),
  }),
  async answer(asked, { account, read }) {
    const arn = asked.PolicyArn
    const all = await read(async (tx) => {
      await refuseMissing(tx, account, arn)
      const owners = (await tx.identityPolicies(account)).filter(
        ({ kind, name }) => kind === 'managed' && name === arn,
      )
      return await Promise.all(owners.map((one) => entityOf(tx, one)))
    })
    const isWanted = ({ type, path }: Entity) =>
      path.startsWith(asked.PathPrefix) &&
      asked.PolicyUsageFilter !== 'PermissionsBoundary' &&
      (asked.EntityFilter === undefined || asked.EntityFilter === type)
    const { items, more } = pageOf(
      all.filter(isWanted),
      ({ type, name }) => `${type}/${name}`,
      asked,
    )
    const of = (wanted: Entity['type']) => items.filter(({ type }) => type === wanted)
    return {
      PolicyGroups: of('Group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
      PolicyUsers: of('User').map(({ name, id }) => ({ UserName: name, UserId: id })),
      PolicyRoles: of('Role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
      ...more,
    }
  },
})

/** Who has a policy. */
interface Entity {
  readonly type: 'User' | 'Role' | 'Group'
  readonly name: string
  readonly id: string
  readonly path: string
}

async function entityOf(tx: ReadTx, { account, owner }: IdentityPolicy): Promise<Entity> {
  const name = owner.slice(owner.indexOf('/') + 1)
  if (owner.startsWith('group/'))
    return { type: 'Group', ...(await requireUserGroup(tx, account, name)) }
  const isUser = owner.startsWith('user/')
  const { id, path } = await (isUser ? requireUser : requireRole)(tx, account, name)
  return { type: isUser ? 'User' : 'Role', name, id, path: path ?? '/' }
}
