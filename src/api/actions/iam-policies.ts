/** Actions of IAM on policies of users: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import type { Policy as PolicyView } from '@aws-sdk/client-iam'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import {
  MANAGED_POLICIES,
  type ManagedPolicy,
  managedPolicy,
} from '../../model/managed-policies.ts'
import { parsePolicy } from '../../model/policy.ts'
import type { ReadTx } from '../../store/store.ts'
import {
  limitExceeded,
  noSuchEntity,
  pageOf,
  pageShape,
  policyNameSchema,
  requireLimitedUser,
  requireUser,
  userNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { readAction } from '../read.ts'
import { onlySchema } from '../schemas.ts'

/** Most inline and most managed policies of a user. All are read with each of its requests. */
const POLICIES_MAX = 10
const ARN_MAX = 2048
/** The only version of each managed policy. */
const VERSION = 'v1'
/** When the managed policies were written. */
const WRITTEN = new Date('2026-11-29T00:00:00.000Z')
const NO_PATHS = 'policies have no paths'

const ofUser = { UserName: userNameSchema }
const named = { ...ofUser, PolicyName: policyNameSchema }
const arnSchema = z.string().max(ARN_MAX)

/** PutUserPolicy: sets an inline policy. What of it is not understood is refused. */
export const putUserPolicy = changeAction({
  name: 'PutUserPolicy',
  input: z.strictObject({ ...named, PolicyDocument: z.string() }),
  prepare(asked) {
    const parsed = parsePolicy(asked.PolicyDocument)
    if ('problem' in parsed) throw refused('MalformedPolicyDocument', parsed.problem)
    return asked
  },
  async change(tx, { UserName, PolicyName: name, PolicyDocument: document }, { account }) {
    await tx.takeTurn(account)
    await requireLimitedUser(tx, account, UserName)
    const others = (await policiesOf(tx, account, UserName, 'inline')).filter(
      (one) => one.name !== name,
    )
    if (others.length >= POLICIES_MAX) throw limitExceeded('InlinePoliciesPerUser', POLICIES_MAX)
    const owner = `user/${UserName}` as const
    await tx.putIdentityPolicy({ account, owner, kind: 'inline', name, document })
  },
})

/** GetUserPolicy: an inline policy. Its document is URL-encoded, as IAM's are. */
export const getUserPolicy = readAction({
  name: 'GetUserPolicy',
  input: z.strictObject(named),
  async answer({ UserName, PolicyName }, { account, read }) {
    const { document } = await read((tx) => requirePolicy(tx, account, UserName, PolicyName))
    return { UserName, PolicyName, PolicyDocument: encodeURIComponent(document) }
  },
})

/** ListUserPolicies: the names of inline policies. */
export const listUserPolicies = readAction({
  name: 'ListUserPolicies',
  input: z.strictObject({ ...pageShape, ...ofUser }),
  async answer(asked, { account, read }) {
    const policies = await read(async (tx) => {
      await requireUser(tx, account, asked.UserName)
      return policiesOf(tx, account, asked.UserName, 'inline')
    })
    const { items, more } = pageOf(policies, ({ name }) => name, asked)
    return { PolicyNames: items.map(({ name }) => name), ...more }
  },
})

/** DeleteUserPolicy. */
export const deleteUserPolicy = changeAction({
  name: 'DeleteUserPolicy',
  input: z.strictObject(named),
  async change(tx, { UserName, PolicyName }, { account }) {
    await tx.deleteIdentityPolicy(await requirePolicy(tx, account, UserName, PolicyName))
  },
})

/** AttachUserPolicy: one of the managed policies. */
export const attachUserPolicy = changeAction({
  name: 'AttachUserPolicy',
  input: z.strictObject({ ...ofUser, PolicyArn: arnSchema }),
  async change(tx, { UserName, PolicyArn }, { account }) {
    await tx.takeTurn(account)
    await requireLimitedUser(tx, account, UserName)
    requireManaged(PolicyArn)
    const others = (await policiesOf(tx, account, UserName, 'managed')).filter(
      ({ name }) => name !== PolicyArn,
    )
    if (others.length >= POLICIES_MAX) throw limitExceeded('PoliciesPerUser', POLICIES_MAX)
    const owner = `user/${UserName}` as const
    await tx.putIdentityPolicy({ account, owner, kind: 'managed', name: PolicyArn, document: '' })
  },
})

/** DetachUserPolicy. */
export const detachUserPolicy = changeAction({
  name: 'DetachUserPolicy',
  input: z.strictObject({ ...ofUser, PolicyArn: arnSchema }),
  async change(tx, { UserName, PolicyArn }, { account }) {
    await requireLimitedUser(tx, account, UserName)
    const attached = await policiesOf(tx, account, UserName, 'managed')
    if (!attached.some(({ name }) => name === PolicyArn))
      throw noSuchEntity(`Policy ${PolicyArn} was not found.`)
    const owner = `user/${UserName}` as const
    await tx.deleteIdentityPolicy({ account, owner, kind: 'managed', name: PolicyArn })
  },
})

