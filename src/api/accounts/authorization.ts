/**
 * Decides by policies whether a caller may do what it asks, before the action runs.
 *
 * A key with all rights costs nothing. For the others, the policies of the user or role are read
 * with each request, so a change applies to the next request on every host.
 */
import { createBoundedMap } from '../../lib/bounded-map.ts'
import { isoTime } from '../../lib/clock.ts'
import { AtollError } from '../../model/errors.ts'
import { federatedArn, iamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Policy } from '../../model/policy.ts'
import type { AskedAction } from '../../model/policy-decision.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiParts, Caller } from '../action.ts'
import { callerArn } from './caller-arn.ts'
import {
  allOf,
  type CallerDecision,
  callerContext,
  decideBy,
  type ParseDocument,
  parseDocument,
  readCallerPolicies,
} from './caller-policies.ts'
import {
  ec2Resources,
  everything,
  type IamSubject,
  iamSubjects,
  policySubject,
  type RequestResource,
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

/** Everybody may ask who he is. AssumeRole decides itself, by the policy of the role, too. */
const FREE: readonly string[] = ['GetCallerIdentity', 'DecodeAuthorizationMessage', 'AssumeRole']
/** Number of parsed documents that are kept. */
const PARSED_LIMIT = 1_000

/** An authorizer with the settings of `parts`. */
export function createAuthorizer({
  settings: { region },
  clock,
  messages,
}: Pick<ApiParts, 'settings' | 'clock' | 'messages'>): Authorizer {
  const parsed = createBoundedMap<string, Policy>(PARSED_LIMIT)

  function parse(document: string): Policy | null {
    const known = parsed.get(document)
    if (known !== undefined) return known
    const policy = parseDocument(document)
    if (policy !== null) parsed.set(document, policy)
    return policy
  }

  return {
    async check(request, { store }) {
      const { caller, action, service } = request
      if (caller.isTemporary === true && caller.role === undefined && service === 'iam')
        throw new AtollError('refused', 'AccessDenied', 'Cannot call IAM with session credentials')
      if (caller.federated !== undefined && service === 'sts' && action !== 'GetCallerIdentity')
        throw new AtollError('refused', 'AccessDenied', `Cannot call ${action} as a federated user`)
      if (caller.rights === 'all' || FREE.includes(action)) return
      const place = { region, now: isoTime(clock.now()) }
      const { value } = await store.read((tx) => decisionOf(tx, request, place, parse))
      if (!value.decision.isAllowed) throw refusal(request, value.asked, value.decision, messages)
    },
  }
}

/**
 * For an action that knows only in its transaction what it was asked for. Errors: as those of
 * `Authorizer.check`.
 */
export async function requireAllowed(
  tx: ReadTx,
  request: AuthorizedRequest,
  place: Place & Pick<ApiParts, 'messages'>,
): Promise<void> {
  if (request.caller.rights === 'all') return
  const { decision, asked } = await decisionOf(tx, request, place)
  if (!decision.isAllowed) throw refusal(request, asked, decision, place.messages)
}

/** Where and when a request is decided (ISO 8601). */
interface Place {
  readonly region: string
  readonly now: string
}

async function decisionOf(
  tx: ReadTx,
  request: AuthorizedRequest,
  { region, now }: Place,
  parse?: ParseDocument,
) {
  const { account } = request.caller
  const policies = await readCallerPolicies(tx, request.caller, parse)
  const resources = await resourcesOf(tx, request, region)
  const tagsOf = await readTags(tx, account, allOf(policies), resources)
  const known = resources.map((one) => ({ ...one, tags: one.isNew ? new Map() : tagsOf(one.id) }))
  const asked = askedOf(request, region, now)
  const decision = decideBy(policies, { ...asked, resources: known })
  const tagged = known.filter(({ isNew, requestTags }) => isNew && requestTags?.size !== 0)
  if (!decision.isAllowed || tagged.length === 0) return { decision, asked }
  // Tags of what is made need their own right.
  const context = { ...asked.context, 'ec2:createaction': request.action }
  const tagging = { ...asked, context, action: 'ec2:CreateTags' }
  return { decision: decideBy(policies, { ...tagging, resources: tagged }), asked: tagging }
}

async function resourcesOf(
  tx: ReadTx,
  { service, action, input, caller }: AuthorizedRequest,
  region: string,
): Promise<readonly RequestResource[]> {
  if (service === 'ec2') return ec2Resources(action, input, { account: caller.account, region })
  if (service === 'sts') return [{ ...everything(), ...federatedResource(action, input, caller) }]
  const policy = policySubject(action, input, caller.account)
  if (policy !== undefined) return [{ ...everything(), arn: policy }]
  const subjects = iamSubjects(action, input, caller)
  if (subjects.length === 0) return [everything()]
  return await Promise.all(
    subjects.map(async (one) => ({ ...everything(), arn: await arnOf(tx, caller.account, one) })),
  )
}

/** Whom a request for a federation token is for. */
function federatedResource(
  action: string,
  { Name: name }: Readonly<Record<string, unknown>>,
  { account }: Caller,
): { readonly arn?: string } {
  if (action !== 'GetFederationToken' || typeof name !== 'string') return {}
  return { arn: federatedArn(account, name) }
}

/** The ARN of what the request names. One that does not exist has the path of the request. */
async function arnOf(
  tx: ReadTx,
  account: AccountId,
  { type, name, path, moves, pathOf }: IamSubject,
): Promise<string> {
  const read = {
    user: (one: string) => tx.user(account, one),
    role: (one: string) => tx.role(account, one),
    group: async (one: string) =>
      (await tx.userGroups(account)).find((group) => group.name === one),
    'instance-profile': (one: string) => tx.instanceProfile(account, one),
  }
  if (moves === true) return iamArn(type, { account, path, name })
  const known = await read[type](pathOf ?? name)
  return iamArn(type, { account, path: known?.path ?? path, name })
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
  const instanceType = input['InstanceType']
  const { context, variables } = callerContext(caller, { region, now, sourceIp })
  return {
    action: `${service}:${action}`,
    context: {
      ...context,
      'ec2:region': service === 'ec2' ? region : undefined,
      'ec2:instancetype':
        action === 'RunInstances' && typeof instanceType === 'string' ? instanceType : undefined,
    },
    variables,
  }
}

/** The place that an encoded message is bound to: other accounts cannot decode it. */
export function placeOfMessage(account: AccountId): string {
  return `authorizationMessages/${account}`
}

/** The refusal of a request, for its caller. Errors of EC2 have an encoded explanation. */
export function refusal(
  { service, caller }: Pick<AuthorizedRequest, 'service' | 'caller'>,
  asked: Omit<AskedAction, 'resources'>,
  { isExplicit, resource, statement, by }: CallerDecision,
  messages: ApiParts['messages'],
): Error {
  const arn = callerArn(caller)
  const policy = by === 'session' ? 'session policy' : 'identity-based policy'
  const why = isExplicit
    ? `with an explicit deny in ${by === 'session' ? 'a' : 'an'} ${policy}`
    : `because no ${policy} allows the ${asked.action} action`
  const on = resource === null ? '' : ` on resource: ${resource}`
  const sentence = `User: ${arn} is not authorized to perform: ${asked.action}${on} ${why}`
  if (service !== 'ec2') return new AtollError('refused', 'AccessDenied', sentence)
  const message = JSON.stringify({
    allowed: false,
    explicitDeny: isExplicit,
    matchedStatements: { items: statement === null ? [] : [{ statementId: statement }] },
    failures: { items: [] },
    context: {
      principal: { id: caller.user, arn },
      action: asked.action,
      resource,
      conditions: {
        items: Object.entries(asked.context).flatMap(([key, value]) =>
          value === undefined ? [] : [{ key, values: { items: [{ value }] } }],
        ),
      },
    },
  })
  const encoded = messages?.seal(message, placeOfMessage(caller.account))
  return new AtollError(
    'refused',
    'UnauthorizedOperation',
    `You are not authorized to perform this operation. ${sentence}.${encoded === undefined ? '' : ` Encoded authorization failure message: ${encoded}`}`,
  )
}
