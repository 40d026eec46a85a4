/**
 * Whether policies allow a request. Pure.
 *
 * A statement that denies wins. What no statement allows is denied. Each resource of a request must
 * be allowed. Where a request leaves a resource to the cloud, or its tags are not known, a
 * statement that allows must hold for all that it may be, and one that denies for any.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
import { assertNever } from './errors.ts'
import { type Condition, dateOf, type Policy, rangeOf, type Statement } from './policy.ts'

/** A resource that a request concerns. */
export interface AskedResource {
  /** `*` for actions that concern no single resource. */
  readonly arn: string
  /** The cloud chooses it, or it is named by something else than its id: the ARN ends in `/*`. */
  readonly isUnnamed: boolean
  /** By key. Null: not known. */
  readonly tags: ReadonlyMap<string, string> | null
  /** Tags that the request gives it, or takes from it. Null: not known. */
  readonly requestTags: ReadonlyMap<string, string> | null
}

/** A request to decide. */
export interface AskedAction {
  /** `ec2:RunInstances`. */
  readonly action: string
  readonly resources: readonly AskedResource[]
  /** Condition keys in lower case, besides those of tags. */
  readonly context: Readonly<Record<string, string | undefined>>
  /** Values of policy variables. */
  readonly variables: Readonly<Record<string, string>>
}

/** The decision. */
export interface Decision {
  readonly isAllowed: boolean
  /** Whether a statement denies it. False when none allows it. */
  readonly isExplicit: boolean
  /** The resource that is not allowed, and the Sid of the statement that denies it. */
  readonly resource: string | null
  readonly statement: string | null
}

/** Decides a request. */
export function decide(policies: readonly Policy[], asked: AskedAction): Decision {
  const statements = policies.flat().filter(({ actions }) => {
    const isListed = actions.of.some((pattern) =>
      matches(pattern.toLowerCase(), asked.action.toLowerCase()),
    )
    return isListed !== actions.except
  })
  for (const resource of asked.resources) {
    const applies = (one: Statement) => holds(one, resource, asked)
    const denying = statements.find((one) => one.effect === 'Deny' && applies(one))
    if (denying !== undefined) return denied(resource, true, denying.id)
    if (!statements.some((one) => one.effect === 'Allow' && applies(one)))
      return denied(resource, false, null)
  }
  return { isAllowed: true, isExplicit: false, resource: null, statement: null }
}

function denied({ arn }: AskedResource, isExplicit: boolean, statement: string | null): Decision {
  return { isAllowed: false, isExplicit, resource: arn, statement }
}

/** Stands for a name that is not known: only wildcards match it. */
const ANY_NAME = '\u0000'.repeat(64)

/** Whether the statement holds for the resource: certainly if it allows, possibly if it denies. */
function holds(statement: Statement, resource: AskedResource, asked: AskedAction): boolean {
  const { effect, resources, conditions } = statement
  const isDeny = effect === 'Deny'
  const patterns = resources.of.map((pattern) => filled(pattern, asked.variables))
  const arn = resource.isUnnamed ? `${resource.arn.slice(0, -1)}${ANY_NAME}` : resource.arn
  const isCertain = patterns.some((pattern) => matchesArn(pattern, arn))
  const isPossible =
    isCertain || (resource.isUnnamed && patterns.some((one) => mayMatchArn(one, resource.arn)))
  // What is listed possibly, is certainly not among all others.
  const isMeant = resources.except
    ? isDeny
      ? !isCertain
      : !isPossible
    : isDeny
      ? isPossible
      : isCertain
  return isMeant && conditions.every((one) => conditionHolds(one, resource, asked, isDeny))
}

/** The values of a key of the request. `unknown`: it may have any, or none. */
function valuesOf(
  key: string,
  { arn, tags, requestTags }: AskedResource,
  { context }: AskedAction,
): readonly string[] | 'unknown' {
  const [name = '', ...rest] = key.split('/')
  const tagKey = rest.join('/')
  switch (name) {
    case 'aws:resourcetag':
    case 'ec2:resourcetag':
      return tags === null ? 'unknown' : tagValues(tags, tagKey)
    case 'aws:requesttag':
      return requestTags === null ? 'unknown' : tagValues(requestTags, tagKey)
    case 'aws:tagkeys':
      return requestTags === null ? 'unknown' : [...requestTags.keys()]
    case 'ec2:instancetype':
      // Of instances only. That of one that is there is not known.
      if (!arn.includes(':instance/')) return []
      return context[key] === undefined ? 'unknown' : [context[key]]
    default: {
      const value = context[key]
      return value === undefined ? [] : [value]
    }
  }
}

/** Keys of tags are compared without regard to case, as IAM does in conditions. */
function tagValues(tags: ReadonlyMap<string, string>, key: string): readonly string[] {
  return [...tags].filter(([one]) => one.toLowerCase() === key).map(([, value]) => value)
}

