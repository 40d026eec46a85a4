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
import type { Scalar, Shape, Structure, WireAction, WireModel } from './model.ts'

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
 * In the model's order, whatever the view's order is, because some clients read a response
 * sequentially.
 */
function* encodeMembers(structure: Structure, value: object, path: string): Chunks {
  const present = new Map<string, unknown>()
  for (const [member, content] of Object.entries(value)) {
    if (content === undefined || content === null) continue
    if (!structure.byMember.has(member))
      throw bug('answer has a member unknown to EC2', { path: `${path}.${member}` })
    present.set(member, content)
  }
  let xml = ''
  for (const [member, { wireName, shape }] of structure.byMember) {
    const content = present.get(member)
    if (content === undefined) continue
    xml += yield* encodeElement(wireName, shape, content, `${path}.${member}`)
  }
  return xml
}

function* encodeElement(name: string, shape: Shape, value: unknown, path: string): Chunks {
  const content =
    shape.kind === 'scalar'
      ? encodeScalar(shape.type, value, path)
      : yield* encodeValue(shape, value, path)
  return content === '' ? `<${name}/>` : `<${name}>${content}</${name}>`
}

function* encodeValue(
  shape: Exclude<Shape, { kind: 'scalar' }>,
  value: unknown,
  path: string,
): Chunks {
  if (shape.kind === 'structure') {
    if (typeof value !== 'object' || value === null) throw mismatch(path, 'an object')
    return yield* encodeMembers(shape.structure, value, path)
  }
  if (!Array.isArray(value)) throw mismatch(path, 'a list')
  let xml = ''
  for (const item of value) {
    const element = yield* encodeElement(shape.item, shape.of, item, path)
    yield element.length
    xml += element
  }
  return xml
}

function encodeScalar(type: Scalar, value: unknown, path: string): string {
  switch (type) {
    case 'string':
    case 'blob':
      if (typeof value === 'string') return escapeText(value)
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
  throw mismatch(path, type)
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