/** ListAttachedUserPolicies. */
export const listAttachedUserPolicies = readAction({
  name: 'ListAttachedUserPolicies',
  input: z.strictObject({ ...pageShape, ...ofUser, PathPrefix: onlySchema('/', NO_PATHS) }),
  async answer(asked, { account, read }) {
    const attached = await read(async (tx) => {
      await requireUser(tx, account, asked.UserName)
      return policiesOf(tx, account, asked.UserName, 'managed')
    })
    const { items, more } = pageOf(attached, ({ name }) => name, asked)
    const AttachedPolicies = items.map(({ name: PolicyArn }) => ({
      ...{ PolicyName: PolicyArn.slice(PolicyArn.lastIndexOf('/') + 1), PolicyArn },
    }))
    return { AttachedPolicies, ...more }
  },
})

/** ListPolicies: the managed ones. Accounts have none of their own. */
export const listPolicies = readAction({
  name: 'ListPolicies',
  input: z.strictObject({
    ...pageShape,
    Scope: z.enum(['All', 'AWS', 'Local']).default('All'),
    OnlyAttached: z.boolean().default(false),
    PathPrefix: onlySchema('/', NO_PATHS),
    PolicyUsageFilter: z.enum(['PermissionsPolicy', 'PermissionsBoundary']).optional(),
  }),
  async answer(asked, { account, read }) {
    const counts = await read((tx) => attachmentsOf(tx, account))
    const isWanted = ({ arn }: ManagedPolicy) =>
      asked.Scope !== 'Local' &&
      asked.PolicyUsageFilter !== 'PermissionsBoundary' &&
      (!asked.OnlyAttached || (counts.get(arn) ?? 0) > 0)
    const { items, more } = pageOf(MANAGED_POLICIES.filter(isWanted), ({ name }) => name, asked)
    return { Policies: items.map((one) => policyView(one, counts)), ...more }
  },
})

/** GetPolicy: a managed one. */
export const getPolicy = readAction({
  name: 'GetPolicy',
  input: z.strictObject({ PolicyArn: arnSchema }),
  async answer({ PolicyArn }, { account, read }) {
    const policy = requireManaged(PolicyArn)
    const counts = await read((tx) => attachmentsOf(tx, account))
    return { Policy: { ...policyView(policy, counts), Description: policy.description } }
  },
})

/** GetPolicyVersion: the document of a managed policy, URL-encoded. */
export const getPolicyVersion = readAction({
  name: 'GetPolicyVersion',
  input: z.strictObject({ PolicyArn: arnSchema, VersionId: z.string().max(64) }),
  answer({ PolicyArn, VersionId }) {
    const { document } = requireManaged(PolicyArn)
    if (VersionId !== VERSION)
      throw noSuchEntity(
        `Policy ${PolicyArn} version ${VersionId} does not exist or is not attachable.`,
      )
    return {
      PolicyVersion: {
        ...{ Document: encodeURIComponent(document), VersionId, IsDefaultVersion: true },
        CreateDate: WRITTEN,
      },
    }
  },
})

function requireManaged(arn: string): ManagedPolicy {
  const policy = managedPolicy(arn)
  if (policy !== undefined) return policy
  throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`)
}

async function policiesOf(
  tx: ReadTx,
  account: AccountId,
  user: string,
  kind: 'inline' | 'managed',
) {
  return (await tx.identityPolicies(account, `user/${user}`)).filter((one) => one.kind === kind)
}

async function requirePolicy(tx: ReadTx, account: AccountId, user: string, name: string) {
  await requireUser(tx, account, user)
  const found = (await policiesOf(tx, account, user, 'inline')).find((one) => one.name === name)
  if (found !== undefined) return found
  throw noSuchEntity(`The user policy with name ${name} cannot be found.`)
}

/** How many users of the account have each managed policy. */
async function attachmentsOf(tx: ReadTx, account: AccountId): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const { kind, name } of await tx.identityPolicies(account))
    if (kind === 'managed') counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function policyView(
  { name, arn, id }: ManagedPolicy,
  counts: ReadonlyMap<string, number>,
): PolicyView {
  return {
    ...{ PolicyName: name, PolicyId: id, Arn: arn, Path: '/', DefaultVersionId: VERSION },
    ...{ AttachmentCount: counts.get(arn) ?? 0, PermissionsBoundaryUsageCount: 0 },
    ...{ IsAttachable: true, CreateDate: WRITTEN, UpdateDate: WRITTEN },
  }
}
