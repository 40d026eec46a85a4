/**
 * Policies of users, roles and sessions, and trust policies of roles: what of IAM's policy language
 * is understood. Pure.
 *
 * `parsePolicy` and `parseTrustPolicy` refuse every element, operator, key and variable that is not
 * understood, so a policy never means less than it says. `policy-decision.ts` evaluates what they
 * return.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */

import { type AccountId, parseAccountId } from './ids.ts'

/** Longest policy document, in characters, as for a managed policy of IAM. */
export const POLICY_MAX = 6144
/** The same for a policy of a session. */
const SESSION_POLICY_MAX = 2048
/** The same for a trust policy (IAM: 2,048 without a request). */
export const TRUST_POLICY_MAX = 4096
/** Most statements, and most values of one list. */
const LIST_MAX = 100
const PATTERN_MAX = 512

/** A parsed policy: its statements. */
export type Policy = readonly Statement[]

/** One statement of a policy. */
export interface Statement {
  readonly id: string | null
  readonly effect: 'Allow' | 'Deny'
  readonly actions: Patterns
  readonly resources: Patterns
  readonly conditions: readonly Condition[]
  /** Of a trust policy: whom it holds for. Null in other policies. */
  readonly principals: readonly Principal[] | null
}

/**
 * Whom a statement of a trust policy names: everybody of an account, one user, role or session of a
 * role, or a service.
 */
export type Principal =
  | { readonly kind: 'account'; readonly account: AccountId }
  | { readonly kind: 'arn'; readonly arn: string }
  | { readonly kind: 'service'; readonly service: string }

/** The service that gives instances their role. No other one assumes roles. */
export const INSTANCES_SERVICE = 'ec2.amazonaws.com'
/** Any of AWS: many a role names those that would use it there, too. */
const SERVICE = /^[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,2}\.amazonaws\.com$/

/** What an `Action` or a `Resource` lists, or all but what a `NotAction` or `NotResource` lists. */
interface Patterns {
  readonly except: boolean
  readonly of: readonly string[]
}

/** One operator with one key. */
export interface Condition {
  readonly operator: Operator
  /** `ForAllValues:` or `ForAnyValue:`; null: the key has one value. */
  readonly set: 'all' | 'any' | null
  /** `…IfExists`: holds when the request has no such key. */
  readonly ifExists: boolean
  /** In lower case. */
  readonly key: string
  readonly values: readonly string[]
}

/** The operators that are understood. */
const OPERATORS = [
  'StringEquals',
  'StringNotEquals',
  'StringEqualsIgnoreCase',
  'StringNotEqualsIgnoreCase',
  'StringLike',
  'StringNotLike',
  'ArnEquals',
  'ArnNotEquals',
  'ArnLike',
  'ArnNotLike',
  'IpAddress',
  'NotIpAddress',
  'DateLessThan',
  'DateGreaterThan',
  'Null',
] as const
type Operator = (typeof OPERATORS)[number]

/** The keys that are understood. Names are compared without regard to case. */
const CONDITION_KEYS = [
  'aws:CurrentTime',
  'aws:PrincipalAccount',
  'aws:PrincipalArn',
  'aws:RequestedRegion',
  'aws:SourceIp',
  'aws:TagKeys',
  'aws:username',
  'ec2:CreateAction',
  'ec2:InstanceType',
  'ec2:Region',
  'iam:PassedToService',
  'sts:ExternalId',
  'sts:RoleSessionName',
] as const
/** Keys that end in the key of a tag. */
const TAG_CONDITION_KEYS = ['aws:RequestTag/', 'aws:ResourceTag/', 'ec2:ResourceTag/'] as const
/** The variables that values and resources may contain. */
const POLICY_VARIABLES = ['aws:username', 'aws:PrincipalAccount'] as const

/** One user, role or session of a role. */
const PRINCIPAL_ARN =
  /^arn:aws:(?:iam::\d{12}:(?:user|role)\/(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}|sts::\d{12}:assumed-role\/[\w+=,.@-]{1,64}\/[\w+=,.@-]{2,64})$/
