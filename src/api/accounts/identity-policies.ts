/** What actions on policies of users, of groups and of roles share. */

import type { IdentityPolicy } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { type ManagedPolicy, managedPolicy } from '../../model/managed-policies.ts'
import { parsePolicy } from '../../model/policy.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { notThere, refuseMissing } from './own-policies.ts'
import { limitExceeded, noSuchEntity, pageOf } from './users.ts'

/**
 * Most inline and most managed policies of a user, group or role. All are read with each request.
 */
export const POLICIES_MAX = 10

/** Whose policies they are. */
export type PolicyOwner = Pick<IdentityPolicy, 'account' | 'owner'>

/** Of a page. */
interface Page {
  readonly Marker?: string | undefined
  readonly MaxItems?: number | undefined
}

/** Errors: `MalformedPolicyDocument`. */
export function refuseMalformed(document: string): void {
  const parsed = parsePolicy(document)
  if ('problem' in parsed) throw refused('MalformedPolicyDocument', parsed.problem)
}

/** The owner's policies of one kind. */
export async function policiesOf(
  tx: ReadTx,
  { account, owner }: PolicyOwner,
  kind: IdentityPolicy['kind'],
): Promise<readonly IdentityPolicy[]> {
  return (await tx.identityPolicies(account, owner)).filter((one) => one.kind === kind)
}

/** Refuses to delete an owner that has policies. Errors: `DeleteConflict`, in IAM's words. */
export function refuseWithPolicies(policies: readonly IdentityPolicy[]): void {
  if (policies.some(({ kind }) => kind === 'inline'))
    throw refused('DeleteConflict', 'Cannot delete entity, must delete policies first.')
  if (policies.length > 0)
    throw refused('DeleteConflict', 'Cannot delete entity, must detach all policies first.')
}

/** Sets an inline policy, in the account's turn. Errors: `LimitExceeded`. */
export async function putInline(
  tx: Tx,
  owner: PolicyOwner,
  { name, document }: Pick<IdentityPolicy, 'name' | 'document'>,
): Promise<void> {
  const others = (await policiesOf(tx, owner, 'inline')).filter((one) => one.name !== name)
  if (others.length >= POLICIES_MAX)
    throw limitExceeded(`InlinePoliciesPer${typeOf(owner)}`, POLICIES_MAX)
  await tx.putIdentityPolicy({ ...owner, kind: 'inline', name, document })
}

/** An inline policy. Errors: `NoSuchEntity`. */
export async function requireInline(
  tx: ReadTx,
  owner: PolicyOwner,
  name: string,
): Promise<IdentityPolicy> {
  const found = (await policiesOf(tx, owner, 'inline')).find((one) => one.name === name)
  if (found !== undefined) return found
  const type = typeOf(owner).toLowerCase()
  throw noSuchEntity(`The ${type} policy with name ${name} cannot be found.`)
}

/** Attaches a managed policy, in the account's turn. Errors: `NoSuchEntity`, `LimitExceeded`. */
export async function attachManaged(tx: Tx, owner: PolicyOwner, arn: string): Promise<void> {
  await refuseMissing(tx, owner.account, arn)
  const others = (await policiesOf(tx, owner, 'managed')).filter(({ name }) => name !== arn)
  if (others.length >= POLICIES_MAX)
    throw limitExceeded(`PoliciesPer${typeOf(owner)}`, POLICIES_MAX)
  await tx.putIdentityPolicy({ ...owner, kind: 'managed', name: arn, document: '' })
}

/** Errors: `NoSuchEntity`. */
export async function detachManaged(tx: Tx, owner: PolicyOwner, arn: string): Promise<void> {
  const attached = await policiesOf(tx, owner, 'managed')
  if (!attached.some(({ name }) => name === arn)) throw noSuchEntity(`Policy ${arn} was not found.`)
  await tx.deleteIdentityPolicy({ ...owner, kind: 'managed', name: arn })
}

/** A page of names of inline policies. */
export function inlineView(policies: readonly IdentityPolicy[], page: Page) {
  const { items, more } = pageOf(policies, ({ name }) => name, page)
  return { PolicyNames: items.map(({ name }) => name), ...more }
}

/** A page of attached managed policies with such a path. */
export function attachedView(
  policies: readonly IdentityPolicy[],
  page: Page & { readonly PathPrefix: string },
) {
  const isWanted = ({ name: arn }: IdentityPolicy) =>
    arn.replace(/^.*?:policy(?=\/)/, '').startsWith(page.PathPrefix)
  const { items, more } = pageOf(policies.filter(isWanted), ({ name }) => name, page)
  const AttachedPolicies = items.map(({ name: PolicyArn }) => ({
    ...{ PolicyName: PolicyArn.slice(PolicyArn.lastIndexOf('/') + 1), PolicyArn },
  }))
  return { AttachedPolicies, ...more }
}

/** A managed policy of the cloud. Errors: `NoSuchEntity`. */
export function requireManaged(arn: string): ManagedPolicy {
  const policy = managedPolicy(arn)
  if (policy !== undefined) return policy
  throw notThere(arn)
}

function typeOf({ owner }: PolicyOwner): 'User' | 'Role' | 'Group' {
  if (owner.startsWith('group/')) return 'Group'
  return owner.startsWith('role/') ? 'Role' : 'User'
}
