/** What actions on roles and instance profiles share. */
import type { InstanceProfile as ProfileView, Role as RoleView } from '@aws-sdk/client-iam'
import { z } from 'zod'
import type { InstanceProfile, Role } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { iamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { parseTrustPolicy } from '../../model/policy.ts'
import type { Version } from '../../model/version.ts'
import type { ReadTx } from '../../store/store.ts'
import { tagsView } from './iam-tags.ts'
import { noSuchEntity } from './users.ts'

/** Older hosts accept no credentials of roles, and give instances none. */
export const ROLES_VERSION: Version = [0, 4]
/** Most roles, and most instance profiles, of an account. */
export const ROLES_MAX = 500

/** `MaxSessionDuration`, in seconds. */
export const sessionSecondsSchema = z.int().min(3600).max(43_200)

/** A description of IAM. */
export const descriptionSchema = z.string().max(1000)

/** Errors: `MalformedPolicyDocument`. */
export function refuseMalformedTrust(document: string): void {
  const parsed = parseTrustPolicy(document)
  if ('problem' in parsed) throw refused('MalformedPolicyDocument', parsed.problem)
}

/** One role. Errors: `NoSuchEntity`. */
export async function requireRole(tx: ReadTx, account: AccountId, name: string): Promise<Role> {
  const role = await tx.role(account, name)
  if (role !== undefined) return role
  throw noSuchEntity(`The role with name ${name} cannot be found.`)
}

/** One instance profile. Errors: `NoSuchEntity`. */
export async function requireProfile(
  tx: ReadTx,
  account: AccountId,
  name: string,
): Promise<InstanceProfile> {
  const profile = await tx.instanceProfile(account, name)
  if (profile !== undefined) return profile
  throw noSuchEntity(`Instance Profile ${name} cannot be found.`)
}

/** A role as lists show it. Its trust policy is URL-encoded, as IAM's are. */
export function roleView(role: Role): RoleView {
  const { account, name, id, path, trust, description, createdAt, maxSessionSeconds } = role
  return {
    ...{ Path: path, RoleName: name, RoleId: id, Arn: iamArn('role', { account, path, name }) },
    ...{ CreateDate: new Date(createdAt), AssumeRolePolicyDocument: encodeURIComponent(trust) },
    ...(description === '' ? {} : { Description: description }),
    MaxSessionDuration: maxSessionSeconds,
  }
}

/** A role with its tags. */
export function wholeRoleView(role: Role): RoleView {
  const tags = role.tags.length === 0 ? {} : { Tags: tagsView(role.tags) }
  return { ...roleView(role), ...tags }
}

/** A profile with its role, if it has one. */
export function profileView(
  { account, name, id, path, createdAt, tags }: InstanceProfile,
  role: Role | undefined,
): ProfileView {
  return {
    ...{ Path: path, InstanceProfileName: name, InstanceProfileId: id },
    Arn: iamArn('instance-profile', { account, path, name }),
    CreateDate: new Date(createdAt),
    Roles: role === undefined ? [] : [roleView(role)],
    ...(tags.length === 0 ? {} : { Tags: tagsView(tags) }),
  }
}
