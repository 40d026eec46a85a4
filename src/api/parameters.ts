/**
 * Between an action and its parameters: zod's findings as EC2's refusals, and `DryRun`.
 *
 * The wire has already checked names and types against the model; here an action checks limits and meaning. Pure.
 * Messages follow https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
 */
import type { z } from 'zod'
import { ERROR_STATUS, type ErrorCode, refused } from '../model/errors.ts'
import type { Call } from './action.ts'

type Issue = z.core.$ZodIssue

/**
 * The input as the schema sees it, or the first problem as a refusal that names the parameter by its SDK member name, with
 * list positions counted from 1 (`Filters.1.Name`):
 * absent → `MissingParameter`; not known to a `strictObject` → `UnsupportedOperation`; a `refine` with
 * `params: { code }` → that code with the check's own message; everything else → `InvalidParameterValue`.
 */
export function parseInput<S extends z.ZodType>(schema: S, input: Call['input']): z.output<S> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw issue === undefined
    ? refused('InvalidParameterValue', 'The parameters are invalid')
    : refusalOf(issue, input)
}

/**
 * Ends the action when its caller only wanted to know whether it would work. To be called when everything that can be
 * checked without changing anything has been checked.
 */
export function dryRun(call: Pick<Call, 'input'>): void {
  if (call.input['DryRun'] !== true) return
  throw refused('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.')
}

function refusalOf(issue: Issue, input: unknown): Error {
  const name = formatPath(issue.path)
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.['code']
    if (isErrorCode(code)) return refused(code, issue.message)
  }
  if (issue.code === 'unrecognized_keys') {
    const key = formatPath([...issue.path, ...issue.keys.slice(0, 1)])
    return refused('UnsupportedOperation', `The parameter ${key} is not supported; leave it out`)
  }
  if (valueAt(input, issue.path) === undefined) {
    return refused('MissingParameter', `The request must contain the parameter ${name}`)
  }
  const about =
    name === '' ? 'The parameters are invalid' : `The value of parameter ${name} is invalid`
  return refused('InvalidParameterValue', `${about}: ${issue.message}`)
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_STATUS, code)
}

/** `['Filters', 0, 'Name']` → `Filters.1.Name`, as lists are counted on the wire. */
function formatPath(path: readonly PropertyKey[]): string {
  return path.map((step) => (typeof step === 'number' ? step + 1 : String(step))).join('.')
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, step)
  }
  return value
}
