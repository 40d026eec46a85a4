/**
 * Converts EC2 Query parameters to the SDK's input object.
 *
 * `parseForm` splits the form, and `decodeInput` types it by the generated model. Both refuse
 * invalid input with the name of the parameter, and check every size against a named limit. Pure.
 * Rules: https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html; form encoding:
 * https://url.spec.whatwg.org/#application/x-www-form-urlencoded.
 */
import { assertNever, refused } from '../../model/errors.ts'
import { parseBase64 } from './base64.ts'
import type { Field, Scalar, Shape, Structure } from './model.ts'

/**
 * Maximum number of parameters of one request (1,000 instance ids with a few filters fit four
 * times).
 */
export const MAX_PARAMETERS = 4096
/** Longest parameter name, in characters. */
export const MAX_NAME_LENGTH = 256
/** Longest value in characters. User data of EC2's 16 KiB takes 21,848 in base64. */
export const MAX_VALUE_LENGTH = 65_536
/** Highest position in a list. */
export const MAX_LIST_INDEX = 4096
/**
 * Maximum number of parts in a name such as
 * `NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress`.
 */
export const MAX_NESTING = 12

/** A decoded pair of a form. */
export interface Parameter {
  readonly name: string
  readonly value: string
}

/**
 * The pairs of a form in their order, with `+` and percent sequences decoded. Refuses with
 * `MalformedQueryString` invalid percent sequences and invalid UTF-8.
 */
export function parseForm(form: string): readonly Parameter[] {
  const parameters: Parameter[] = []
  let start = 0
  // Empty pairs count as well, because they take as long to skip.
  for (let pairs = 0; start < form.length; pairs += 1) {
    const ampersand = form.indexOf('&', start)
    const end = ampersand === -1 ? form.length : ampersand
    if (end > start) parameters.push(parsePair(form.slice(start, end)))
    start = end + 1
    if (pairs >= MAX_PARAMETERS) {
      throw refused('InvalidRequest', `The request has more than ${MAX_PARAMETERS} parameters`)
    }
  }
  return parameters
}

function parsePair(pair: string): Parameter {
  const equals = pair.indexOf('=')
  const name = decodeText(equals === -1 ? pair : pair.slice(0, equals))
  const value = equals === -1 ? '' : decodeText(pair.slice(equals + 1))
  if (name.length > MAX_NAME_LENGTH) {
    throw refused('InvalidRequest', `A parameter name is longer than ${MAX_NAME_LENGTH} characters`)
  }
  if (value.length > MAX_VALUE_LENGTH) {
    throw invalid(name, `it is longer than ${MAX_VALUE_LENGTH} characters`)
  }
  return { name, value }
}

function decodeText(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw refused(
      'MalformedQueryString',
      'The query string is malformed: percent sequences must spell UTF-8',
    )
  }
}

/** A value under construction, because parameters may come in any order. */
type Draft =
  | { readonly kind: 'scalar'; readonly value: unknown }
  | { readonly kind: 'structure'; readonly fields: Map<Field, Draft> }
  | { readonly kind: 'list'; readonly items: Map<number, Draft> }

/** What older clients send in each form, too; EC2 goes by the headers. */
const OF_SIGNATURES: ReadonlySet<string> = new Set(['Timestamp', 'X-Amz-Security-Token'])

/**
 * The input object of an action in the SDK's member names and types, from all parameters except
 * `Action`, `Version` and what belongs to signatures.
 *
 * List items are numbered from 0 or from 1. A single one without a number (`KeyName=a`,
 * `Filter.Name=a`) comes before those with one. `.member.` before a number, as in other services of
 * AWS, is ignored. Gaps in the numbering are closed.
 *
 * An empty value means absent (Go SDK v1 sends `SubnetId=` for an unset value), except where it has
 * a meaning (`MEANT_WHEN_EMPTY`), and in numbered list items, whose emptiness the action must see.
 * Refusals: `UnknownParameter`, `InvalidParameterValue`.
 */
export function decodeInput(
  input: Structure,
  parameters: readonly Parameter[],
): Readonly<Record<string, unknown>> {
  const root: Draft = { kind: 'structure', fields: new Map() }
  for (const { name, value } of parameters) {
    if (name === 'Action' || name === 'Version') continue
    if (OF_SIGNATURES.has(name) && !input.byWireName.has(name)) continue
    const path = name.split('.').filter((step, at, steps) => !isListMarker(step, steps[at + 1]))
    if (path.length > MAX_NESTING) throw unknown(name)
    place({ name, value, path }, 0, { kind: 'structure', structure: input }, root)
  }
  return finishStructure(root.fields)
}