const VERSIONS = ['2012-10-17', '2008-10-17']
const SERVICES_NAME = /^(?:\*|[A-Za-z0-9-]{1,32}:[A-Za-z0-9*?]{1,128})$/

/** The policy, or why it is refused, as a sentence for its author. */
export type ParsedPolicy = { readonly policy: Policy } | { readonly problem: string }

/** Parses the JSON text of a policy of a user or role. */
export function parsePolicy(text: string): ParsedPolicy {
  return parseWith(text, POLICY_MAX, statementOf)
}

/** As `parsePolicy`, of a policy that is given with AssumeRole. */
export function parseSessionPolicy(text: string): ParsedPolicy {
  return parseWith(text, SESSION_POLICY_MAX, statementOf)
}

/** Parses the JSON text of an `AssumeRolePolicyDocument`. Its resource is the role. */
export function parseTrustPolicy(text: string): ParsedPolicy {
  return parseWith(text, TRUST_POLICY_MAX, trustStatementOf)
}

type StatementParser = (value: unknown, allowsVariables: boolean) => Statement

function parseWith(text: string, most: number, statement: StatementParser): ParsedPolicy {
  try {
    if (text.length > most) fail(`The policy is longer than ${most} characters`)
    return { policy: policyOf(jsonOf(text), statement) }
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message }
    throw error
  }
}

/** Why a policy is refused. Does not leave this file. */
class Problem extends Error {}

function fail(why: string): never {
  throw new Problem(`${why}.`)
}

/** The parsed text. JSON takes the last of two members with one name; here that is refused. */
function jsonOf(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    fail('The policy is not valid JSON')
  }
  const named = text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)
  const members = [...named].filter(([, colon]) => colon !== undefined).length
  if (members !== countMembers(value)) fail('A member of the policy is given twice')
  return value
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce((sum: number, one) => sum + countMembers(one), own)
}

function policyOf(value: unknown, statement: StatementParser): Policy {
  const { Version, Id, Statement: statements, ...rest } = membersOf(value, 'The policy')
  refuseOthers(rest, 'The policy')
  if (Version !== undefined && !VERSIONS.some((version) => version === Version))
    fail(`Version must be ${VERSIONS.join(' or ')}`)
  if (Id !== undefined && typeof Id !== 'string') fail('Id must be text')
  if (statements === undefined) fail('The policy has no Statement')
  const list = Array.isArray(statements) ? statements : [statements]
  if (list.length === 0) fail('The policy has no Statement')
  if (list.length > LIST_MAX) fail(`The policy has more than ${LIST_MAX} statements`)
  const allowsVariables = Version === '2012-10-17'
  const parsed = list.map((one) => statement(one, allowsVariables))
  const ids = parsed.flatMap(({ id }) => id ?? [])
  if (new Set(ids).size < ids.length) fail('Two statements have the same Sid')
  return parsed
}

function statementOf(value: unknown, allowsVariables: boolean): Statement {
  const { Resource, NotResource, ...others } = membersOf(value, STATEMENT)
  if (Object.hasOwn(others, 'Principal') || Object.hasOwn(others, 'NotPrincipal'))
    fail('A policy of a user or role has no Principal: it holds for whom it is attached to')
  const resources = patternsOf({ Resource, NotResource }, (pattern) => {
    if (pattern !== '*' && !/^arn:[^:]*:[^:]*:[^:]*:[^:]*:.+$/.test(pattern))
      fail(`"${pattern}" is not an ARN such as arn:aws:ec2:*:*:instance/*, or *`)
    checkVariables(pattern, allowsVariables)
  })
  return { ...commonOf(others, allowsVariables), resources, principals: null }
}

function trustStatementOf(value: unknown, allowsVariables: boolean): Statement {
  const { Principal: named, ...others } = membersOf(value, STATEMENT)
  if (Object.hasOwn(others, 'Resource') || Object.hasOwn(others, 'NotResource'))
    fail('A trust policy has no Resource: it holds for its role')
  const principals = principalsOf(named)
  const resources = { except: false, of: ['*'] }
  return { ...commonOf(others, allowsVariables), resources, principals }
}

