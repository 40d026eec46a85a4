/**
 * Writes `docs/coverage.md`: every action of EC2, which of them Atoll answers, and with which
 * parameters and filters.
 *
 * EC2's side comes from the schemas of `@aws-sdk/client-ec2`, Atoll's from the schemas that its
 * actions parse their parameters with. A test checks that the committed page is what this writes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import { NormalizedSchema } from '@smithy/core/schema'
import { z } from 'zod'
import type { Action } from '../src/api/action.ts'
import { allActions } from '../src/api/actions/all.ts'
import { DOCUMENTED_FILTERS } from '../src/api/generated/filters.ts'
import { wrapMarkdown } from './wrap-markdown.ts'

const FILE = join(import.meta.dirname, '../docs/coverage.md')
/** The page as it is committed. */
export function readCoverage(): string {
  return readFileSync(FILE, 'utf8')
}

/** The page as the code has it. */
export function coverage(): string {
  const answers = new Map<string, Action>(allActions.map((action) => [action.name, action]))
  const names = actionNames()
  const isAbsent = (name: string) => answers.get(name)?.isAbsent === true
  const full = names.filter((name) => answers.has(name) && !isAbsent(name))
  const empty = names.filter(isAbsent)
  const others = names.filter((name) => !answers.has(name))
  return [
    '<!-- Written by scripts/generate-coverage.ts; do not edit. -->',
    '# What Atoll answers of EC2',
    wrapMarkdown(
      `The EC2 API has ${names.length} actions (version 2016-11-15, as @aws-sdk/client-ec2 knows it). Atoll carries out ${full.length} of them, answers ${empty.length} with an empty list, because it has nothing of the kind, and refuses the other ${others.length} with \`InvalidAction\`. Of STS and IAM it answers what [accounts.md](accounts.md) lists.`,
    ),
    ['| | actions |', '|---|---|', ...groupCounts(full, empty, others)].join('\n'),
    '## Actions that are carried out',
    wrapMarkdown(LEGEND),
    ...full.map((name) => section(answers.get(name))),
    '## Actions that are answered with an empty list',
    wrapMarkdown(EMPTY_LEGEND),
    wrapMarkdown(`${empty.join(', ')}.`),
    '## Actions that are not answered',
    ...byVerb(others),
    '',
  ].join('\n\n')
}

const LEGEND = `*Parameters* do what EC2 says. *One value* is taken with that value only, which is how it is here; any other is refused. *No effect*: taken, and changes nothing; of those marked * the value is shown again. *Refused*: \`UnsupportedOperation\`, and the parameter is named. *Filters* compare with what is shown. *Filters of nothing* are about something that Atoll does not have, and match nothing; any other name is refused.`
const EMPTY_LEGEND = `What is asked for by id or name does not exist, and is refused so. All other parameters and all documented filters are taken and narrow down nothing.`

function groupCounts(
  full: readonly string[],
  empty: readonly string[],
  others: readonly string[],
): readonly string[] {
  return [
    `| carried out | ${full.length} |`,
    `| answered with an empty list | ${empty.length} |`,
    `| not answered | ${others.length} |`,
  ]
}

/** The names of all actions of EC2 in the SDK, in order. */
function actionNames(): readonly string[] {
  return Object.keys(ec2)
    .flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? [])
    .toSorted()
}

/** What is said of one parameter. */
export interface Parameter {
  readonly name: string
  /** The SDK's word for its type. */
  readonly type: string
  /** Whether a request must have it. */
  readonly isRequired: boolean
  readonly kind: 'taken' | 'only' | 'none' | 'shown' | 'refused'
  readonly only?: unknown
}

function section(action: Action | undefined): string {
  if (action === undefined) throw new Error('an action went missing')
  const parameters = parametersOf(action)
  const list = (kinds: readonly Parameter['kind'][], print: (one: Parameter) => string) =>
    parameters
      .filter(({ kind }) => kinds.includes(kind))
      .map(print)
      .join(', ')
  const name = (one: Parameter) => `\`${one.name}\``
  const { works, nothing } = filtersOf(action)
  const lines = [
    ['Parameters', list(['taken'], name)],
    ['One value', list(['only'], (one) => `${name(one)} (${shown(one.only)})`)],
    [
      'No effect',
      list(['none', 'shown'], (one) => `${name(one)}${one.kind === 'shown' ? '*' : ''}`),
    ],
    ['Refused', list(['refused'], name)],
    ['Filters', works.map((filter) => `\`${filter}\``).join(', ')],
    ['Filters of nothing', nothing.map((filter) => `\`${filter}\``).join(', ')],
  ]
  const told = lines.filter(([, text]) => text !== '')
  return [
    `### ${action.name}`,
    ...told.map(([what, text]) => wrapMarkdown(`- *${what}:* ${text}`)),
  ].join('\n')
}

/** A value that a parameter may have, as the pages print it. */
export function shown(value: unknown): string {
  if (value === '') return 'empty'
  return value === 'an empty list' ? value : `\`${String(value)}\``
}

