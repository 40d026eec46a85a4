/**
 * Encodes responses as XML in the form of EC2 and STS.
 *
 * EC2: `<ActionResponse>` with `<requestId>` and the members directly inside. STS: `<ActionResult>`
 * around the members, and `<ResponseMetadata>` after them. Errors: each service's own document.
 * Rules: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html (EC2),
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html (STS).
 */
import { assertNever, bug } from '../../model/errors.ts'
import type { Budget } from '../budget.ts'
import { type Chunks, joinInSlices } from './chunks.ts'
import type { Scalar, Shape, Structure, Tags, WireAction, WireModel } from './model.ts'

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/**
 * The output of an action, with members in EC2's order. Undefined and null members are left out. An
 * empty list is an empty element. A member that the model does not know, or with another type, is a
 * `bug`, because clients would never see it. Refuses with `ResponseTooLarge` above the budget's
 * `answerBytes`.
 */
export async function encodeAnswer(
  action: WireAction,
  requestId: string,
  output: object,
  budget: Budget,
): Promise<string> {
  const { name, service } = action
  const members =
    action.output === undefined
      ? '<return>true</return>'
      : await joinInSlices(encodeMembers(action.output, output, name), budget)
  const result = action.output === undefined ? '' : `<${name}Result>${members}</${name}Result>`
  const content = service.wrapped
    ? `${result}<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`
    : `<requestId>${requestId}</requestId>${members}`
  return `${DECLARATION}<${name}Response xmlns="${service.namespace}">${content}</${name}Response>`
}

/** An error document in the form of the requested service. */
export function encodeError(
  service: Pick<WireModel, 'wrapped' | 'namespace'>,
  error: { readonly status: number; readonly code: string; readonly message: string },
  requestId: string,
): string {
  const content = `<Code>${error.code}</Code><Message>${escapeText(error.message)}</Message>`
  if (!service.wrapped) {
    return `${DECLARATION}<Response><Errors><Error>${content}</Error></Errors><RequestID>${requestId}</RequestID></Response>`
  }
  const type = error.status < 500 ? 'Sender' : 'Receiver'
  return `${DECLARATION}<ErrorResponse xmlns="${service.namespace}"><Error><Type>${type}</Type>${content}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`
}

/**
 * The text under construction. Pieces are joined some hundreds at a time: to join each element at
 * once, or all at the end, would leave much more to the garbage collector.
 */
interface Document {
  readonly pieces: string[]
  readonly joined: string[]
  /** Of all of it, in characters. */
  length: number
}

/** Pieces that are joined. */
const PIECES = 500

function* encodeMembers(structure: Structure, value: object, path: string): Chunks {
  const document: Document = { pieces: [], joined: [], length: 0 }
  yield* writeMembers(document, structure, value, path)
  join(document)
  return document.joined.join('')
}

function write(document: Document, piece: string): void {
  document.pieces.push(piece)
  document.length += piece.length
}

function join({ pieces, joined }: Document): void {
  joined.push(pieces.join(''))
  pieces.length = 0
}

/** Writes parts of a document. Yields its length after each item of a list. */
type Writing = Generator<number, void, void>

/**
 * In the model's order, whatever the view's order is, because some clients read a response
 * sequentially.
 */
function* writeMembers(
  document: Document,
  structure: Structure,
  value: object,
  path: string,
): Writing {
  for (const member of Object.keys(value))
    if (!structure.byMember.has(member) && contentOf(value, member) !== undefined)
      throw bug('answer has a member unknown to EC2', { path: `${path}.${member}` })
  for (const field of structure.members) {
    const content = contentOf(value, field.member)
    if (content === undefined) continue
    const { member, tags, shape } = field
    // Most are scalars, and a generator for each would take longer than the rest.
    if (shape.kind === 'scalar') writeScalar(document, tags, shape.type, content, path, member)
    else yield* writeElement(document, tags, shape, content, `${path}.${member}`)
  }
}

/** Undefined when it is left out. */
function contentOf(value: object, member: string): unknown {
  return Reflect.get(value, member) ?? undefined
}

/** `path` and `member` say where it is. They are put together only for an error. */
function writeScalar(
  document: Document,
  { open, close, empty }: Tags,
  type: Scalar,
  value: unknown,
  path: string,
  member?: string,
): void {
  const text = encodeScalar(type, value)
  if (text === undefined) throw mismatch(member === undefined ? path : `${path}.${member}`, type)
  if (text === '') write(document, empty)
  else write(document, open + text + close)
}

function* writeElement(
  document: Document,
  { open, close, empty }: Tags,
  shape: Exclude<Shape, { kind: 'scalar' }>,
  value: unknown,
  path: string,
): Writing {
  write(document, open)
  const { length } = document
  if (shape.kind === 'list') yield* writeItems(document, shape, value, path)
  else if (shape.kind === 'map') yield* writeEntries(document, shape.entry, value, path)
  else if (typeof value !== 'object' || value === null) throw mismatch(path, 'an object')
  else yield* writeMembers(document, shape.structure, value, path)
  if (document.length > length) {
    write(document, close)
    return
  }
  document.pieces.pop()
  document.length -= open.length
  write(document, empty)
}

function* writeItems(
  document: Document,
  { tags, of }: Extract<Shape, { kind: 'list' }>,
  value: unknown,
  path: string,
): Writing {
  if (!Array.isArray(value)) throw mismatch(path, 'a list')
  for (const item of value) {
    if (of.kind === 'scalar') writeScalar(document, tags, of.type, item, path)
    else yield* writeElement(document, tags, of, item, path)
    if (document.pieces.length > PIECES) join(document)
    yield document.length
  }
}

function* writeEntries(
  document: Document,
  entry: Structure,
  value: unknown,
  path: string,
): Writing {
  if (typeof value !== 'object' || value === null) throw mismatch(path, 'an object')
  for (const [key, one] of Object.entries(value)) {
    write(document, '<entry>')
    yield* writeMembers(document, entry, { key, value: one }, path)
    write(document, '</entry>')
    if (document.pieces.length > PIECES) join(document)
    yield document.length
  }
}

/** Undefined when the value is not of this type. */
function encodeScalar(type: Scalar, value: unknown): string | undefined {
  switch (type) {
    case 'string':
      if (typeof value === 'string') return escapeText(value)
      break
    case 'blob':
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
      break
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value)) return String(value)
      break
    case 'boolean':
      if (typeof value === 'boolean') return String(value)
      break
    case 'timestamp': {
      const time = value instanceof Date || typeof value === 'string' ? new Date(value) : undefined
      if (time !== undefined && !Number.isNaN(time.getTime())) return time.toISOString()
      break
    }
    default:
      return assertNever(type)
  }
  return undefined
}

function mismatch(path: string, expected: string): Error {
  return bug('answer does not have the type that EC2 promises', { path, expected })
}

/** Markup, and the carriage return, which a parser would turn into a line feed (XML 1.0, 2.11). */
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
}
/** Characters that need escaping, and those that XML 1.0 cannot contain, which become U+FFFD. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const SPECIAL = /[&<>"\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

function escapeText(text: string): string {
  const replaced = text.replaceAll(SPECIAL, (character) => ESCAPES[character] ?? '\ufffd')
  return replaced.isWellFormed() ? replaced : replaced.toWellFormed()
}
