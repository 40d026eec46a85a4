/** Differences between lists of DNS names. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ipv4FromNumber } from '../../../src/model/addr.ts'
import { editsOf, withEdits } from '../../../src/parts/name-edits.ts'
import { NAMES_IN_LINE, type NameWant } from '../../../src/parts/protocol.ts'

const nameOf = (number: number): NameWant => ({
  ...{ name: `i-${number >> 1}`, ip: ipv4FromNumber(number), primary: number % 2 === 0 },
})
const lists = fc.array(fc.nat(40).map(nameOf), { maxLength: 40 })
const many = Array.from({ length: 10 * NAMES_IN_LINE }, (_, index) => nameOf(index))

it('makes the one list of the other, whatever both are', () => {
  fc.assert(
    fc.property(lists, lists, (before, after) => {
      expect(withEdits(before, editsOf(before, after))).toEqual(after)
    }),
    { numRuns: 2_000 },
  )
})

it('says nothing of lists that are equal', () => {
  expect(
    editsOf(
      many,
      many.map((name) => ({ ...name })),
    ),
  ).toEqual([])
})

it.each([
  ['one more', [...many.slice(0, 7), nameOf(90_009), ...many.slice(7)], 1],
  ['one less', many.toSpliced(7, 1), 1],
  ['another address', many.with(7, { ...nameOf(7), ip: ipv4FromNumber(99) }), 1],
  ['another rank', many.with(7, { ...nameOf(7), primary: true }), 1],
  ['one at each end', many.with(0, nameOf(90_008)).with(-1, nameOf(90_009)), 2],
])('%s among thousands is a small difference', (_what, after, count) => {
  const edits = editsOf(many, after)
  expect(edits).toHaveLength(count)
  for (const { removed, added } of edits) expect(removed + added.length).toBeLessThanOrEqual(2)
  expect(withEdits(many, edits)).toEqual(after)
})

it('puts no more names into an edit than a line may have', () => {
  const edits = editsOf(many.slice(0, 3), many)
  expect(edits.length).toBeGreaterThan(1)
  for (const { added } of edits) expect(added.length).toBeLessThanOrEqual(NAMES_IN_LINE)
  expect(withEdits(many.slice(0, 3), edits)).toEqual(many)
})

it.each([
  ['beyond the end', [{ at: 3, removed: 1, added: [] }]],
  ['not in ascending order', [2, 1].map((at) => ({ at, removed: 0, added: [] }))],
  ['that overlap', [0, 1].map((at) => ({ at, removed: 2, added: [] }))],
])('refuses edits %s', (_what, edits) => {
  expect(withEdits(many.slice(0, 3), edits)).toBeNull()
})
