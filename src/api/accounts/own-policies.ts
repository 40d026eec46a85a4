/** What actions on managed policies share: the cloud's, and those that an account has made. */
import type { Policy as PolicyView, PolicyVersion as VersionView } from '@aws-sdk/client-iam'
import type { OwnPolicy, OwnPolicyVersion } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { iamArn, parseIamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { managedPolicy } from '../../model/managed-policies.ts'
import type { ReadTx } from '../../store/store.ts'
import { tagsView } from './iam-tags.ts'
import { noSuchEntity } from './users.ts'

/** Most policies of an account. */
export const OWN_POLICIES_MAX = 500
/** Most versions of a policy, as in IAM. */
export const VERSIONS_MAX = 5

/** The account's own policy with this ARN. Undefined if there is none. */
export async function findOwn(
  tx: ReadTx,
  account: AccountId,
  arn: string,
): Promise<OwnPolicy | undefined> {
  const named = parseIamArn('policy', arn)
  if (named === undefined) return undefined
  // Also for an ARN of another account, so that it takes as long.
  const policy = await tx.ownPolicy(account, named.name)
  return policy !== undefined && ownArn(policy) === arn ? policy : undefined
}

/** Like `findOwn`. Errors: `NoSuchEntity`, and `AccessDenied` for a policy of the cloud. */
export async function requireOwn(tx: ReadTx, account: AccountId, arn: string): Promise<OwnPolicy> {
  const policy = await findOwn(tx, account, arn)
  if (policy !== undefined) return policy
  if (managedPolicy(arn) === undefined) throw notThere(arn)
  throw refused('AccessDenied', `The policy ${arn} belongs to the cloud: nobody can change it`)
}

/** Refuses a policy that nobody can have. Errors: `NoSuchEntity`. */
export async function refuseMissing(tx: ReadTx, account: AccountId, arn: string): Promise<void> {
  if (managedPolicy(arn) === undefined && (await findOwn(tx, account, arn)) === undefined)
    throw notThere(arn)
}

/** The ARN of an own policy. */
export function ownArn({ account, path, name }: Pick<OwnPolicy, 'account' | 'path' | 'name'>) {
  return iamArn('policy', { account, path, name })
}

/** A version of an own policy by its id, `v1`. Errors: `NoSuchEntity`. */
export async function requireVersion(
  tx: ReadTx,
  policy: OwnPolicy,
  id: string,
): Promise<OwnPolicyVersion> {
  const versions = await tx.ownPolicyVersions(policy)
  const found = versions.find(({ version }) => `v${version}` === id)
  if (found !== undefined) return found
  throw noSuchEntity(`Policy ${ownArn(policy)} version ${id} does not exist or is not attachable.`)
}

/** An own policy as lists show it. `attachments`: how many users and roles have it. */
export function ownPolicyView(policy: OwnPolicy, attachments: number): PolicyView {
  const { name, id, path, tags, defaultVersion, createdAt, updatedAt } = policy
  return {
    ...{ PolicyName: name, PolicyId: id, Arn: ownArn(policy), Path: path },
    ...{ DefaultVersionId: `v${defaultVersion}`, AttachmentCount: attachments },
    ...{ PermissionsBoundaryUsageCount: 0, IsAttachable: true },
    ...{ CreateDate: new Date(createdAt), UpdateDate: new Date(updatedAt) },
    ...(tags.length === 0 ? {} : { Tags: tagsView(tags) }),
  }
}

/** A version without its document. */
export function versionView(
  { version, createdAt }: Pick<OwnPolicyVersion, 'version' | 'createdAt'>,
  isDefault: boolean,
): VersionView {
  return {
    ...{ VersionId: `v${version}`, IsDefaultVersion: isDefault },
    CreateDate: new Date(createdAt),
  }
}

/** The refusal of a managed policy that does not exist. */
export function notThere(arn: string): Error {
  return noSuchEntity(`Policy ${arn} does not exist or is not attachable.`)
}
