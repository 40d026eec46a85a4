/**
 * What policies would say of requests that nobody makes: IAM's policy simulator. Pure.
 *
 * The decisions are those of real requests (`model/policy-decision.ts`). What a request would have
 * besides its action and resource is what the simulation says of it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
 */
import type { EvaluationResult, Statement as MatchedStatement } from '@aws-sdk/client-iam'
import { refused } from '../../model/errors.ts'
import type { Policy } from '../../model/policy.ts'
import { type AskedAction, decide, matches } from '../../model/policy-decision.ts'
import { everything } from './request-resources.ts'

/** A policy, and where it is from. */
export interface SimulatedPolicy {
  readonly id: string
  readonly type: 'user' | 'group' | 'role' | 'aws-managed' | 'user-managed'
  readonly policy: Policy
}

/** An entry of `ContextEntries`. */
export interface ContextEntry {
  readonly ContextKeyName: string
  readonly ContextKeyValues: readonly string[]
}

/** What is the same for all requests of a simulation. */
export interface SimulatedContext {
  readonly context: AskedAction['context']
  readonly variables: AskedAction['variables']
  readonly tags: ReadonlyMap<string, string>
  readonly requestTags: ReadonlyMap<string, string>
  /** The keys that have a value, in lower case. */
  readonly given: ReadonlySet<string>
}

/**
 * The context from the entries and from who would ask. Errors: `InvalidInput` for a key with
 * several values that can have one.
 */
export function simulatedContext(
  entries: readonly ContextEntry[],
  asker: Pick<AskedAction, 'context' | 'variables'>,
): SimulatedContext {
  const context: Record<string, string | undefined> = { ...asker.context }
  const tags = new Map<string, string>()
  const requestTags = new Map<string, string>()
  for (const { ContextKeyName: name, ContextKeyValues: values } of entries) {
    const key = name.toLowerCase()
    const [prefix = '', ...rest] = name.split('/')
    const tag = rest.join('/')
    if (key === 'aws:tagkeys') {
      for (const value of values) if (!requestTags.has(value)) requestTags.set(value, '')
      continue
    }
    const [value] = values
    if (value === undefined || values.length > 1)
      throw refused('InvalidInput', `The context key ${name} must have one value`)
    if (/^(?:aws|ec2):resourcetag$/i.test(prefix) && tag !== '') tags.set(tag, value)
    else if (/^aws:requesttag$/i.test(prefix) && tag !== '') requestTags.set(tag, value)
    else context[key] = value
  }
  const named = entries.map(({ ContextKeyName }) => ContextKeyName.toLowerCase())
  const known = Object.entries(context).flatMap(([key, value]) => (value === undefined ? [] : key))
  const username = context['aws:username']
  return {
    ...{ context, tags, requestTags, given: new Set([...named, ...known]) },
    variables: {
      ...asker.variables,
      ...(username === undefined ? {} : { 'aws:username': username }),
    },
  }
}

/** What the policies would say of one action on one resource. */
export function simulate(
  policies: readonly SimulatedPolicy[],
  { action, resource }: { readonly action: string; readonly resource: string },
  { context, variables, tags, requestTags, given }: SimulatedContext,
): EvaluationResult {
  const one = { ...everything(), arn: resource, tags, requestTags }
  const asked: AskedAction = { action, resources: [one], context, variables }
  const all = decide(
    policies.map(({ policy }) => policy),
    asked,
  )
  const decision = all.isAllowed ? 'allowed' : all.isExplicit ? 'explicitDeny' : 'implicitDeny'
  const matched = policies.filter(({ policy }) => {
    const alone = decide([policy], asked)
    return all.isAllowed ? alone.isAllowed : all.isExplicit && alone.isExplicit
  })
  return {
    EvalActionName: action,
    EvalResourceName: resource,
    EvalDecision: decision,
    MatchedStatements: matched.map(({ id, type }): MatchedStatement => {
      return { SourcePolicyId: id, SourcePolicyType: type }
    }),
    MissingContextValues: missingKeys(policies, action, given),
  }
}

/** The keys that conditions of statements about the action ask for, and that have no value. */
function missingKeys(
  policies: readonly SimulatedPolicy[],
  action: string,
  given: ReadonlySet<string>,
): string[] {
  const keys = policies.flatMap(({ policy }) =>
    policy
      .filter(({ actions }) => concerns(actions, action))
      .flatMap(({ conditions }) => conditions.map(({ key }) => key)),
  )
  return [...new Set(keys)].filter((key) => !given.has(key)).toSorted()
}

function concerns({ except, of }: Policy[number]['actions'], action: string): boolean {
  return of.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) !== except
}

/** Whether a statement of the policy allows something of the service. */
export function grantsOf(policy: Policy, service: string): boolean {
  return policy.some(
    ({ effect, actions: { except, of } }) =>
      effect === 'Allow' &&
      (except
        ? !of.some((one) => one === '*' || one.toLowerCase() === `${service}:*`)
        : of.some((one) => one === '*' || one.toLowerCase().startsWith(`${service}:`))),
  )
}
