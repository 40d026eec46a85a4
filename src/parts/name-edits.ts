/**
 * The differences between two lists of DNS names, and a list with differences applied. One changed
 * name of many thousands is one small difference. Pure.
 */
import { NAMES_IN_LINE, type NameEdit, type NameWant } from './protocol.ts'

/** What makes `after` of `before`, in ascending order, each with a limited number of names. */
export function editsOf(
  before: readonly NameWant[],
  after: readonly NameWant[],
): readonly NameEdit[] {
  if (before === after) return []
  let start = 0
  const least = Math.min(before.length, after.length)
  while (start < least && isSame(before[start], after[start])) start += 1
  let same = 0
  while (
    same < least - start &&
    isSame(before[before.length - 1 - same], after[after.length - 1 - same])
  )
    same += 1
  const [oldEnd, newEnd] = [before.length - same, after.length - same]
  // Where each name that is in both was.
  const places = new Map<string, number>()
  for (let at = oldEnd - 1; at >= start; at -= 1) places.set(keyOf(before[at]), at)
  const edits: NameEdit[] = []
  let at = start
  let added: NameWant[] = []
  const put = (until: number) => {
    if (until > at || added.length > 0) edits.push(...limited(at, until - at, added))
    added = []
  }
  for (let index = start; index < newEnd; index += 1) {
    const name = after[index]
    if (name === undefined) continue
    const place = places.get(keyOf(name))
    // One that comes earlier than the one before has moved: it is removed there and added here.
    if (place === undefined || place < at) added.push(name)
    else {
      put(place)
      at = place + 1
    }
  }
  put(oldEnd)
  return edits
}

/** The list with the edits. Null: they do not fit it. */
export function withEdits(
  before: readonly NameWant[],
  edits: readonly NameEdit[],
): readonly NameWant[] | null {
  const after: NameWant[] = []
  let copied = 0
  for (const { at, removed, added } of edits) {
    if (at < copied || at + removed > before.length) return null
    for (; copied < at; copied += 1) after.push(before[copied] as NameWant)
    for (const name of added) after.push(name)
    copied += removed
  }
  for (; copied < before.length; copied += 1) after.push(before[copied] as NameWant)
  return after
}

/** One edit, or several at the same place. */
function limited(at: number, removed: number, added: readonly NameWant[]): NameEdit[] {
  const edits: NameEdit[] = [{ at, removed, added: added.slice(0, NAMES_IN_LINE) }]
  for (let from = NAMES_IN_LINE; from < added.length; from += NAMES_IN_LINE)
    edits.push({ at: at + removed, removed: 0, added: added.slice(from, from + NAMES_IN_LINE) })
  return edits
}

function isSame(one: NameWant | undefined, other: NameWant | undefined): boolean {
  if (one === other) return true
  return (
    one !== undefined &&
    other !== undefined &&
    one.name === other.name &&
    one.ip === other.ip &&
    one.primary === other.primary &&
    one.vpc === other.vpc
  )
}

function keyOf(name: NameWant | undefined): string {
  return name === undefined ? '' : `${name.name} ${name.ip} ${name.primary} ${name.vpc}`
}