const STATEMENT = 'A statement'

/** The elements that statements of all policies have. Refuses all others. */
function commonOf(
  members: Readonly<Record<string, unknown>>,
  allowsVariables: boolean,
): Omit<Statement, 'resources' | 'principals'> {
  const { Sid, Effect, Condition: conditions = {}, Action, NotAction, ...rest } = members
  refuseOthers(rest, STATEMENT)
  if (Sid !== undefined && (typeof Sid !== 'string' || !/^[A-Za-z0-9]{1,128}$/.test(Sid)))
    fail('Sid must be up to 128 letters and digits')
  if (Effect !== 'Allow' && Effect !== 'Deny') fail('Effect must be Allow or Deny')
  return {
    id: Sid === undefined ? null : (Sid as string),
    effect: Effect as 'Allow' | 'Deny',
    actions: patternsOf({ Action, NotAction }, (pattern) => {
      if (!SERVICES_NAME.test(pattern))
        fail(`"${pattern}" is not an action such as ec2:RunInstances`)
    }),
    conditions: conditionsOf(conditions, allowsVariables),
  }
}

/** `{ "AWS": [account or ARN, …], "Service": "ec2.amazonaws.com" }`. */
function principalsOf(value: unknown): readonly Principal[] {
  const { AWS, Service, ...rest } = membersOf(value, 'Principal')
  refuseOthers(rest, 'Principal')
  const accounts = AWS === undefined ? [] : textsOf(AWS, 'Principal.AWS').map(awsPrincipal)
  const services = Service === undefined ? [] : textsOf(Service, 'Principal.Service')
  if (AWS === undefined && Service === undefined) fail('Principal must have AWS or Service')
  return [
    ...accounts,
    ...services.map((text): Principal => {
      if (SERVICE.test(text)) return { kind: 'service', service: text }
      return fail(
        `Invalid principal: "${text}" is not a service, such as ${INSTANCES_SERVICE}; no other one assumes roles`,
      )
    }),
  ]
}

function awsPrincipal(text: string): Principal {
  const [, id = ''] = /^(?:arn:aws:iam::)?(\d{12})(?::root)?$/.exec(text) ?? []
  const account = parseAccountId(id)
  const isAccount = text === id || text === `arn:aws:iam::${id}:root`
  if (account !== undefined && isAccount) return { kind: 'account', account }
  if (PRINCIPAL_ARN.test(text)) return { kind: 'arn', arn: text }
  return fail(
    `Invalid principal: "${text}" is not an account (123456789012), nor the ARN of a user, role or session of a role without wildcards`,
  )
}

/** One of two members, of which the second means the opposite. */
function patternsOf(
  pair: Readonly<Record<string, unknown>>,
  check: (pattern: string) => void,
): Patterns {
  const given = Object.entries(pair).filter(([, value]) => value !== undefined)
  const [first, second] = given
  if (first === undefined || second !== undefined)
    return fail(`A statement must have one of ${Object.keys(pair).join(' and ')}`)
  const [name, value] = first
  const of = textsOf(value, name)
  for (const pattern of of) check(pattern)
  return { except: name.startsWith('Not'), of }
}

function conditionsOf(value: unknown, allowsVariables: boolean): readonly Condition[] {
  return Object.entries(membersOf(value, 'Condition')).flatMap(([name, keys]) => {
    const [, prefix, bare = '', suffix] =
      /^(ForAllValues:|ForAnyValue:)?(\w+?)(IfExists)?$/.exec(name) ?? []
    const operator = OPERATORS.find((one) => one === bare)
    if (operator === undefined)
      return fail(
        `The condition operator "${name}" is not known; there are: ${OPERATORS.join(', ')}`,
      )
    if (operator === 'Null' && (suffix !== undefined || prefix !== undefined))
      fail('Null takes no prefix and no IfExists')
    const set = prefix === undefined ? null : prefix === 'ForAllValues:' ? 'all' : 'any'
    return Object.entries(membersOf(keys, name)).map(([key, values]): Condition => {
      const texts = textsOf(values, key)
      checkKey(key, set, operator)
      for (const text of texts) checkValue(text, operator, allowsVariables)
      return {
        ...{ operator, set, ifExists: suffix !== undefined, key: key.toLowerCase() },
        values: texts,
      }
    })
  })
}

