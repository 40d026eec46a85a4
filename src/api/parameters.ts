/**
 * Converts zod's problems to EC2's refusals, and handles `DryRun`.
 *
 * The wire has already checked names and types against the model. The action then checks limits and
 * meaning. Pure. Messages follow
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
 */
import type { z } from 'zod'
import { issueText } from '../lib/issue-text.ts'
import { AtollError, ERROR_STATUS, type ErrorCode, refused } from '../model/errors.ts'
import type { Call } from './action.ts'

type Issue = z.core.$ZodIssue

/** Member names and list positions (from 0) of a parameter. */
export type ParameterPath = readonly PropertyKey[]

/**
 * A refusal because of one parameter, named as in the SDK. The transport replaces the name by its
 * own.
 */
export class ParameterRefusal extends AtollError {
  readonly #path: ParameterPath
  readonly #say: (name: string) => string

  constructor(code: ErrorCode, path: ParameterPath, say: (name: string) => string) {
    super('refused', code, say(formatPath(path)))
    this.#path = path
    this.#say = say
  }

  /** The same with the transport's name of the parameter. */
  named(nameOf: (path: ParameterPath) => string): AtollError {
    return refused(this.code, this.#say(nameOf(this.#path)))
  }
}

/**
 * The parsed input, or a problem as a refusal: a parameter that is not supported, or else the
 * first. It names the parameter as in the SDK, with list positions counted from 1
 * (`Filters.1.Name`); the Query protocol replaces that by the name on the wire (`Filter.1.Name`).
 * The code depends on the problem: a missing parameter, or `params: { isAbsent: true }` →
 * `MissingParameter`; a member that a `strictObject` does not know → `UnsupportedOperation`; a
 * `refine` with `params: { code }` → that code with the check's own message; everything else →
 * `InvalidParameterValue`.
 */
export function parseInput<S extends z.ZodType>(schema: S, input: Call['input']): z.output<S> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const { issues } = parsed.error
  // What is missing may be what an unsupported parameter stands for, as another kind of target.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  throw issue === undefined
    ? refused('InvalidParameterValue', 'The parameters are invalid')
    : refusalOf(issue, input)
}

/**
 * Ends a dry run. Call it when everything has been checked that can be checked without a change.
 */
export function dryRun(call: Pick<Call, 'input'>): void {
  if (call.input['DryRun'] !== true) return
  throw refused('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.')
}

function refusalOf(issue: Issue, input: unknown): Error {
  const { path } = issue
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.['code']
    if (issue.params?.['isAbsent'] === true) return missing(path)
    if (isErrorCode(code)) return refused(code, issue.message)
  }
  if (issue.code === 'unrecognized_keys') {
    return new ParameterRefusal(
      'UnsupportedOperation',
      [...path, ...issue.keys.slice(0, 1)],
      (name) => `The parameter ${name} is not supported; leave it out`,
    )
  }
  if (valueAt(input, path) === undefined) return missing(path)
  return new ParameterRefusal('InvalidParameterValue', path, (name) =>
    name === ''
      ? `The parameters are invalid: ${issueText(issue)}`
      : `The value of parameter ${name} is invalid: ${issueText(issue)}`,
  )
}

/** EC2 does not say which item of a list is missing. */
function missing(path: ParameterPath): Error {
  const isItem = typeof path.at(-1) === 'number'
  return new ParameterRefusal(
    'MissingParameter',
    isItem ? path.slice(0, -1) : path,
    (name) => `The request must contain the parameter ${name}`,
  )
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_STATUS, code)
}

/** `['Filters', 0, 'Name']` → `Filters.1.Name`: list positions count from 1 on the wire. */
function formatPath(path: ParameterPath): string {
  return path.map((step) => (typeof step === 'number' ? step + 1 : String(step))).join('.')
}

function valueAt(input: unknown, path: ParameterPath): unknown {
  let value = input
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, step)
  }
  return value
}