/**
 * EC2's parameters of an action, in its own order. Members of structures are named only where they
 * are not simply taken.
 */
export function parametersOf(action: Action): readonly Parameter[] {
  const operation: unknown = Reflect.get(ec2, `${action.name}$`)
  if (!Array.isArray(operation)) throw new Error(`the SDK has no action ${action.name}`)
  const input = NormalizedSchema.of(operation[4] as Parameters<typeof NormalizedSchema.of>[0])
  const shape = shapeOf(action.input)
  if (shape === undefined) throw new Error(`the parameters of ${action.name} are no object`)
  return members(input, { ...shape, DryRun: z.boolean().optional() }, '')
}

type Shape = Readonly<Record<string, z.core.$ZodType>>

function members(structure: NormalizedSchema, shape: Shape, prefix: string): readonly Parameter[] {
  if (structure.isUnitSchema()) return []
  return [...structure.structIterator()].flatMap(([member, type]): readonly Parameter[] => {
    const ours = shape[member]
    const isRequired = ours !== undefined && !z.safeParse(ours, undefined).success
    const said = { name: `${prefix}${member}`, type: typeName(type), isRequired }
    if (ours === undefined) return [{ ...said, kind: 'refused' }]
    const { only, effect } = noteOf(ours)
    if (only !== undefined) return [{ ...said, kind: 'only', only }]
    if (effect !== undefined) return [{ ...said, kind: effect }]
    const of = type.isListSchema() ? type.getValueSchema() : type
    const inner = of.isStructSchema() ? shapeOf(ours) : undefined
    const below = inner === undefined ? [] : members(of, inner, `${said.name}.`)
    const special = below.filter(({ kind }) => kind !== 'taken')
    if (special.length === below.length && below.length > 0) return special
    return [{ ...said, kind: 'taken' }, ...special]
  })
}

function typeName(type: NormalizedSchema): string {
  if (type.isListSchema()) return `list of ${typeName(type.getValueSchema())}`
  if (type.isStructSchema()) return 'structure'
  if (type.isBooleanSchema()) return 'boolean'
  if (type.isTimestampSchema()) return 'time'
  if (type.isBlobSchema()) return 'base64'
  return type.isNumericSchema() ? 'number' : 'string'
}

const noteSchema = z.object({
  only: z.unknown().optional(),
  effect: z.enum(['none', 'shown', 'refused']).optional(),
  parsedBy: z.instanceof(z.ZodType).optional(),
})

/** What `schemas.ts` notes of a parameter. */
function noteOf(schema: z.core.$ZodType) {
  return noteSchema.parse(z.globalRegistry.get(schema) ?? {})
}

/**
 * The members of what a schema parses, or of the items of its list; undefined when it parses
 * something else.
 */
function shapeOf(schema: z.core.$ZodType): Shape | undefined {
  const { parsedBy } = noteOf(schema)
  if (parsedBy !== undefined) return shapeOf(parsedBy)
  if (schema instanceof z.ZodObject) return schema.shape
  if (schema instanceof z.ZodArray) return shapeOf(schema.element)
  if (schema instanceof z.ZodPipe)
    return shapeOf(schema.in instanceof z.ZodTransform ? schema.out : schema.in)
  const isWrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  return isWrapped ? shapeOf(schema.unwrap()) : undefined
}

/**
 * The filters of an action: those that compare with something, and those that EC2 documents beside
 * them.
 */
export function filtersOf({ name, filters }: Action) {
  const documented = (DOCUMENTED_FILTERS[name] ?? []).map((filter) =>
    filter === 'tag:' ? TAG_FILTER : filter,
  )
  const ofTags = [TAG_FILTER, 'tag-key', 'tag-value']
  const known = [...(filters?.names ?? []), ...(filters?.tags === true ? ofTags : [])]
  const takesFilters = documented.length > 0
  return {
    works: takesFilters ? known.toSorted() : [],
    nothing: documented.filter((filter) => !known.includes(filter)).toSorted(),
  }
}

const TAG_FILTER = 'tag:<key>'

/** Names by their first word, one paragraph each; those of few together at the end. */
function byVerb(names: readonly string[]): readonly string[] {
  const groups = Map.groupBy(names, (name) => /^[A-Z][a-z]+/.exec(name)?.[0] ?? name)
  const isLarge = (group: readonly string[]) => group.length >= LARGE_GROUP
  const large = [...groups].filter(([, group]) => isLarge(group))
  const small = [...groups].flatMap(([, group]) => (isLarge(group) ? [] : group))
  return [
    ...large.map(([verb, group]) =>
      wrapMarkdown(`**${verb}** (${group.length}): ${group.join(', ')}.`),
    ),
    wrapMarkdown(`**Others** (${small.length}): ${small.join(', ')}.`),
  ]
}

const LARGE_GROUP = 8

if (import.meta.main) writeFileSync(FILE, coverage())