function conditionHolds(
  condition: Condition,
  resource: AskedResource,
  asked: AskedAction,
  isDeny: boolean,
): boolean {
  const { operator, set, ifExists, key } = condition
  const found = valuesOf(key, resource, asked)
  if (found === 'unknown') return isDeny
  const wanted = condition.values.map((value) => filled(value, asked.variables))
  if (operator === 'Null') return wanted.includes(String(found.length === 0))
  if (set === 'all') return found.every((value) => compares(operator, value, wanted))
  if (found.length === 0) return ifExists || (set === null && isNegated(operator))
  if (set === 'any') return found.some((value) => compares(operator, value, wanted))
  // Two tags whose keys differ in case only.
  const results = found.map((value) => compares(operator, value, wanted))
  return isDeny ? results.includes(true) : !results.includes(false)
}

function isNegated(operator: Condition['operator']): boolean {
  return operator.includes('Not')
}

/** Whether the value compares with any of the wanted ones; of a negated operator, with none. */
function compares(
  operator: Exclude<Condition['operator'], 'Null'>,
  value: string,
  wanted: readonly string[],
): boolean {
  switch (operator) {
    case 'StringEquals':
      return wanted.includes(value)
    case 'StringNotEquals':
      return !wanted.includes(value)
    case 'StringEqualsIgnoreCase':
      return wanted.some((one) => one.toLowerCase() === value.toLowerCase())
    case 'StringNotEqualsIgnoreCase':
      return !wanted.some((one) => one.toLowerCase() === value.toLowerCase())
    case 'StringLike':
      return wanted.some((one) => matches(one, value))
    case 'StringNotLike':
      return !wanted.some((one) => matches(one, value))
    case 'ArnEquals':
    case 'ArnLike':
      return wanted.some((one) => matchesArn(one, value))
    case 'ArnNotEquals':
    case 'ArnNotLike':
      return !wanted.some((one) => matchesArn(one, value))
    case 'IpAddress':
      return wanted.some((one) => isInRange(value, one))
    case 'NotIpAddress':
      return !wanted.some((one) => isInRange(value, one))
    case 'DateLessThan':
      return wanted.some((one) => (dateOf(value) ?? Number.NaN) < (dateOf(one) ?? Number.NaN))
    case 'DateGreaterThan':
      return wanted.some((one) => (dateOf(value) ?? Number.NaN) > (dateOf(one) ?? Number.NaN))
    default:
      return assertNever(operator)
  }
}

function isInRange(value: string, range: string): boolean {
  const [one, wanted] = [rangeOf(value), rangeOf(range)]
  return (
    one !== undefined &&
    wanted !== undefined &&
    one.first >= wanted.first &&
    one.last <= wanted.last
  )
}

/** With the values of variables. A value is taken literally, so its wildcards are none. */
function filled(pattern: string, variables: AskedAction['variables']): string {
  return pattern.replaceAll(/\$\{([^}]*)\}/g, (_all, name: string) => variables[name] ?? '')
}

const ARN_PARTS = 6

/** The parts of an ARN; colons of the last are its own. */
function arnParts(arn: string): readonly string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, ARN_PARTS - 1), parts.slice(ARN_PARTS - 1).join(':')]
}

/** Part by part, so that a wildcard does not reach into the next one. */
function matchesArn(pattern: string, arn: string): boolean {
  if (pattern === '*') return true
  if (arn === '*') return false
  const parts = arnParts(arn)
  return arnParts(pattern).every((one, at) => matches(one, parts[at] ?? ''))
}

/** Whether the pattern matches any ARN of the resource's type, which `arn` names with `/*`. */
function mayMatchArn(pattern: string, arn: string): boolean {
  const parts = arnParts(arn)
  return arnParts(pattern).every((one, at) => {
    if (at < ARN_PARTS - 1) return matches(one, parts[at] ?? '')
    const type = (parts[at] ?? '').slice(0, -1)
    const literal = /^[^*?]*/.exec(one)?.[0] ?? ''
    return literal.startsWith(type) || type.startsWith(literal)
  })
}

/**
 * Whether the whole text matches: `*` is any run of characters, `?` any one. A star is widened only
 * when what follows fails, so the time is at most the product of both lengths.
 */
export function matches(pattern: string, text: string): boolean {
  let [at, from, star, resume] = [0, 0, -1, 0]
  while (from < text.length) {
    const one = pattern[at]
    if (one === '*') {
      star = at
      resume = from
      at += 1
    } else if (at < pattern.length && (one === '?' || one === text[from])) {
      at += 1
      from += 1
    } else if (star >= 0) {
      at = star + 1
      resume += 1
      from = resume
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
