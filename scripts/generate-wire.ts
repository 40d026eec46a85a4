/**
 * Writes `src/api/generated`: what the actions that the API answers (`src/api/actions`) look like
 * on the wire.
 *
 * The source is the schemas of `@aws-sdk/client-ec2`, `-iam` and `-sts`, development
 * dependencies that the daemon never loads. A test checks that the committed files are what this
 * writes.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import * as iam from '@aws-sdk/client-iam'
import * as sts from '@aws-sdk/client-sts'
import { NormalizedSchema } from '@smithy/core/schema'
import type { Action } from '../src/api/action.ts'
import { allActions } from '../src/api/actions/all.ts'
import type { WireModel } from '../src/api/wire/model.ts'
import { DOCUMENTED_ORDER } from './documented-order.ts'

/** The names of these actions, in order. */
function namesOf(actions: readonly Action[]): readonly string[] {
  return actions.map(({ name }) => name).toSorted()
}

/** The names of the actions that the client has. No two services have one of the same name. */
function actionsOf(client: object): readonly string[] {
  return namesOf(allActions).filter((name) => Reflect.has(client, `${name}$`))
}

const STS_ACTIONS = actionsOf(sts)
const IAM_ACTIONS = actionsOf(iam)
const EC2_ACTIONS = actionsOf(ec2)
/** Of these the wire needs to know no more than that their lists are empty. */
const EMPTY_ACTIONS = namesOf(allActions.filter(({ isAbsent }) => isAbsent === true))

const DIRECTORY = join(import.meta.dirname, '../src/api/generated')

type Schema = Parameters<typeof NormalizedSchema.of>[0]
type Table = Record<string, Record<string, string>>
/** How requests and answers differ: what a member is called, and what the items of a list are. */
interface Direction {
  readonly memberName: (member: string, schema: NormalizedSchema) => string
  readonly itemName: (item: NormalizedSchema) => string
}

/**
 * The generated files, by name. Throws when the SDK's schemas hold something that the wire cannot
 * express.
 */
export function generateWire(): Readonly<Record<string, string>> {
  const ec2Model = describe(ec2, EC2_ACTIONS, {
    name: 'ec2',
    version: '2016-11-15',
    namespace: 'http://ec2.amazonaws.com/doc/2016-11-15/',
    wrapped: false,
  })
  const iamModel = describe(iam, IAM_ACTIONS, {
    name: 'iam',
    version: '2010-05-08',
    namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    wrapped: true,
  })
  const stsModel = describe(sts, STS_ACTIONS, {
    name: 'sts',
    version: '2011-06-15',
    namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    wrapped: true,
  })
  return {
    'ec2.ts': print('EC2_MODEL', '@aws-sdk/client-ec2', ec2Model),
    'iam.ts': print('IAM_MODEL', '@aws-sdk/client-iam', iamModel),
    'sts.ts': print('STS_MODEL', '@aws-sdk/client-sts', stsModel),
    'sensitive.ts': printSensitive([ec2Model, iamModel, stsModel]),
  }
}

/** The members of these models that the SDK's schemas mark as sensitive. */
function printSensitive(models: readonly WireModel[]): string {
  const inUse = new Set(
    models.flatMap(({ inputs, outputs }) => [...Object.keys(inputs), ...Object.keys(outputs)]),
  )
  const found = new Set<string>()
  const seen = new Set<string>()
  const visit = (schema: NormalizedSchema): void => {
    if (schema.isListSchema() || schema.isMapSchema()) visit(schema.getValueSchema())
    const name = schema.getName() ?? 'unit'
    if (!schema.isStructSchema() || schema.isUnitSchema() || seen.has(name)) return
    seen.add(name)
    for (const [member, target] of schema.structIterator()) {
      const { sensitive }: { readonly sensitive?: unknown } = target.getMergedTraits()
      if (sensitive !== undefined && inUse.has(name)) found.add(`${name}.${member}`)
      visit(target)
    }
  }
  for (const [client, names] of [
    [ec2, EC2_ACTIONS],
    [iam, IAM_ACTIONS],
    [sts, STS_ACTIONS],
  ] as const)
    for (const name of names) {
      const operation: unknown = Reflect.get(client, `${name}$`)
      if (!Array.isArray(operation)) throw new Error(`the SDK has no action ${name}`)
      for (const schema of operation.slice(4, 6)) visit(NormalizedSchema.of(schema as Schema))
    }
  const lines = [...found].sort().map((one) => `  '${one}',`)
  return `/** Written by scripts/generate-wire.ts from the AWS SDK; do not edit. */

/** Structures with members that the SDK marks as sensitive. */
export const SENSITIVE_MEMBERS: readonly string[] = [
${lines.join('\n')}
]
`
}