function checkKey(key: string, set: Condition['set'], operator: Operator): void {
  const lower = key.toLowerCase()
  const isTag = TAG_CONDITION_KEYS.some(
    (prefix) => lower.startsWith(prefix.toLowerCase()) && key.length > prefix.length,
  )
  if (!isTag && !CONDITION_KEYS.some((known) => known.toLowerCase() === lower))
    fail(
      `The condition key "${key}" is not known; there are: ${[...CONDITION_KEYS, ...TAG_CONDITION_KEYS.map((prefix) => `${prefix}KEY`)].join(', ')}`,
    )
  if (lower === 'aws:tagkeys' && set === null && operator !== 'Null')
    fail('aws:TagKeys has several values: use ForAllValues: or ForAnyValue:')
}

function checkValue(text: string, operator: Operator, allowsVariables: boolean): void {
  checkVariables(text, allowsVariables)
  const wants = (isGood: boolean, form: string) => {
    if (!isGood) fail(`"${text}" is not ${form}, which ${operator} needs`)
  }
  if (operator === 'IpAddress' || operator === 'NotIpAddress')
    wants(rangeOf(text) !== undefined, 'an IPv4 address or range')
  else if (operator === 'Null') wants(text === 'true' || text === 'false', 'true or false')
  else if (operator === 'DateLessThan' || operator === 'DateGreaterThan')
    wants(dateOf(text) !== undefined, 'a time (ISO 8601, UTC)')
  else if (operator.startsWith('Arn')) wants(text === '*' || text.startsWith('arn:'), 'an ARN')
}

function checkVariables(text: string, allowsVariables: boolean): void {
  for (const [variable, name] of text.matchAll(/\$\{([^}]*)\}?/g)) {
    if (!variable.endsWith('}')) fail(`The variable ${variable} does not end`)
    if (!allowsVariables) fail(`${variable} needs the policy's Version 2012-10-17`)
    if (!POLICY_VARIABLES.some((known) => known === name))
      fail(
        `The variable ${variable} is not known; there are: ${POLICY_VARIABLES.map((known) => `\${${known}}`).join(', ')}`,
      )
  }
}

function membersOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail(`${what} must be an object`)
  return value as Readonly<Record<string, unknown>>
}

function refuseOthers(rest: object, what: string): void {
  const [name] = Object.keys(rest)
  if (name !== undefined) fail(`${what} has the element "${name}", which is not known`)
}

function textsOf(value: unknown, what: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0 || list.length > LIST_MAX)
    fail(`${what} must have between 1 and ${LIST_MAX} values`)
  return list.map((one) => {
    const text = typeof one === 'boolean' ? String(one) : one
    if (typeof text !== 'string') return fail(`${what} must be text, or a list of texts`)
    if (text === '' && (what === 'Action' || what === 'Resource')) fail(`${what} is empty`)
    if (text.length > PATTERN_MAX)
      fail(`A value of ${what} is longer than ${PATTERN_MAX} characters`)
    return text
  })
}

/** An IPv4 range as its first and last number. A single address is a range, too. */
export function rangeOf(
  text: string,
): { readonly first: number; readonly last: number } | undefined {
  const [, address = '', bits = '32'] = /^([\d.]{7,15})(?:\/(\d{1,2}))?$/.exec(text) ?? []
  const bytes = address.split('.').map(Number)
  const prefix = Number(bits)
  const isGood = bytes.length === 4 && bytes.every((byte) => byte <= 255) && prefix <= 32
  if (!isGood || bytes.some(Number.isNaN)) return undefined
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  const size = 2 ** (32 - prefix)
  const first = Math.floor(number / size) * size
  return { first, last: first + size - 1 }
}

/** A time of ISO 8601 in milliseconds since the epoch. */
export function dateOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z)?$/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
