/**
 * What a record of a call keeps of its parameters and of its answer. Pure.
 *
 * Secrets go by the type of a parameter, not by its value: whatever the SDK's model marks as
 * sensitive, whatever is a blob, and whatever is named like a secret is replaced by CloudTrail's
 * word for it. A value that was removed is removed wherever else the record would repeat it. Of
 * answers only ids, ARNs and names are kept. Everything has a limit.
 */
import type { AuditResource } from '../../model/audit.ts'
import { KIB } from '../../model/sizes.ts'
import { SENSITIVE_MEMBERS } from '../generated/sensitive.ts'
import type { Field, Structure } from '../wire/model.ts'
import { resourceOf } from './resources.ts'

/** CloudTrail's word in place of user data and the like. */
export const REMOVED = '<sensitiveDataRemoved>'
/** Longest text of one parameter, in characters. */
const TEXT_LIMIT = 512
/** Longest JSON text of all parameters. Longer ones are left out as a whole. */
export const PARAMETERS_LIMIT = 8 * KIB
/** The same for the answer. */
const ANSWER_LIMIT = 4 * KIB
/** Most values that are looked at, of the parameters and of the answer. */
const VALUES_LIMIT = 20_000
/** Most resources of one record. */
const RESOURCES_LIMIT = 500
/** Shorter values are in every other text. */
const SECRET_LENGTH = 8
/** Most values that were removed which are looked for in other texts. */
const SECRETS_LIMIT = 100

/** Names of secrets that the model does not mark. ClientToken and NextToken are none. */
const SECRET_NAME =
  /secret|passw|credential|privatekey|userdata|material|(?:session|security|identity|access|web)token|tokencode|assertion|encodedmessage/i
/** Members of answers that are kept. */
const ID_NAME = /(?:Ids?|Arns?|Name)$/

const sensitive: ReadonlySet<string> = new Set(SENSITIVE_MEMBERS)

/** What is kept of a request or an answer. */
export interface Kept {
  /** Null: nothing. */
  readonly shown: object | null
  readonly resources: readonly AuditResource[]
  /** The values that were removed. */
  readonly secrets: readonly string[]
}

const NOTHING: Kept = { shown: null, resources: [], secrets: [] }

/** Whether a member is a secret, by the model. */
export function isSecret({ name }: Structure, { member, shape }: Field): boolean {
  const isBlob = shape.kind === 'scalar' && shape.type === 'blob'
  return isBlob || sensitive.has(`${name}.${member}`) || SECRET_NAME.test(member)
}

/** Whether any answer of this form contains what is secret. */
export function hasSecrets(
  structure: Structure | undefined,
  seen: Set<Structure> = new Set(),
): boolean {
  if (structure === undefined || seen.has(structure)) return false
  seen.add(structure)
  return [...structure.byMember.values()].some((field) => {
    let { shape } = field
    while (shape.kind === 'list') shape = shape.of
    return (
      sensitive.has(`${structure.name}.${field.member}`) ||
      (shape.kind === 'structure' && hasSecrets(shape.structure, seen))
    )
  })
}

/** What is kept of decoded parameters. */
export function keptParameters(structure: Structure, input: object | undefined): Kept {
  if (input === undefined) return NOTHING
  const walk = createWalk(() => true)
  const shown = cleared(walk.structure(structure, input), walk.secrets)
  const kept = { resources: walk.resources(), secrets: walk.secrets }
  return { ...kept, shown: withinLimit('requestParameters', shown, PARAMETERS_LIMIT) }
}

/** What is kept of an answer: ids, ARNs and names. */
export function keptAnswer(structure: Structure | undefined, output: object | undefined): Kept {
  if (structure === undefined || output === undefined) return NOTHING
  const walk = createWalk(({ member }) => ID_NAME.test(member))
  const shown = walk.structure(structure, output)
  const kept = { resources: walk.resources(), secrets: walk.secrets }
  if (Object.keys(shown).length === 0) return { ...kept, shown: null }
  return {
    ...kept,
    shown: withinLimit('responseElements', shown, ANSWER_LIMIT),
  }
}

/** The text without these values. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let safe = text
  for (const secret of secrets)
    if (secret.length >= SECRET_LENGTH) safe = safe.replaceAll(secret, REMOVED)
  return safe
}

/** A value whose texts do not have these values. */
function cleared(value: object, secrets: readonly string[]): object {
  if (secrets.length === 0) return value
  const entries = Object.entries(value).map(([key, one]): [string, unknown] => [
    key,
    typeof one === 'string'
      ? withoutSecrets(one, secrets)
      : typeof one === 'object' && one !== null
        ? cleared(one, secrets)
        : one,
  ])
  return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries)
}

/** The value, or CloudTrail's words for what is too long. */
function withinLimit(what: string, value: object, limit: number): object {
  const { length } = JSON.stringify(value)
  if (length <= limit) return value
  const reason = `${what} is longer than ${limit} characters`
  return { omitted: true, originalSize: length, reason }
}

/** Walks values by their shapes. */
function createWalk(isKept: (field: Field) => boolean) {
  const secrets: string[] = []
  const found = new Map<string, AuditResource>()
  let left = VALUES_LIMIT

  function scalar(field: Field, value: unknown): unknown {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
    if (typeof value !== 'string') return value
    const resource = resourceOf(field.member, value)
    if (resource !== undefined && found.size < RESOURCES_LIMIT)
      found.set(`${resource.type} ${resource.name}`, resource)
    return cut(value)
  }

  function keptValue(field: Field, value: unknown): unknown {
    left -= 1
    if (left < 0 || value === undefined || value === null) return undefined
    if (Array.isArray(value)) {
      const items = value.map((item) => keptValue(field, item)).filter((item) => item !== undefined)
      return items.length === 0 && value.length > 0 ? undefined : items
    }
    let { shape } = field
    while (shape.kind === 'list') shape = shape.of
    if (shape.kind === 'scalar') {
      const one = scalar(field, value)
      return isKept(field) ? one : undefined
    }
    // No request has a map, and no answer that is recorded.
    const inside = shape.kind === 'map' ? {} : structure(shape.structure, value)
    return Object.keys(inside).length === 0 ? undefined : inside
  }

  function structure(shape: Structure, value: unknown): Record<string, unknown> {
    const shown: Record<string, unknown> = {}
    if (typeof value !== 'object' || value === null) return shown
    for (const [member, content] of Object.entries(value)) {
      const field = shape.byMember.get(member)
      if (field === undefined || content === undefined || content === null) continue
      const isRemoved = isSecret(shape, field)
      if (isRemoved) collect(content, secrets)
      if (isRemoved && !isKept(field)) continue
      const one = isRemoved ? REMOVED : keptValue(field, content)
      if (one !== undefined) shown[camel(member)] = one
    }
    return shown
  }

  return { structure, secrets, resources: () => [...found.values()] }
}

/** All texts of a value. */
function collect(value: unknown, into: string[]): void {
  if (into.length >= SECRETS_LIMIT) return
  if (typeof value === 'string') into.push(value)
  else if (typeof value === 'object' && value !== null)
    for (const one of Object.values(value)) collect(one, into)
}

function cut(text: string): string {
  if (text.length <= TEXT_LIMIT) return text
  return `${text.slice(0, TEXT_LIMIT)}… (${text.length} characters)`
}

/** As CloudTrail writes names: `InstanceId` is `instanceId`. */
function camel(member: string): string {
  return `${member.charAt(0).toLowerCase()}${member.slice(1)}`
}
