/** Actions of IAM on instance profiles: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import type { InstanceProfile, Role } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import {
  iamTagsSchema,
  tagKeysSchema,
  tagsFrom,
  tagsPage,
  withoutTags,
  withTags,
} from '../accounts/iam-tags.ts'
import { requirePassRole } from '../accounts/role-rights.ts'
import {
  profileView,
  ROLES_MAX,
  ROLES_VERSION,
  requireProfile,
  requireRole,
} from '../accounts/roles.ts'
import {
  hasName,
  limitExceeded,
  noSuchEntity,
  pageOf,
  pageShape,
  pathPrefixSchema,
  pathSchema,
  profileNameSchema,
  roleNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const ofProfile = { InstanceProfileName: profileNameSchema }
const withRole = { ...ofProfile, RoleName: roleNameSchema }
/** As in IAM. */
const ROLES_OF_PROFILE_MAX = 1

/** CreateInstanceProfile: without a role. */
export const createInstanceProfile = changeAction({
  name: 'CreateInstanceProfile',
  input: z.strictObject({ ...ofProfile, Path: pathSchema.default('/'), Tags: iamTagsSchema }),
  async change(tx, asked, { account, now, settings, parts }) {
    await refuseOlderHosts(tx, settings, ROLES_VERSION, 'instance profiles')
    await tx.takeTurn(account)
    const { InstanceProfileName: name } = asked
    const profiles = await tx.instanceProfiles(account)
    const isTaken = hasName(profiles, name)
    if (!isTaken && profiles.length >= ROLES_MAX)
      throw limitExceeded('InstanceProfilesPerAccount', ROLES_MAX)
    const profile = {
      ...{ account, name, id: iamId('AIPA', parts.random(IAM_ID_BYTES)), path: asked.Path },
      ...{ role: null, tags: tagsFrom(asked.Tags), createdAt: now },
    }
    if (isTaken || (await tx.insertInstanceProfile(profile)) === 'exists')
      throw refused('EntityAlreadyExists', `Instance Profile ${name} already exists.`)
    return profile
  },
  view: (profile) => ({ InstanceProfile: profileView(profile, undefined) }),
})

/** GetInstanceProfile. */
export const getInstanceProfile = readAction({
  name: 'GetInstanceProfile',
  input: z.strictObject(ofProfile),
  async answer({ InstanceProfileName }, { account, read }) {
    const { profile, role } = await read(async (tx) => {
      const found = await requireProfile(tx, account, InstanceProfileName)
      const of = found.role === null ? undefined : await tx.role(account, found.role)
      return { profile: found, role: of }
    })
    return { InstanceProfile: profileView(profile, role) }
  },
})

/** ListInstanceProfiles: those whose paths begin with the prefix. */
export const listInstanceProfiles = readAction({
  name: 'ListInstanceProfiles',
  input: z.strictObject({ ...pageShape, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const { profiles, roles } = await read((tx) => readAll(tx, account))
    const wanted = profiles.filter(({ path }) => path.startsWith(asked.PathPrefix))
    return listView(wanted, roles, asked)
  },
})

/** ListInstanceProfilesForRole. */
export const listInstanceProfilesForRole = readAction({
  name: 'ListInstanceProfilesForRole',
  input: z.strictObject({ ...pageShape, RoleName: roleNameSchema }),
  async answer(asked, { account, read }) {
    const { profiles, roles } = await read(async (tx) => {
      await requireRole(tx, account, asked.RoleName)
      return await readAll(tx, account)
    })
    const wanted = profiles.filter(({ role }) => role === asked.RoleName)
    return listView(wanted, roles, asked)
  },
})

/**
 * DeleteInstanceProfile: one without a role. Instances that have it keep the association, and get
 * no credentials.
 */
export const deleteInstanceProfile = changeAction({
  name: 'DeleteInstanceProfile',
  input: z.strictObject(ofProfile),
  async change(tx, { InstanceProfileName }, { account }) {
    const profile = await requireProfile(tx, account, InstanceProfileName)
    if (profile.role !== null)
      throw refused(
        'DeleteConflict',
        'Cannot delete entity, must remove roles from instance profile first.',
      )
    await tx.deleteInstanceProfile(profile)
  },
})

/** AddRoleToInstanceProfile: its only one. The caller must be allowed to pass the role. */
export const addRoleToInstanceProfile = changeAction({
  name: 'AddRoleToInstanceProfile',
  input: z.strictObject(withRole),
  async change(tx, { InstanceProfileName, RoleName }, changing) {
    const { account } = changing
    await tx.takeTurn(account)
    const profile = await requireProfile(tx, account, InstanceProfileName)
    const role = await requireRole(tx, account, RoleName)
    await requirePassRole(tx, role, 'iam', changing)
    if (profile.role !== null) throw limitExceeded('RolesPerInstanceProfile', ROLES_OF_PROFILE_MAX)
    await tx.updateInstanceProfile(profile, { role: RoleName })
  },
})

/** RemoveRoleFromInstanceProfile: instances that have the profile get no more credentials. */
export const removeRoleFromInstanceProfile = changeAction({
  name: 'RemoveRoleFromInstanceProfile',
  input: z.strictObject(withRole),
  async change(tx, { InstanceProfileName, RoleName }, { account }) {
    await tx.takeTurn(account)
    const profile = await requireProfile(tx, account, InstanceProfileName)
    if (profile.role !== RoleName)
      throw noSuchEntity(
        `The role with name ${RoleName} cannot be found in the instance profile ${InstanceProfileName}.`,
      )
    await tx.updateInstanceProfile(profile, { role: null })
  },
})

/** TagInstanceProfile. */
export const tagInstanceProfile = changeAction({
  name: 'TagInstanceProfile',
  input: z.strictObject({ ...ofProfile, Tags: iamTagsSchema }),
  async change(tx, { InstanceProfileName, Tags }, { account }) {
    const profile = await requireProfile(tx, account, InstanceProfileName)
    await tx.updateInstanceProfile(profile, { tags: withTags(profile.tags, Tags) })
  },
})

/** UntagInstanceProfile. */
export const untagInstanceProfile = changeAction({
  name: 'UntagInstanceProfile',
  input: z.strictObject({ ...ofProfile, TagKeys: tagKeysSchema }),
  async change(tx, { InstanceProfileName, TagKeys }, { account }) {
    const profile = await requireProfile(tx, account, InstanceProfileName)
    await tx.updateInstanceProfile(profile, { tags: withoutTags(profile.tags, TagKeys) })
  },
})

/** ListInstanceProfileTags. */
export const listInstanceProfileTags = readAction({
  name: 'ListInstanceProfileTags',
  input: z.strictObject({ ...pageShape, ...ofProfile }),
  async answer(asked, { account, read }) {
    const { tags } = await read((tx) => requireProfile(tx, account, asked.InstanceProfileName))
    return tagsPage(tags, asked)
  },
})

async function readAll(tx: ReadTx, account: AccountId) {
  const roles = new Map((await tx.roles(account)).map((role) => [role.name, role]))
  return { profiles: await tx.instanceProfiles(account), roles }
}

function listView(
  profiles: readonly InstanceProfile[],
  roles: ReadonlyMap<string, Role>,
  page: Parameters<typeof pageOf>[2],
) {
  const { items, more } = pageOf(profiles, ({ name }) => name, page)
  const InstanceProfiles = items.map((one) => profileView(one, roles.get(one.role ?? '')))
  return { InstanceProfiles, ...more }
}