/**
 * `member` in `InstanceId.member.1`. No member of EC2's requests begins with a lower-case letter.
 */
function isListMarker(step: string, next: string | undefined): boolean {
  return step === 'member' && next !== undefined && /^\d+$/.test(next)
}

/**
 * The client's name of the parameter at a path of SDK members and list positions: `['Filters', 0,
 * 'Name']` → `Filter.1.Name`.
 */
export function wireNameOf(input: Structure, path: readonly PropertyKey[]): string {
  let shape: Shape = { kind: 'structure', structure: input }
  const names: string[] = []
  for (const step of path) {
    if (typeof step === 'number') {
      names.push(String(step + 1))
      if (shape.kind === 'list') shape = shape.of
      continue
    }
    const field: Field | undefined =
      shape.kind === 'structure' ? shape.structure.byMember.get(String(step)) : undefined
    names.push(field?.wireName ?? String(step))
    if (field !== undefined) shape = field.shape
  }
  return names.join('.')
}

interface Placing extends Parameter {
  readonly path: readonly string[]
}

/**
 * Follows a parameter's name down the shapes from its part `depth` on, and stores its value at the
 * end.
 */
function place(placing: Placing, depth: number, shape: Shape, draft: Draft): void {
  const { name, path } = placing
  const step = path[depth] ?? ''
  if (shape.kind === 'structure' && draft.kind === 'structure') {
    const field = shape.structure.byWireName.get(step)
    if (field === undefined) throw unknown(name)
    placeField(placing, depth, field, draft.fields)
  } else if (shape.kind === 'list' && draft.kind === 'list') {
    const isWithoutNumber = shape.of.kind === 'structure' && !/^\d+$/.test(step)
    const key = isWithoutNumber ? UNNUMBERED : parseIndex(name, step)
    const next = isWithoutNumber ? depth : depth + 1
    if (next === path.length) complete(draft.items, key, shape.of, placing)
    else place(placing, next, shape.of, enter(draft.items, key, shape.of, name))
  } else {
    throw unknown(name)
  }
}

function placeField(
  placing: Placing,
  depth: number,
  field: Field,
  fields: Map<Field, Draft>,
): void {
  const { name, value, path } = placing
  const { shape } = field
  if (depth < path.length - 1) {
    place(placing, depth + 1, shape, enter(fields, field, shape, name))
  } else if (value === '' && emptyIsAbsent(field, depth)) {
    return
  } else if (shape.kind === 'list' && shape.of.kind === 'scalar') {
    const list = enter(fields, field, shape, name)
    // Each is the next item, and all precede those with a number.
    if (list.kind === 'list')
      complete(list.items, list.items.size - MAX_PARAMETERS, shape.of, placing)
  } else {
    complete(fields, field, shape, placing)
  }
}

/** The position of a list's only item whose members have no number. */
const UNNUMBERED = -1

/** Stores the value at the end of the name. */
function complete<K>(
  drafts: Map<K, Draft>,
  key: K,
  shape: Shape,
  { name, value }: Parameter,
): void {
  if (drafts.has(key)) throw invalid(name, 'it is given more than once')
  drafts.set(key, { kind: 'scalar', value: leaf(shape, name, value) })
}

/** The draft under `key`, created if it does not exist. */
function enter<K>(drafts: Map<K, Draft>, key: K, shape: Shape, name: string): Draft {
  const draft = drafts.get(key) ?? emptyDraft(shape, name)
  drafts.set(key, draft)
  return draft
}

function emptyDraft(shape: Shape, name: string): Draft {
  switch (shape.kind) {
    case 'structure':
      return { kind: 'structure', fields: new Map() }
    case 'list':
      return { kind: 'list', items: new Map() }
    case 'scalar':
    case 'map':
      throw unknown(name)
    default:
      return assertNever(shape)
  }
}

function leaf(shape: Shape, name: string, value: string): unknown {
  switch (shape.kind) {
    case 'scalar':
      return parseScalar(shape.type, name, value)
    case 'list':
      throw invalid(
        name,
        `it is a list of structures; name a member, as in ${name}.1.${exampleOf(shape.of)}`,
      )
    case 'structure':
      throw invalid(name, `it has members; name one, as in ${name}.${exampleOf(shape)}`)
    case 'map':
      throw unknown(name)
    default:
      return assertNever(shape)
  }
}

