/**
 * nft tables as values: the script that creates a table, and the script that changes one into
 * another in place. Pure.
 *
 * The kernel applies a script as one transaction: a packet sees all of a change or nothing. The
 * cost of a change in place does not depend on the size of the table, and counters keep their
 * values. Syntax: nft(8).
 */

import { type CounterValues, counterKey } from '../model/counters.ts'

/** A named object of a table. */
export interface NftObject {
  readonly kind: 'counter' | 'set' | 'map' | 'chain' | 'ct timeout'
  readonly name: string
  /** The part that cannot be changed in place: the type of a set, the hook of a chain. */
  readonly head: readonly string[]
  /** Rules of a chain, in order; elements of a set or map, in any order. */
  readonly items: readonly string[]
}

export interface NftTable {
  readonly family: 'inet' | 'arp'
  readonly name: string
  /** In an order in which they can be created: an object comes after those it refers to. */
  readonly objects: readonly NftObject[]
}

/** A named counter. */
export function namedCounter(name: string): NftObject {
  return { kind: 'counter', name, head: [], items: [] }
}

/** A set; `head` has its type and flags, a line each. */
export function set(
  name: string,
  head: readonly string[],
  elements: readonly string[] = [],
): NftObject {
  return { kind: 'set', name, head, items: unique(elements) }
}

/** A map; an element is `key : value`. */
export function map(name: string, type: string, elements: readonly string[]): NftObject {
  return { kind: 'map', name, head: [type], items: unique(elements) }
}

/** A chain that others jump to. */
export function chain(name: string, rules: readonly string[]): NftObject {
  return { kind: 'chain', name, head: [], items: rules }
}

/** A chain at a hook of the kernel. */
export function baseChain(name: string, hook: string, rules: readonly string[]): NftObject {
  return { kind: 'chain', name, head: [hook], items: rules }
}

/** nft rejects a list with a duplicate element. */
function unique(elements: readonly string[]): readonly string[] {
  return [...new Set(elements)]
}

/**
 * The table as text. It creates the table, or adds to an existing one. New counters begin with the
 * values in `counted`.
 */
export function tableText(table: NftTable, counted: CounterValues = new Map()): readonly string[] {
  const { family, name, objects } = table
  return block(
    `table ${family} ${name}`,
    objects.flatMap((object) => objectText(object, table, counted)),
  )
}

/** The object as text inside its table. */
function objectText(
  { kind, name, head, items }: NftObject,
  table: NftTable,
  counted: CounterValues,
): readonly string[] {
  const value = (element?: string) => {
    const count = counted.get(counterKey(table, name, element))
    return count === undefined ? '' : `packets ${count.packets} bytes ${count.bytes}`
  }
  const of = `${kind} ${name}`
  if (kind === 'counter')
    return block(
      of,
      [value()].filter((text) => text !== ''),
    )
  if (kind !== 'set' && kind !== 'map') return block(of, [...head, ...items])
  const elements = items.map((item) => {
    const text = value(item)
    return text === '' ? item : `${item} counter ${text}`
  })
  // nft takes no empty list of elements.
  return block(of, [
    ...head,
    ...(items.length > 0 ? [`elements = { ${elements.join(', ')} }`] : []),
  ])
}

/** A statement with a body in braces. */
function block(head: string, body: readonly string[]): readonly string[] {
  return [`${head} {`, ...body.map((line) => `  ${line}`), '}']
}

/**
 * The script that changes tables into others in place; empty when nothing differs. Null when that
 * is impossible: the tables have other names, or an object changes its kind or head.
 */
export function updateScript(
  before: readonly NftTable[],
  now: readonly NftTable[],
): readonly string[] | null {
  if (before.length !== now.length) return null
  const script: string[] = []
  for (const [at, table] of now.entries()) {
    const old = before[at]
    if (old?.family !== table.family || old.name !== table.name) return null
    const lines = updateTable(old, table)
    if (lines === null) return null
    script.push(...lines)
  }
  return script
}

function updateTable(before: NftTable, now: NftTable): readonly string[] | null {
  const where = `${now.family} ${now.name}`
  const old = new Map(before.objects.map((object) => [keyOf(object), object]))
  const kept = new Set(now.objects.map(keyOf))
  const added = now.objects.filter((object) => !old.has(keyOf(object)))
  const removed = before.objects.filter((object) => !kept.has(keyOf(object)))
  const changed = now.objects.flatMap((object) => {
    const was = old.get(keyOf(object))
    return was === undefined ? [] : [{ was, object }]
  })
  if (changed.some(({ was, object }) => !isSameList(was.head, object.head))) return null
  const from = [
    ...added.map((object) => ({ was: { ...object, items: [] }, object })),
    ...changed,
    ...removed.map((was) => ({ was, object: { ...was, items: [] } })),
  ]
  const lists = from.filter(({ object: { kind } }) => kind === 'set' || kind === 'map')
  const chains = from.filter(({ object: { kind } }) => kind === 'chain')
  return [
    ...added.map(({ kind, name, head }) => `add ${kind} ${where} ${name}${braces(head)}`),
    // A chain that is referred to cannot be deleted, so elements of maps are removed first and
    // added last.
    ...lists.flatMap(({ was, object }) => fewerElements(where, was, object)),
    ...chains.flatMap(({ was, object }) => otherRules(where, was, object)),
    ...lists.flatMap(({ was, object }) => moreElements(where, was, object)),
    ...removed.toReversed().map(({ kind, name }) => `delete ${kind} ${where} ${name}`),
  ]
}

function keyOf({ kind, name }: NftObject): string {
  return `${kind} ${name}`
}

function braces(head: readonly string[]): string {
  if (head.length === 0) return ''
  return ` { ${head.map((line) => (line.endsWith(';') ? line : `${line};`)).join(' ')} }`
}

function fewerElements(where: string, was: NftObject, { name, items }: NftObject) {
  const kept = new Set(items)
  const gone = was.items.filter((item) => !kept.has(item))
  if (gone.length === 0) return []
  // An element is named by its key, without what a map gives it or a limit that it has.
  const keys = gone.map((item) => item.replace(/ (?::|limit) .*/, ''))
  return [`delete element ${where} ${name} { ${keys.join(', ')} }`]
}

function moreElements(where: string, was: NftObject, { name, items }: NftObject) {
  const known = new Set(was.items)
  const added = items.filter((item) => !known.has(item))
  return added.length === 0 ? [] : [`add element ${where} ${name} { ${added.join(', ')} }`]
}

function otherRules(where: string, was: NftObject, { name, items }: NftObject): readonly string[] {
  if (isSameList(was.items, items)) return []
  return [
    ...(was.items.length === 0 ? [] : [`flush chain ${where} ${name}`]),
    ...items.map((rule) => `add rule ${where} ${name} ${rule}`),
  ]
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, at) => line === b[at])
}
