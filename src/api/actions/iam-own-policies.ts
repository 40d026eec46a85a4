/**
 * Actions of IAM on the managed policies that an account makes, and their versions:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId, POLICY_ARN_MAX } from '../../model/iam-names.ts'
import {
  iamTagsSchema,
  tagKeysSchema,
  tagsFrom,
  tagsPage,
  withoutTags,
  withTags,
} from '../accounts/iam-tags.ts'
import { refuseMalformed } from '../accounts/identity-policies.ts'
import {
  OWN_POLICIES_MAX,
  ownArn,
  ownPolicyView,
  requireOwn,
  requireVersion,
  VERSIONS_MAX,
  versionView,
} from '../accounts/own-policies.ts'
import { descriptionSchema } from '../accounts/roles.ts'
import {
  hasName,
  limitExceeded,
  pageShape,
  pathSchema,
  policyArnSchema,
  policyNameSchema,
  USERS_VERSION,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const ofPolicy = { PolicyArn: policyArnSchema }
const ofVersion = {
  ...ofPolicy,
  VersionId: z.string().regex(/^v[1-9]\d{0,8}$/),
}

/** CreatePolicy. What of its document is not understood is refused. */
export const createPolicy = changeAction({
  name: 'CreatePolicy',
  input: z.strictObject({
    ...{ PolicyName: policyNameSchema, Path: pathSchema.default('/'), PolicyDocument: z.string() },
    ...{ Description: descriptionSchema.default(''), Tags: iamTagsSchema },
  }),
  prepare(asked) {
    refuseMalformed(asked.PolicyDocument)
    return asked
  },
  async change(tx, asked, { account, now, settings, parts }) {
    await refuseOlderHosts(tx, settings, USERS_VERSION, 'policies of accounts')
    await tx.takeTurn(account)
    const { PolicyName: name, Path: path, PolicyDocument: document } = asked
    if (ownArn({ account, path, name }).length > POLICY_ARN_MAX)
      throw refused(
        'ValidationError',
        `The ARN of a policy has at most ${POLICY_ARN_MAX} characters: choose a shorter name or path`,
      )
    const policies = await tx.ownPolicies(account)
    const isTaken = hasName(policies, name)
    if (!isTaken && policies.length >= OWN_POLICIES_MAX)
      throw limitExceeded('PoliciesPerAccount', OWN_POLICIES_MAX)
    const policy = {
      ...{ account, name, id: iamId('ANPA', parts.random(IAM_ID_BYTES)), path },
      ...{ description: asked.Description, tags: tagsFrom(asked.Tags) },
      ...{ defaultVersion: 1, lastVersion: 1, createdAt: now, updatedAt: now },
    }
    if (isTaken || (await tx.insertOwnPolicy(policy)) === 'exists')
      throw refused('EntityAlreadyExists', `A policy called ${name} already exists.`)
    const version = { account, policy: name, version: 1, document, createdAt: now }
    await tx.insertOwnPolicyVersion(version)
    return policy
  },
  view: (policy) => ({ Policy: ownPolicyView(policy, 0) }),
})

/** DeletePolicy: one that nobody has, and that has one version. */
export const deletePolicy = changeAction({
  name: 'DeletePolicy',
  input: z.strictObject(ofPolicy),
  async change(tx, { PolicyArn: arn }, { account }) {
    await tx.takeTurn(account)
    const policy = await requireOwn(tx, account, arn)
    const attached = (await tx.identityPolicies(account)).some(
      ({ kind, name }) => kind === 'managed' && name === arn,
    )
    if (attached) throw refused('DeleteConflict', 'Cannot delete a policy attached to entities.')
    if ((await tx.ownPolicyVersions(policy)).length > 1)
      throw refused(
        'DeleteConflict',
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      )
    await tx.deleteOwnPolicy(policy)
  },
})

/** CreatePolicyVersion: what the policy says from then on, if it is made the default. */
export const createPolicyVersion = changeAction({
  name: 'CreatePolicyVersion',
  input: z.strictObject({
    ...{ ...ofPolicy, PolicyDocument: z.string(), SetAsDefault: z.boolean().default(false) },
  }),
  prepare(asked) {
    refuseMalformed(asked.PolicyDocument)
    return asked
  },
  async change(tx, { PolicyArn, PolicyDocument, SetAsDefault }, { account, now }) {
    await tx.takeTurn(account)
    const policy = await requireOwn(tx, account, PolicyArn)
    if ((await tx.ownPolicyVersions(policy)).length >= VERSIONS_MAX)
      throw refused(
        'LimitExceeded',
        `A managed policy can have up to ${VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version.`,
      )
    const number = policy.lastVersion + 1
    const version = {
      ...{ account, policy: policy.name, version: number },
      ...{ document: PolicyDocument, createdAt: now },
    }
    await tx.insertOwnPolicyVersion(version)
    const chosen = SetAsDefault ? { defaultVersion: number } : {}
    await tx.updateOwnPolicy(policy, { lastVersion: number, updatedAt: now, ...chosen })
    return { ...version, isDefault: SetAsDefault }
  },
  view: ({ isDefault, ...version }) => ({ PolicyVersion: versionView(version, isDefault) }),
})

/** DeletePolicyVersion: not the default one. */
export const deletePolicyVersion = changeAction({
  name: 'DeletePolicyVersion',
  input: z.strictObject(ofVersion),
  async change(tx, { PolicyArn, VersionId }, { account, now }) {
    await tx.takeTurn(account)
    const policy = await requireOwn(tx, account, PolicyArn)
    const version = await requireVersion(tx, policy, VersionId)
    if (version.version === policy.defaultVersion)
      throw refused('DeleteConflict', 'Cannot delete the default version of a policy.')
    await tx.deleteOwnPolicyVersion(version)
    await tx.updateOwnPolicy(policy, { updatedAt: now })
  },
})

/** SetDefaultPolicyVersion. */
export const setDefaultPolicyVersion = changeAction({
  name: 'SetDefaultPolicyVersion',
  input: z.strictObject(ofVersion),
  async change(tx, { PolicyArn, VersionId }, { account, now }) {
    await tx.takeTurn(account)
    const policy = await requireOwn(tx, account, PolicyArn)
    const { version } = await requireVersion(tx, policy, VersionId)
    await tx.updateOwnPolicy(policy, { defaultVersion: version, updatedAt: now })
  },
})

/** TagPolicy. */
export const tagPolicy = changeAction({
  name: 'TagPolicy',
  input: z.strictObject({ ...ofPolicy, Tags: iamTagsSchema }),
  async change(tx, { PolicyArn, Tags }, { account }) {
    const policy = await requireOwn(tx, account, PolicyArn)
    await tx.updateOwnPolicy(policy, { tags: withTags(policy.tags, Tags) })
  },
})

/** UntagPolicy. */
export const untagPolicy = changeAction({
  name: 'UntagPolicy',
  input: z.strictObject({ ...ofPolicy, TagKeys: tagKeysSchema }),
  async change(tx, { PolicyArn, TagKeys }, { account }) {
    const policy = await requireOwn(tx, account, PolicyArn)
    await tx.updateOwnPolicy(policy, { tags: withoutTags(policy.tags, TagKeys) })
  },
})

/** ListPolicyTags: of the account's own policies. */
export const listPolicyTags = readAction({
  name: 'ListPolicyTags',
  input: z.strictObject({ ...pageShape, ...ofPolicy }),
  async answer(asked, { account, read }) {
    const { tags } = await read((tx) => requireOwn(tx, account, asked.PolicyArn))
    return tagsPage(tags, asked)
  },
})