function exampleOf(shape: Shape): string {
  const [first = 'Name'] = shape.kind === 'structure' ? shape.structure.byWireName.keys() : []
  return first
}

/** A tag's value may be empty. An empty `NoDevice` removes a device from an image's mapping. */
const MEANT_WHEN_EMPTY: readonly string[] = ['Value', 'NoDevice']

/** Of the request itself: without one, CopyImage makes a description, and Terraform wants none. */
const REQUESTS_MEANT_WHEN_EMPTY: readonly string[] = [...MEANT_WHEN_EMPTY, 'Description']

function emptyIsAbsent({ member, shape }: Field, depth: number): boolean {
  const text = shape.kind === 'scalar' && (shape.type === 'string' || shape.type === 'blob')
  const meant = depth === 0 ? REQUESTS_MEANT_WHEN_EMPTY : MEANT_WHEN_EMPTY
  return !(text && meant.includes(member))
}

function parseIndex(name: string, step: string): number {
  const index = /^(?:0|[1-9]\d{0,4})$/.test(step) ? Number(step) : Number.NaN
  if (index <= MAX_LIST_INDEX) return index
  throw /^\d+$/.test(step)
    ? invalid(name, `list items are numbered from 1 to ${MAX_LIST_INDEX}`)
    : unknown(name)
}

function finishStructure(fields: ReadonlyMap<Field, Draft>): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {}
  for (const [field, draft] of fields) {
    const value = finish(draft)
    if (draft.kind === 'structure' && isEmpty(value)) continue
    object[field.member] = value
  }
  return object
}

/** A structure with only empty members is absent (`IamInstanceProfile.Name=`). */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function finish(draft: Draft): unknown {
  switch (draft.kind) {
    case 'scalar':
      return draft.value
    case 'structure':
      return finishStructure(draft.fields)
    case 'list':
      return [...draft.items].sort(([a], [b]) => a - b).map(([, item]) => finish(item))
    default:
      return assertNever(draft)
  }
}

/** Parses a value by its type (see `Scalar`). Refuses with `InvalidParameterValue`. */
export function parseScalar(type: Scalar, name: string, text: string): unknown {
  switch (type) {
    case 'string':
      if (!UNPRINTABLE.test(text)) return text
      throw invalid(name, 'it contains control characters')
    case 'number':
      return parseNumber(name, text)
    case 'boolean':
      return parseBoolean(name, text)
    case 'timestamp':
      return parseTimestamp(name, text)
    case 'blob': {
      const base64 = parseBase64(text)
      if (base64 !== undefined) return base64
      throw invalid(name, 'it is not base64')
    }
    default:
      return assertNever(type)
  }
}

/** Characters that XML 1.0 cannot contain (https://www.w3.org/TR/xml/#charsets). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

/**
 * The longest number that is written without an exponent, from 1e-6 to below 1e21 (ECMA-262,
 * Number::toString).
 */
const DECIMAL = /^[+-]?\d{1,21}(?:\.\d{1,22})?(?:[eE][+-]?\d{1,3})?$/

function parseNumber(name: string, text: string): number {
  const number = DECIMAL.test(text) ? Number(text) : Number.NaN
  const exact = Number.isInteger(number) ? Number.isSafeInteger(number) : Number.isFinite(number)
  if (exact) return number
  throw wrongType(name, text, 'a number')
}

function parseBoolean(name: string, text: string): boolean {
  const lower = text.toLowerCase()
  // XML Schema's boolean has both spellings (https://www.w3.org/TR/xmlschema-2/#boolean).
  if (lower === 'true' || lower === '1') return true
  if (lower === 'false' || lower === '0') return false
  throw wrongType(name, text, 'true or false')
}

/** ISO 8601 with seconds. UTC unless it has an offset. */
function parseTimestamp(name: string, text: string): Date {
  const [, local, zone = 'Z'] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? []
  const time = local === undefined ? new Date(Number.NaN) : new Date(`${local}${zone}`)
  if (!Number.isNaN(time.getTime())) return time
  throw wrongType(name, text, 'a time such as 2026-11-22T08:33:27Z')
}

const SHOWN_LENGTH = 64

function wrongType(name: string, text: string, expected: string): Error {
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text
  return refused(
    'InvalidParameterValue',
    `Value (${shown}) for parameter ${name} is invalid: it must be ${expected}`,
  )
}

function invalid(name: string, why: string): Error {
  return refused('InvalidParameterValue', `The value of parameter ${name} is invalid: ${why}`)
}

function unknown(name: string): Error {
  return refused('UnknownParameter', `The parameter ${name} is not recognized`)
}