function describe(
  client: object,
  names: readonly string[],
  protocol: Pick<WireModel, 'name' | 'version' | 'namespace' | 'wrapped'>,
): WireModel {
  const inputs: Table = {}
  const outputs: Table = {}
  const actions: Record<string, [string, string]> = {}
  for (const name of names) {
    const operation: unknown = Reflect.get(client, `${name}$`)
    if (!Array.isArray(operation)) throw new Error(`the SDK has no action ${name}`)
    const input = NormalizedSchema.of(operation[4] as Schema)
    const output = NormalizedSchema.of(operation[5] as Schema)
    const answer = EMPTY_ACTIONS.includes(name) ? emptyLists : structure
    const request = protocol.wrapped ? QUERY_REQUEST : REQUEST
    actions[name] = [structure(input, inputs, request), answer(output, outputs, ANSWER)]
  }
  return { ...protocol, actions, inputs: sorted(inputs), outputs: inOrder(sorted(outputs)) }
}

/**
 * The members of each structure as EC2 answers them. Throws when the order names a member that
 * there is not.
 */
function inOrder(table: Table): Table {
  return Object.fromEntries(
    Object.entries(table).map(([name, members]) => {
      const first = DOCUMENTED_ORDER[name]?.split(' ') ?? []
      const named = first.map((wireName) => {
        const member = members[wireName]
        if (member === undefined) throw new Error(`${name} has no member ${wireName}`)
        return [wireName, member] as const
      })
      const { nextToken, ...others } = { ...Object.fromEntries(named), ...members }
      return [name, nextToken === undefined ? others : { ...others, nextToken }]
    }),
  )
}

/** Enters a structure and everything below it into the table; its name. */
function structure(schema: NormalizedSchema, table: Table, direction: Direction): string {
  if (schema.isUnitSchema()) return 'unit'
  const name = schema.getName() ?? 'unit'
  if (table[name] !== undefined) return name
  const members: Record<string, string> = {}
  table[name] = members
  for (const [member, target] of schema.structIterator()) {
    const wireName = direction.memberName(member, target)
    if (members[wireName] !== undefined) throw new Error(`${name} has two members ${wireName}`)
    members[wireName] = `${member} ${typeOf(target, table, direction)}`
  }
  return name
}

/**
 * As `structure`, of an answer whose lists never have items: what these would look like is left
 * out.
 */
function emptyLists(schema: NormalizedSchema, table: Table, direction: Direction): string {
  const name = schema.getName() ?? 'unit'
  const members: Record<string, string> = {}
  table[name] = members
  table['Nothing'] = {}
  for (const [member, target] of schema.structIterator()) {
    const type = target.isListSchema()
      ? `Nothing[${direction.itemName(target.getValueSchema())}]`
      : typeOf(target, table, direction)
    members[direction.memberName(member, target)] = `${member} ${type}`
  }
  return name
}

function typeOf(schema: NormalizedSchema, table: Table, direction: Direction): string {
  if (schema.isListSchema()) {
    const item = schema.getValueSchema()
    return `${typeOf(item, table, direction)}[${direction.itemName(item)}]`
  }
  if (schema.isMapSchema()) return `${typeOf(schema.getValueSchema(), table, direction)}{}`
  if (schema.isStructSchema()) return structure(schema, table, direction)
  if (schema.isTimestampSchema()) return 'timestamp'
  if (schema.isBooleanSchema()) return 'boolean'
  if (schema.isNumericSchema()) return 'number'
  if (schema.isBlobSchema()) return 'blob'
  if (schema.isStringSchema()) return 'string'
  throw new Error(`${schema.getName(true)} is of a type that the wire does not know`)
}

/** `ec2QueryName`, else `xmlName` or the member's name with a capital; lists are flat. */
const REQUEST: Direction = {
  memberName(member, schema) {
    const { ec2QueryName, xmlName = member } = textTraits(schema.getMergedTraits())
    return ec2QueryName ?? `${xmlName.charAt(0).toUpperCase()}${xmlName.slice(1)}`
  },
  itemName: () => '',
}

/** Of IAM and STS: `xmlName`, or the member's name as it is. */
const QUERY_REQUEST: Direction = {
  memberName: (member, schema) => textTraits(schema.getMergedTraits()).xmlName ?? member,
  itemName: () => '',
}

const ANSWER: Direction = {
  memberName: (member, schema) => textTraits(schema.getMemberTraits()).xmlName ?? member,
  itemName: (item) => textTraits(item.getMergedTraits()).xmlName ?? 'member',
}

/** The two traits that name things; the SDK's types leave their values open. */
function textTraits(traits: object): { readonly ec2QueryName?: string; readonly xmlName?: string } {
  return traits
}

function sorted(table: Table): Table {
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function print(constant: string, source: string, model: WireModel): string {
  const body = JSON.stringify(model, null, 2)
    .replaceAll(/"(\w+)":/g, '$1:')
    .replaceAll('"', "'")
    .replaceAll(/\[\n\s+('\w+'),\n\s+('\w+')\n\s+\]/g, '[$1, $2]')
  return `/**
 * Written by scripts/generate-wire.ts from ${source}; do not edit.
 * The notation is explained in ../wire/model.ts.
 */
import type { WireModel } from '../wire/model.ts'

export const ${constant}: WireModel = ${body}
`
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(generateWire())) {
    writeFileSync(join(DIRECTORY, name), text)
  }
}
