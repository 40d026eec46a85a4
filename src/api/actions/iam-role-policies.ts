/** Actions of IAM on policies of roles: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
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
import { requireRole } from '../accounts/roles.ts'
import {
  pageShape,
  pathPrefixSchema,
  policyArnSchema,
  policyNameSchema,
  roleNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { readAction } from '../read.ts'

const ofRole = { RoleName: roleNameSchema }
const named = { ...ofRole, PolicyName: policyNameSchema }
const attached = { ...ofRole, PolicyArn: policyArnSchema }

function ownerOf(account: AccountId, role: string) {
  return { account, owner: `role/${role}` } as const
}

/** PutRolePolicy: sets an inline policy. What of it is not understood is refused. */
export const putRolePolicy = changeAction({
  name: 'PutRolePolicy',
  input: z.strictObject({ ...named, PolicyDocument: z.string() }),
  prepare(asked) {
    refuseMalformed(asked.PolicyDocument)
    return asked
  },
  async change(tx, { RoleName, PolicyName: name, PolicyDocument: document }, { account }) {
    await tx.takeTurn(account)
    await requireRole(tx, account, RoleName)
    await putInline(tx, ownerOf(account, RoleName), { name, document })
  },
})

/** GetRolePolicy: an inline policy. Its document is URL-encoded, as IAM's are. */
export const getRolePolicy = readAction({
  name: 'GetRolePolicy',
  input: z.strictObject(named),
  async answer({ RoleName, PolicyName }, { account, read }) {
    const { document } = await read(async (tx) => {
      await requireRole(tx, account, RoleName)
      return await requireInline(tx, ownerOf(account, RoleName), PolicyName)
    })
    return { RoleName, PolicyName, PolicyDocument: encodeURIComponent(document) }
  },
})

/** ListRolePolicies: the names of inline policies. */
export const listRolePolicies = readAction({
  name: 'ListRolePolicies',
  input: z.strictObject({ ...pageShape, ...ofRole }),
  async answer(asked, { account, read }) {
    const policies = await read(async (tx) => {
      await requireRole(tx, account, asked.RoleName)
      return await policiesOf(tx, ownerOf(account, asked.RoleName), 'inline')
    })
    return inlineView(policies, asked)
  },
})

/** DeleteRolePolicy. */
export const deleteRolePolicy = changeAction({
  name: 'DeleteRolePolicy',
  input: z.strictObject(named),
  async change(tx, { RoleName, PolicyName }, { account }) {
    await requireRole(tx, account, RoleName)
    const policy = await requireInline(tx, ownerOf(account, RoleName), PolicyName)
    await tx.deleteIdentityPolicy(policy)
  },
})

/** AttachRolePolicy: one of the managed policies. */
export const attachRolePolicy = changeAction({
  name: 'AttachRolePolicy',
  input: z.strictObject(attached),
  async change(tx, { RoleName, PolicyArn }, { account }) {
    await tx.takeTurn(account)
    await requireRole(tx, account, RoleName)
    await attachManaged(tx, ownerOf(account, RoleName), PolicyArn)
  },
})

/** DetachRolePolicy. */
export const detachRolePolicy = changeAction({
  name: 'DetachRolePolicy',
  input: z.strictObject(attached),
  async change(tx, { RoleName, PolicyArn }, { account }) {
    await requireRole(tx, account, RoleName)
    await detachManaged(tx, ownerOf(account, RoleName), PolicyArn)
  },
})

/** ListAttachedRolePolicies. */
export const listAttachedRolePolicies = readAction({
  name: 'ListAttachedRolePolicies',
  input: z.strictObject({ ...pageShape, ...ofRole, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const policies = await read(async (tx) => {
      await requireRole(tx, account, asked.RoleName)
      return await policiesOf(tx, ownerOf(account, asked.RoleName), 'managed')
    })
    return attachedView(policies, asked)
  },
})
