/**
 * Converts parameters in JSON to the SDK's input object, for transports other than the Query
 * protocol.
 *
 * Names and shapes are the SDK's (`{"InstanceIds": ["i-…"], "MaxResults": 5}`). Limits and refusals
 * are those of `query.ts`, so that an action does not depend on the transport.
 */
import { assertNever, bug, refused } from '../../model/errors.ts'
import type { Budget } from '../budget.ts'
import { type Chunks, joinInSlices } from './chunks.ts'
import type { Scalar, Shape, Structure } from './model.ts'
import { MAX_LIST_INDEX, MAX_NESTING, MAX_VALUE_LENGTH, parseScalar } from './query.ts'

/**
 * The input object of an action. Times become `Date`s. Members that are null are absent. Refusals:
 * `UnknownParameter`, `InvalidParameterValue`.
 */
export function decodeJson(
  input: Structure,
  parameters: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return decodeStructure(input, parameters, [])
}

/**
 * As in XML, members that are null or undefined are left out. Times become ISO 8601. Refuses with
 * `ResponseTooLarge` above the budget's `answerBytes`.
 */
export async function encodeJson(output: object, budget: Budget): Promise<string> {
  return await joinInSlices(writeValue(output), budget)
}

function* writeValue(value: unknown): Chunks {
  if (typeof value !== 'object' || value === null || value instanceof Date)
    return JSON.stringify(value) ?? 'null'
  const parts: string[] = []
  if (Array.isArray(value)) {
    for (const item of value) {
      const text = yield* writeValue(item)
      yield text.length
      parts.push(text)
    }
    return `[${parts.join(',')}]`
  }
  for (const [member, content] of Object.entries(value)) {
    if (content === undefined || content === null) continue
    parts.push(`${JSON.stringify(member)}:${yield* writeValue(content)}`)
  }
  return `{${parts.join(',')}}`
}

/** Member names and list positions above a value. */
type Path = readonly string[]

function decodeStructure(
  structure: Structure,
  value: object,
  path: Path,
): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {}
  for (const [member, content] of Object.entries(value)) {
    const field = structure.byMember.get(member)
    const memberPath = [...path, member]
    if (field === undefined || memberPath.length > MAX_NESTING) throw unknown(memberPath)
    if (content !== null) object[member] = decodeValue(field.shape, content, memberPath)
  }
  return object
}

function decodeValue(shape: Shape, value: unknown, path: Path): unknown {
  switch (shape.kind) {
    case 'scalar':
      return decodeScalar(shape.type, value, path)
    case 'list':
      if (!Array.isArray(value)) throw invalid(path, 'it must be a list')
      if (value.length > MAX_LIST_INDEX)
        throw invalid(path, `a list has at most ${MAX_LIST_INDEX} items`)
      return value.map((item, index) => decodeValue(shape.of, item, [...path, String(index + 1)]))
    case 'structure':
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw invalid(path, 'it must be an object')
      return decodeStructure(shape.structure, value, path)
    case 'map':
      throw bug('no request has a map', { path: path.join('.') })
    default:
      return assertNever(shape)
  }
}

/** A JSON number or boolean for those types, and text for all others. */
function decodeScalar(type: Scalar, value: unknown, path: Path): unknown {
  if (type === 'boolean') {
    if (typeof value === 'boolean') return value
    throw invalid(path, 'it must be true or false')
  }
  if (type === 'number') {
    if (typeof value === 'number' && (!Number.isInteger(value) || Number.isSafeInteger(value)))
      return value
    throw invalid(path, 'it must be a number')
  }
  if (typeof value !== 'string') throw invalid(path, 'it must be text')
  if (value.length > MAX_VALUE_LENGTH)
    throw invalid(path, `it is longer than ${MAX_VALUE_LENGTH} characters`)
  return parseScalar(type, nameOf(path), value)
}

const SHOWN_NAME_LENGTH = 128

function nameOf(path: Path): string {
  return path.join('.').slice(0, SHOWN_NAME_LENGTH)
}

function invalid(path: Path, why: string): Error {
  return refused(
    'InvalidParameterValue',
    `The value of parameter ${nameOf(path)} is invalid: ${why}`,
  )
}

function unknown(path: Path): Error {
  return refused('UnknownParameter', `The parameter ${nameOf(path)} is not recognized`)
}
