/**
 * The protocol AWS JSON 1.1, which CloudTrail's clients speak: the action is in a header,
 * parameters and answers are JSON, and times are seconds since the epoch.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
import { parseJson } from '../../lib/json.ts'
import { refused } from '../../model/errors.ts'
import type { Budget } from '../budget.ts'
import { CLOUDTRAIL_MODEL } from './cloudtrail.ts'
import { decodeJson, encodeJson } from './json.ts'
import type { Structure } from './model.ts'

/** The header that names service and action. */
export const TARGET_HEADER = 'x-amz-target'
/** The type of requests and answers. */
export const AWS_JSON_TYPE = 'application/x-amz-json-1.1'

/** `CloudTrail_20131101.LookupEvents`, with or without the name of the service's package. */
const TARGET = /^(?:com\.amazonaws\.cloudtrail\.v20131101\.)?CloudTrail_20131101\.(\w{1,64})$/

/**
 * The action that the header names. Refuses with `InvalidAction` what is no action of a service
 * with this protocol.
 */
export function parseTarget(target: string): string {
  const [, action = ''] = TARGET.exec(target) ?? []
  if (Object.hasOwn(CLOUDTRAIL_MODEL.actions, action)) return action
  throw refused('InvalidAction', 'The action that X-Amz-Target names is not valid for this service')
}

/** The parameters in a body. Refuses with `InvalidRequest`. */
export function parseAwsJson(body: string): Readonly<Record<string, unknown>> {
  const parsed = body === '' ? {} : parseJson(body)
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  throw refused('InvalidRequest', 'The body must be a JSON object in UTF-8')
}

/** The SDK's input object. Refusals: those of `decodeJson`. */
export function decodeAwsJson(
  input: Structure,
  parameters: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(parameters).map(([member, value]): [string, unknown] => {
    const shape = input.byMember.get(member)?.shape
    const isTime = shape?.kind === 'scalar' && shape.type === 'timestamp'
    return [member, isTime && typeof value === 'number' ? isoOf(value) : value]
  })
  return decodeJson(input, Object.fromEntries(entries))
}

/** A number that is no time stays one, and is refused. */
function isoOf(seconds: number): unknown {
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) || time.getTime() < 0 ? seconds : time.toISOString()
}

/** An answer. Refuses with `ResponseTooLarge` above the budget's `answerBytes`. */
export async function encodeAwsJson(output: object, budget: Budget): Promise<string> {
  return await encodeJson(withEpochTimes(output) as object, budget)
}

function withEpochTimes(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000
  if (Array.isArray(value)) return value.map(withEpochTimes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([member, content]) => [member, withEpochTimes(content)]),
  )
}

/** An error. SDKs know its kind by `__type`. */
export function encodeAwsJsonError(error: {
  readonly code: string
  readonly message: string
}): string {
  const type = error.code === 'AccessDenied' ? 'AccessDeniedException' : error.code
  return JSON.stringify({ __type: type, message: error.message })
}
