/**
 * The policies of who asks, and what they say of a request.
 *
 * A key with all rights has none. A user or a role has its own, a user also those of its groups; a
 * session may have further ones, which must allow the same. What cannot be read is taken for a
 * statement that denies.
 */
import type { IdentityPolicy, SessionPolicy } from '../../model/account-records.ts'
import { unavailable } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { managedPolicy } from '../../model/managed-policies.ts'
import { type Policy, parsePolicy } from '../../model/policy.ts'
import { type AskedAction, type Decision, decide } from '../../model/policy-decision.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Caller } from '../action.ts'
import { principalArn } from './caller-arn.ts'
import { ownArn } from './own-policies.ts'
import { groupsOfUser } from './user-groups.ts'

/** What limits a caller. */
export interface CallerPolicies {
  /** Null: it has all rights. */
  readonly own: readonly Policy[] | null
  /** Of the session. Null: nothing restricts it further. */
  readonly session: readonly Policy[] | null
}

/** A decision, and which policies made it. */
export interface CallerDecision extends Decision {
  readonly by: 'identity' | 'session'
}

/** Parses a document, or returns null for one that is not understood. */
export type ParseDocument = (document: string) => Policy | null

/** `ParseDocument` without any memory. */
export function parseDocument(document: string): Policy | null {
  const parsed = parsePolicy(document)
  return 'problem' in parsed ? null : parsed.policy
}

/** The caller's policies. Errors: `unavailable` when one of them cannot be read. */
export async function readCallerPolicies(
  tx: ReadTx,
  { account, user, userId, role, rights, federated }: Caller,
  parse: ParseDocument = parseDocument,
): Promise<CallerPolicies> {
  if (rights === 'all') return { own: null, session: null }
  const owner: IdentityPolicy['owner'] = role === undefined ? `user/${user}` : `role/${role.name}`
  const records = [...(await tx.identityPolicies(account, owner))]
  const id = role === undefined ? (userId ?? (await tx.user(account, user))?.id) : undefined
  if (id !== undefined)
    for (const { name } of await groupsOfUser(tx, account, id))
      records.push(...(await tx.identityPolicies(account, `group/${name}`)))
  const restricting = (federated ?? role)?.policies ?? []
  const documents = await ownDocuments(tx, account, [...records, ...restricting])
  if (tx.unreadable().some(({ table }) => POLICY_TABLES.includes(table))) unreadable('')
  const read = (one: SessionPolicy) => policyOf(one, documents, parse)
  // A user or role that was deleted has none.
  const own = federated?.hasAllRights === true ? null : records.map(read)
  // Somebody whom a user gave no policy may do nothing.
  if (restricting.length === 0 && federated === undefined) return { own, session: null }
  // One that the account has made may be deleted while the session lasts. It allows nothing then.
  const isLeft = ({ kind, name }: SessionPolicy) =>
    kind === 'inline' || managedPolicy(name) !== undefined || documents.has(name)
  return { own, session: restricting.filter(isLeft).map(read) }
}

/**
 * What policies of one account say, in their order. Errors: `unavailable` when one of them cannot
 * be read.
 */
export async function policiesWith(
  tx: ReadTx,
  account: AccountId,
  records: readonly SessionPolicy[],
): Promise<readonly Policy[]> {
  const documents = await ownDocuments(tx, account, records)
  if (tx.unreadable().some(({ table }) => POLICY_TABLES.includes(table))) unreadable('')
  return records.map((one) => policyOf(one, documents, parseDocument))
}

const POLICY_TABLES: readonly string[] = ['identityPolicies', 'ownPolicies', 'ownPolicyVersions']

/** What those of the policies say that the account has made, by ARN. */
async function ownDocuments(
  tx: ReadTx,
  account: AccountId,
  policies: readonly SessionPolicy[],
): Promise<ReadonlyMap<string, string>> {
  const names = policies.flatMap(({ kind, name }) =>
    kind === 'managed' && managedPolicy(name) === undefined
      ? [name.slice(name.lastIndexOf('/') + 1)]
      : [],
  )
  const found = names.length === 0 ? [] : await tx.ownPolicyDocuments(account, names)
  return new Map(
    found.map(({ name, path, document }) => [ownArn({ account, path, name }), document]),
  )
}

function policyOf(
  { kind, name, document }: SessionPolicy,
  documents: ReadonlyMap<string, string>,
  parse: ParseDocument,
): Policy {
  if (kind === 'inline') return parse(document) ?? unreadable(name)
  const own = documents.get(name)
  const policy = managedPolicy(name)?.policy ?? (own === undefined ? null : parse(own))
  return policy ?? unreadable(name)
}

function unreadable(name: string): never {
  throw unavailable(
    `A policy of this caller${name === '' ? '' : ` ('${name}')`} cannot be read by the host that answers, so nothing is allowed`,
  )
}

/** All policies, for what they ask for. */
export function allOf({ own, session }: CallerPolicies): readonly Policy[] {
  return [...(own ?? []), ...(session ?? [])]
}

/** What the policies say: both the caller's own and those of its session must allow it. */
export function decideBy({ own, session }: CallerPolicies, asked: AskedAction): CallerDecision {
  const first = own === null ? ALLOWED : decide(own, asked)
  if (!first.isAllowed || session === null) return { ...first, by: 'identity' }
  return { ...decide(session, asked), by: 'session' }
}

const ALLOWED: Decision = { isAllowed: true, isExplicit: false, resource: null, statement: null }

/** What conditions and variables of any policy may ask for of who asks. */
export function callerContext(
  caller: Caller,
  {
    region,
    now,
    sourceIp,
  }: { readonly region: string; readonly now: string; readonly sourceIp: string | undefined },
): Pick<AskedAction, 'context' | 'variables'> {
  const { account, user, role, federated } = caller
  const name = role === undefined && federated === undefined ? user : undefined
  return {
    context: {
      'aws:currenttime': now,
      'aws:principalaccount': account,
      'aws:principalarn': principalArn(caller),
      'aws:requestedregion': region,
      'aws:sourceip': sourceIp?.replace(/^::ffff:/, ''),
      'aws:username': name,
    },
    // A session has no user name, so no text with the variable is met.
    variables: { 'aws:username': name ?? '\uffff', 'aws:PrincipalAccount': account },
  }
}
