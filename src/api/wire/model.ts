/**
 * The vocabulary of the EC2 Query protocol: the actions, the names of their parameters and outputs
 * on the wire and in the SDK, and their types.
 *
 * `scripts/generate-wire.ts` writes a `WireModel` (`src/api/generated`). `linkModel` turns it into
 * the tree of `Shape`s that `query.ts` and `xml.ts` walk. Pure. Protocol: Smithy's
 * `aws.protocols#ec2Query` (https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html).
 */
import { bug } from '../../model/errors.ts'

/**
 * The members of a structure: the name on the wire, and `<SDK member name> <type>`. A type is the
 * name of a scalar or of another structure in the table, with `[]` for a list. In outputs the
 * brackets contain the element name of the list's items. `{}` stands for a map of texts to values;
 * only answers have any.
 */
type WireStructure = Readonly<Record<string, string>>

/**
 * One service, as generated. Inputs and outputs are separate, because a member's names may differ.
 */
export interface WireModel {
  /** As in the scope of a signature, and before the colon of an action in a policy. */
  readonly name: 'ec2' | 'iam' | 'sts' | 'cloudtrail'
  readonly version: string
  readonly namespace: string
  /** Absent: the Query protocol. */
  readonly protocol?: 'json'
  /** Whether an output's members are in `<ActionResult>` (STS, IAM), or directly below the root. */
  readonly wrapped: boolean
  /** Names of the input and output structures. `unit` if there is none. */
  readonly actions: Readonly<Record<string, readonly [input: string, output: string]>>
  readonly inputs: Readonly<Record<string, WireStructure>>
  readonly outputs: Readonly<Record<string, WireStructure>>
}

const SCALARS = ['string', 'number', 'boolean', 'timestamp', 'blob'] as const
/**
 * `number` is any finite JavaScript number (the SDK's schemas do not distinguish integers; the
 * action does). `timestamp` is a `Date`. `blob` in a request stays base64 text, unfolded; in an
 * answer it is bytes.
 */
export type Scalar = (typeof SCALARS)[number]

/** The shape of a value, with names resolved. */
export type Shape =
  | { readonly kind: 'scalar'; readonly type: Scalar }
  | { readonly kind: 'structure'; readonly structure: Structure }
  | { readonly kind: 'list'; readonly tags: Tags; readonly of: Shape }
  | { readonly kind: 'map'; readonly entry: Structure }

/** A structure, with both vocabularies. */
export interface Structure {
  readonly name: string
  readonly byWireName: ReadonlyMap<string, Field>
  readonly byMember: ReadonlyMap<string, Field>
  /** In the model's order. */
  readonly members: readonly Field[]
}

/** The tags of an element. */
export interface Tags {
  readonly open: string
  readonly close: string
  readonly empty: string
}

/** A member of a structure, with both names. */
export interface Field {
  readonly wireName: string
  readonly tags: Tags
  readonly member: string
  readonly shape: Shape
}

/** What the wire needs of one action. */
export interface WireAction {
  readonly name: string
  readonly service: WireModel
  readonly input: Structure
  /** Undefined for actions without an output. */
  readonly output: Structure | undefined
}

/** The actions of a model by name. Throws a `bug` when the model is inconsistent. */
export function linkModel(model: WireModel): ReadonlyMap<string, WireAction> {
  const inputs = linkStructures(model.inputs)
  const outputs = linkStructures(model.outputs)
  const actions = new Map<string, WireAction>()
  for (const [name, [input, output]] of Object.entries(model.actions)) {
    actions.set(name, {
      name,
      service: model,
      input: input === 'unit' ? EMPTY : find(inputs, input),
      output: output === 'unit' ? undefined : find(outputs, output),
    })
  }
  return actions
}

const EMPTY: Structure = { name: 'unit', byWireName: new Map(), byMember: new Map(), members: [] }

/** In two steps, so that structures may refer to each other in any order. */
function linkStructures(table: WireModel['inputs']): ReadonlyMap<string, Structure> {
  const structures = new Map<string, Structure>()
  const fillers: (() => void)[] = []
  for (const [name, members] of Object.entries(table)) {
    const byWireName = new Map<string, Field>()
    const byMember = new Map<string, Field>()
    const ordered: Field[] = []
    structures.set(name, { name, byWireName, byMember, members: ordered })
    fillers.push(() => {
      for (const [wireName, text] of Object.entries(members)) {
        const [member = '', type = ''] = text.split(' ')
        const shape = parseShape(type, structures)
        const field = { wireName, tags: tagsOf(wireName), member, shape }
        byWireName.set(wireName, field)
        byMember.set(member, field)
        ordered.push(field)
      }
    })
  }
  for (const fill of fillers) fill()
  return structures
}

function tagsOf(name: string): Tags {
  return { open: `<${name}>`, close: `</${name}>`, empty: `<${name}/>` }
}

function parseShape(type: string, structures: ReadonlyMap<string, Structure>): Shape {
  const [, of, item] = /^(.+)\[(\w*)\]$/.exec(type) ?? []
  if (of !== undefined && item !== undefined) {
    return { kind: 'list', tags: tagsOf(item), of: parseShape(of, structures) }
  }
  const [, value] = /^(.+)\{\}$/.exec(type) ?? []
  if (value !== undefined) return { kind: 'map', entry: entryOf(parseShape(value, structures)) }
  const scalar = SCALARS.find((name) => name === type)
  if (scalar !== undefined) return { kind: 'scalar', type: scalar }
  return { kind: 'structure', structure: find(structures, type) }
}

/** An entry of a map: Smithy's `aws.protocols#awsQuery`, "Map serialization". */
function entryOf(value: Shape): Structure {
  const members = [
    { ...named('key'), shape: { kind: 'scalar', type: 'string' } as const },
    { ...named('value'), shape: value },
  ]
  const byName = new Map(members.map((field) => [field.wireName, field]))
  return { name: 'entry', byWireName: byName, byMember: byName, members }
}

function named(name: string): Omit<Field, 'shape'> {
  return { wireName: name, member: name, tags: tagsOf(name) }
}

function find(structures: ReadonlyMap<string, Structure>, name: string): Structure {
  const structure = structures.get(name)
  if (structure === undefined) throw bug('unknown structure in the wire model', { name })
  return structure
}
