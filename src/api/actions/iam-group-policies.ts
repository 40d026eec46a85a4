/** Actions of IAM on policies of groups of users: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import {
  attachedView,
  attachManaged,
  detachManaged,
  inlineView,
  policiesOf,
  putInline,
  refuseMalformed,
  requireInline,
} from '../accounts/identity-policies.ts'
import { requireUserGroup } from '../accounts/user-groups.ts'
import {
  groupNameSchema,
  pageShape,
  pathPrefixSchema,
  policyArnSchema,
  policyNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { readAction } from '../read.ts'

const ofGroup = { GroupName: groupNameSchema }
const named = { ...ofGroup, PolicyName: policyNameSchema }

function ownerOf(account: AccountId, group: string) {
  return { account, owner: `group/${group}` } as const
}

/** PutGroupPolicy: sets an inline policy. What of it is not understood is refused. */
export const putGroupPolicy = changeAction({
  name: 'PutGroupPolicy',
  input: z.strictObject({ ...named, PolicyDocument: z.string() }),
  prepare(asked) {
    refuseMalformed(asked.PolicyDocument)
    return asked
  },
  async change(tx, { GroupName, PolicyName: name, PolicyDocument: document }, { account }) {
    await tx.takeTurn(account)
    await requireUserGroup(tx, account, GroupName)
    await putInline(tx, ownerOf(account, GroupName), { name, document })
  },
})

/** GetGroupPolicy: an inline policy. Its document is URL-encoded, as IAM's are. */
export const getGroupPolicy = readAction({
  name: 'GetGroupPolicy',
  input: z.strictObject(named),
  async answer({ GroupName, PolicyName }, { account, read }) {
    const { document } = await read(async (tx) => {
      await requireUserGroup(tx, account, GroupName)
      return await requireInline(tx, ownerOf(account, GroupName), PolicyName)
    })
    return { GroupName, PolicyName, PolicyDocument: encodeURIComponent(document) }
  },
})

/** ListGroupPolicies: the names of inline policies. */
export const listGroupPolicies = readAction({
  name: 'ListGroupPolicies',
  input: z.strictObject({ ...pageShape, ...ofGroup }),
  async answer(asked, { account, read }) {
    const policies = await read(async (tx) => {
      await requireUserGroup(tx, account, asked.GroupName)
      return await policiesOf(tx, ownerOf(account, asked.GroupName), 'inline')
    })
    return inlineView(policies, asked)
  },
})

/** DeleteGroupPolicy. */
export const deleteGroupPolicy = changeAction({
  name: 'DeleteGroupPolicy',
  input: z.strictObject(named),
  async change(tx, { GroupName, PolicyName }, { account }) {
    await requireUserGroup(tx, account, GroupName)
    const policy = await requireInline(tx, ownerOf(account, GroupName), PolicyName)
    await tx.deleteIdentityPolicy(policy)
  },
})

/** AttachGroupPolicy: a policy of the cloud, or one that the account has made. */
export const attachGroupPolicy = changeAction({
  name: 'AttachGroupPolicy',
  input: z.strictObject({ ...ofGroup, PolicyArn: policyArnSchema }),
  async change(tx, { GroupName, PolicyArn }, { account }) {
    await tx.takeTurn(account)
    await requireUserGroup(tx, account, GroupName)
    await attachManaged(tx, ownerOf(account, GroupName), PolicyArn)
  },
})

/** DetachGroupPolicy. */
export const detachGroupPolicy = changeAction({
  name: 'DetachGroupPolicy',
  input: z.strictObject({ ...ofGroup, PolicyArn: policyArnSchema }),
  async change(tx, { GroupName, PolicyArn }, { account }) {
    await requireUserGroup(tx, account, GroupName)
    await detachManaged(tx, ownerOf(account, GroupName), PolicyArn)
  },
})

/** ListAttachedGroupPolicies. */
export const listAttachedGroupPolicies = readAction({
  name: 'ListAttachedGroupPolicies',
  input: z.strictObject({ ...pageShape, ...ofGroup, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const attached = await read(async (tx) => {
      await requireUserGroup(tx, account, asked.GroupName)
      return await policiesOf(tx, ownerOf(account, asked.GroupName), 'managed')
    })
    return attachedView(attached, asked)
  },
})
