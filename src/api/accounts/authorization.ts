/**
 * Decides by policies whether a caller may do what it asks, before the action runs.
 *
 * A key with all rights costs nothing. For the others, the policies of the key's user are read with
 * each request, so a change applies to the next request on every host. What cannot be read is taken
 * for a statement that denies.
 */
import { createBoundedMap } from '../../lib/bounded-map.ts'
import { isoTime } from '../../lib/clock.ts'
import type { IdentityPolicy } from '../../model/account-records.ts'
import { AtollError, unavailable } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { managedPolicy } from '../../model/managed-policies.ts'
import { type Policy, parsePolicy } from '../../model/policy.ts'
import { type AskedAction, type Decision, decide } from '../../model/policy-decision.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiParts, Caller } from '../action.ts'
import {
  ec2Resources,
  everything,
  iamResources,
  type RequestResource,
  userArn,
} from './request-resources.ts'

/** A request, as far as policies see it. */
interface AuthorizedRequest {
  readonly service: 'ec2' | 'sts' | 'iam' | 'cloudtrail'
  readonly action: string
  readonly input: Readonly<Record<string, unknown>>
  readonly caller: Caller
  /** The client's address. Undefined for the bus. */
  readonly sourceIp: string | undefined
}

/** Decides requests. */
export interface Authorizer {
  /**
   * Errors: `UnauthorizedOperation` (EC2) or `AccessDenied`, and `unavailable` when a policy of the
   * user cannot be read.
   */
  check(request: AuthorizedRequest, parts: Pick<ApiParts, 'store'>): Promise<void>
}

/** Everybody may ask who he is. */
const FREE: readonly string[] = ['GetCallerIdentity', 'DecodeAuthorizationMessage']
/** Number of parsed documents that are kept. */
const PARSED_LIMIT = 1_000

/** An authorizer with the settings of `parts`. */
export function createAuthorizer({
  settings: { region },
  clock,
  messages,
}: Pick<ApiParts, 'settings' | 'clock' | 'messages'>): Authorizer {
  const parsed = createBoundedMap<string, Policy>(PARSED_LIMIT)

  function policyOf({ kind, name, document }: IdentityPolicy): Policy {
    if (kind === 'managed') return managedPolicy(name)?.policy ?? unreadable(name)
    const known = parsed.get(document)
    if (known !== undefined) return known
    const result = parsePolicy(document)
    if ('problem' in result) return unreadable(name)
    parsed.set(document, result.policy)
    return result.policy
  }

  async function decisionOf(
    tx: ReadTx,
    request: AuthorizedRequest,
    resources: readonly RequestResource[],
  ) {
    const { account, user } = request.caller
    const records = await tx.identityPolicies(account, `user/${user}`)
    if (tx.unreadable().some(({ table }) => table === 'identityPolicies')) unreadable('')
    // A user that was deleted has none.
    const policies = records.map(policyOf)
    const tagsOf = await readTags(tx, account, policies, resources)
    const known = resources.map((one) => ({ ...one, tags: one.isNew ? new Map() : tagsOf(one.id) }))
    const asked = askedOf(request, region, isoTime(clock.now()))
    const decision = decide(policies, { ...asked, resources: known })
    const tagged = known.filter(({ isNew, requestTags }) => isNew && requestTags.size > 0)
    if (!decision.isAllowed || tagged.length === 0) return { decision, asked }
    // Tags of what is made need their own right.
    const context = { ...asked.context, 'ec2:createaction': request.action }
    const tagging = { ...asked, context, action: 'ec2:CreateTags' }
    return { decision: decide(policies, { ...tagging, resources: tagged }), asked: tagging }
  }

  return {
    async check(request, { store }) {
      const { caller, action, service } = request
      if (caller.isTemporary === true && service === 'iam')
        throw new AtollError('refused', 'AccessDenied', 'Cannot call IAM with session credentials')
      if (caller.rights === 'all' || FREE.includes(action)) return
      const place = { account: caller.account, region, user: caller.user }
      const resources = resourcesOf(service, action, request.input, place)
      const { value } = await store.read((tx) => decisionOf(tx, request, resources))
      if (!value.decision.isAllowed) throw refusal(request, value.asked, value.decision, messages)
    },
  }
}

