/** Actions of IAM on roles: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId } from '../../model/iam-names.ts'
import {
  iamTagsSchema,
  tagKeysSchema,
  tagsFrom,
  tagsPage,
  withoutTags,
  withTags,
} from '../accounts/iam-tags.ts'
import { refuseWithPolicies } from '../accounts/identity-policies.ts'
import {
  descriptionSchema,
  ROLES_MAX,
  ROLES_VERSION,
  refuseMalformedTrust,
  requireRole,
  roleView,
  sessionSecondsSchema,
  wholeRoleView,
} from '../accounts/roles.ts'
import {
  hasName,
  limitExceeded,
  pageOf,
  pageShape,
  pathPrefixSchema,
  pathSchema,
  roleNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const ofRole = { RoleName: roleNameSchema }
const DEFAULT_SESSION_SECONDS = 3600

/** CreateRole: without rights, until a policy gives it some. */
export const createRole = changeAction({
  name: 'CreateRole',
  input: z.strictObject({
    ...ofRole,
    Path: pathSchema.default('/'),
    AssumeRolePolicyDocument: z.string(),
    Description: descriptionSchema.default(''),
    MaxSessionDuration: sessionSecondsSchema.default(DEFAULT_SESSION_SECONDS),
    Tags: iamTagsSchema,
  }),
  prepare(asked) {
    refuseMalformedTrust(asked.AssumeRolePolicyDocument)
    return asked
  },
  async change(tx, asked, { account, now, settings, parts }) {
    await refuseOlderHosts(tx, settings, ROLES_VERSION, 'roles')
    await tx.takeTurn(account)
    const { RoleName: name } = asked
    const roles = await tx.roles(account)
    const isTaken = hasName(roles, name)
    const role = {
      ...{ account, name, id: iamId('AROA', parts.random(IAM_ID_BYTES)), path: asked.Path },
      ...{ trust: asked.AssumeRolePolicyDocument, description: asked.Description },
      ...{ maxSessionSeconds: asked.MaxSessionDuration, tags: tagsFrom(asked.Tags) },
      createdAt: now,
    }
    if (!isTaken && roles.length >= ROLES_MAX) throw limitExceeded('RolesPerAccount', ROLES_MAX)
    if (isTaken || (await tx.insertRole(role)) === 'exists')
      throw refused('EntityAlreadyExists', `Role with name ${name} already exists.`)
    return role
  },
  view: (role) => ({ Role: wholeRoleView(role) }),
})

/** GetRole. */
export const getRole = readAction({
  name: 'GetRole',
  input: z.strictObject(ofRole),
  answer: async ({ RoleName }, { account, read }) => ({
    Role: wholeRoleView(await read((tx) => requireRole(tx, account, RoleName))),
  }),
})

/** ListRoles: those whose paths begin with the prefix. */
export const listRoles = readAction({
  name: 'ListRoles',
  input: z.strictObject({ ...pageShape, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const all = await read((tx) => tx.roles(account))
    const roles = all.filter(({ path }) => path.startsWith(asked.PathPrefix))
    const { items, more } = pageOf(roles, ({ name }) => name, asked)
    return { Roles: items.map(roleView), ...more }
  },
})

/** UpdateRole: its description, and how long its sessions may last. */
export const updateRole = changeAction({
  name: 'UpdateRole',
  input: z.strictObject({
    ...ofRole,
    Description: descriptionSchema.optional(),
    MaxSessionDuration: sessionSecondsSchema.optional(),
  }),
  async change(tx, { RoleName, Description, MaxSessionDuration }, { account }) {
    const role = await requireRole(tx, account, RoleName)
    await tx.updateRole(role, {
      description: Description ?? role.description,
      maxSessionSeconds: MaxSessionDuration ?? role.maxSessionSeconds,
    })
  },
})

/** UpdateRoleDescription: what Terraform calls for a new description. */
export const updateRoleDescription = changeAction({
  name: 'UpdateRoleDescription',
  input: z.strictObject({ ...ofRole, Description: descriptionSchema }),
  async change(tx, { RoleName, Description: description }, { account }) {
    const role = await requireRole(tx, account, RoleName)
    await tx.updateRole(role, { description })
    return { ...role, description }
  },
  view: (role) => ({ Role: wholeRoleView(role) }),
})

/** UpdateAssumeRolePolicy: who may assume it from now on. Sessions that there are go on. */
export const updateAssumeRolePolicy = changeAction({
  name: 'UpdateAssumeRolePolicy',
  input: z.strictObject({ ...ofRole, PolicyDocument: z.string() }),
  prepare(asked) {
    refuseMalformedTrust(asked.PolicyDocument)
    return asked
  },
  async change(tx, { RoleName, PolicyDocument: trust }, { account }) {
    await tx.updateRole(await requireRole(tx, account, RoleName), { trust })
  },
})

/** DeleteRole: one without policies, and in no instance profile. Its sessions end at once. */
export const deleteRole = changeAction({
  name: 'DeleteRole',
  input: z.strictObject(ofRole),
  async change(tx, { RoleName: name }, { account }) {
    const role = await requireRole(tx, account, name)
    await tx.takeTurn(account)
    const inUse = (await tx.instanceProfiles(account)).some((profile) => profile.role === name)
    if (inUse)
      throw refused(
        'DeleteConflict',
        'Cannot delete entity, must remove roles from instance profile first.',
      )
    refuseWithPolicies(await tx.identityPolicies(account, `role/${name}`))
    await tx.deleteRole(role)
  },
})

/** TagRole. */
export const tagRole = changeAction({
  name: 'TagRole',
  input: z.strictObject({ ...ofRole, Tags: iamTagsSchema }),
  async change(tx, { RoleName, Tags }, { account }) {
    const role = await requireRole(tx, account, RoleName)
    await tx.updateRole(role, { tags: withTags(role.tags, Tags) })
  },
})

/** UntagRole. */
export const untagRole = changeAction({
  name: 'UntagRole',
  input: z.strictObject({ ...ofRole, TagKeys: tagKeysSchema }),
  async change(tx, { RoleName, TagKeys }, { account }) {
    const role = await requireRole(tx, account, RoleName)
    await tx.updateRole(role, { tags: withoutTags(role.tags, TagKeys) })
  },
})

/** ListRoleTags. */
export const listRoleTags = readAction({
  name: 'ListRoleTags',
  input: z.strictObject({ ...pageShape, ...ofRole }),
  async answer(asked, { account, read }) {
    const { tags } = await read((tx) => requireRole(tx, account, asked.RoleName))
    return tagsPage(tags, asked)
  },
})