function unreadable(name: string): never {
  throw unavailable(
    `A policy of this user${name === '' ? '' : ` ('${name}')`} cannot be read by the host that answers, so nothing is allowed`,
  )
}

function resourcesOf(
  service: AuthorizedRequest['service'],
  action: string,
  input: AuthorizedRequest['input'],
  place: Parameters<typeof ec2Resources>[2],
): readonly RequestResource[] {
  if (service === 'ec2') return ec2Resources(action, input, place)
  return service === 'iam' ? iamResources(action, input, place) : [everything()]
}

/** The tags of the resources, if a condition asks for any. Null: not known. */
async function readTags(
  tx: ReadTx,
  account: AccountId,
  policies: readonly Policy[],
  resources: readonly RequestResource[],
): Promise<(id: string | null) => ReadonlyMap<string, string> | null> {
  const wants = policies.some((policy) =>
    policy.some(({ conditions }) => conditions.some(({ key }) => key.includes(':resourcetag/'))),
  )
  if (!wants) return () => null
  const ids = resources.flatMap(({ id }) => id ?? [])
  const tags = ids.length === 0 ? [] : await tx.tags({ account, resources: ids })
  if (tx.unreadable().some(({ table }) => table === 'tags')) return () => null
  const byId = Map.groupBy(tags, ({ resource }) => resource)
  return (id) =>
    id === null ? null : new Map((byId.get(id) ?? []).map(({ key, value }) => [key, value]))
}

function askedOf(
  { service, action, caller, input, sourceIp }: AuthorizedRequest,
  region: string,
  now: string,
): Omit<AskedAction, 'resources'> {
  const { account, user } = caller
  const instanceType = input['InstanceType']
  return {
    action: `${service}:${action}`,
    context: {
      'aws:currenttime': now,
      'aws:principalaccount': account,
      'aws:principalarn': userArn(account, user),
      'aws:requestedregion': region,
      'aws:sourceip': sourceIp?.replace(/^::ffff:/, ''),
      'aws:username': user,
      'ec2:region': service === 'ec2' ? region : undefined,
      'ec2:instancetype':
        action === 'RunInstances' && typeof instanceType === 'string' ? instanceType : undefined,
    },
    variables: { 'aws:username': user, 'aws:PrincipalAccount': account },
  }
}

/** The place that an encoded message is bound to: other accounts cannot decode it. */
export function placeOfMessage(account: AccountId): string {
  return `authorizationMessages/${account}`
}

function refusal(
  { service, caller: { account, user } }: AuthorizedRequest,
  asked: Omit<AskedAction, 'resources'>,
  { isExplicit, resource, statement }: Decision,
  messages: ApiParts['messages'],
): Error {
  const arn = userArn(account, user)
  const why = isExplicit
    ? `with an explicit deny in an identity-based policy`
    : `because no identity-based policy allows the ${asked.action} action`
  const on = resource === null ? '' : ` on resource: ${resource}`
  const sentence = `User: ${arn} is not authorized to perform: ${asked.action}${on} ${why}`
  if (service !== 'ec2') return new AtollError('refused', 'AccessDenied', sentence)
  const message = JSON.stringify({
    allowed: false,
    explicitDeny: isExplicit,
    matchedStatements: { items: statement === null ? [] : [{ statementId: statement }] },
    failures: { items: [] },
    context: {
      principal: { id: user, arn },
      action: asked.action,
      resource,
      conditions: {
        items: Object.entries(asked.context).flatMap(([key, value]) =>
          value === undefined ? [] : [{ key, values: { items: [{ value }] } }],
        ),
      },
    },
  })
  const encoded = messages?.seal(message, placeOfMessage(account))
  return new AtollError(
    'refused',
    'UnauthorizedOperation',
    `You are not authorized to perform this operation. ${sentence}.${encoded === undefined ? '' : ` Encoded authorization failure message: ${encoded}`}`,
  )
}
