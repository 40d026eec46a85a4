/**
 * Who starts a Galera cluster after all were away: at most one node, never one that lacks a commit,
 * and always somebody in the end.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Decision,
  decide,
  type Heard,
  type Position,
  type Question,
  type View,
} from '../../../../engines/galera/decide.ts'

const NODES = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const HISTORY = '11111111-1111-1111-1111-111111111111'
const NEW: Position = { history: null, commit: -1, leftLast: false, view: null }

function crashed(commit: number, view: View | null = null): Position {
  return { history: HISTORY, commit, leftLast: false, view }
}

function view(id: string, me: string, members: readonly string[]): View {
  return { id, me, members }
}

/** What the node decides that hears all of `positions` but the silent ones. */
function decisionOf(
  self: string,
  positions: ReadonlyMap<string, Position>,
  more: Partial<Question> = {},
): Decision {
  const heard = new Map<string, Heard>(
    [...positions].flatMap(([node, position]) =>
      node === self ? [] : [[node, { kind: 'waiting', position }]],
    ),
  )
  const own = positions.get(self) ?? NEW
  const rest = { nodes: NODES, patienceEnded: false, newCluster: false }
  return decide({ ...rest, self, own, heard, ...more })
}

function named(...positions: readonly Position[]): ReadonlyMap<string, Position> {
  return new Map(positions.map((position, index) => [NODES[index] ?? '', position]))
}

function starters(
  positions: ReadonlyMap<string, Position>,
  more: Partial<Question> = {},
): readonly string[] {
  return [...positions.keys()].filter(
    (node) => decisionOf(node, positions, more).kind === 'bootstrap',
  )
}

const position: fc.Arbitrary<Position> = fc.oneof(
  fc.constant(NEW),
  fc.integer({ min: 0, max: 5 }).map((commit) => crashed(commit)),
)

test('when all are heard, exactly one starts, and nobody has a commit that it lacks', () => {
  fc.assert(
    fc.property(fc.tuple(position, position, position), (all) => {
      const positions = named(...all)
      const [starter = '', ...others] = starters(positions)
      expect(others).toEqual([])
      const most = Math.max(...all.map(({ commit }) => commit))
      expect(positions.get(starter)?.commit).toBe(most)
    }),
  )
})

test('a node that is told by only some of the others does not start before patience ends', () => {
  fc.assert(
    fc.property(fc.tuple(position, position), fc.constantFrom(...NODES), (two, silent) => {
      const present = NODES.filter((node) => node !== silent)
      const positions = new Map(present.map((node, index) => [node, two[index] ?? NEW]))
      expect(starters(positions)).toEqual([])
    }),
  )
})

test.each([
  ['all three saw the same view last, and two are there', ['v3', 'v3', null], ['10.0.0.2']],
  ['a later view of two is known to one only', ['v3', 'v2', null], []],
  ['the later view of two is complete', [null, 'v2', 'v2'], ['10.0.0.2']],
  ['one alone of three', ['v3', null, null], []],
  ['those who are there left in good order', ['healthy', 'healthy', null], []],
] as const)('patience ends: %s', (_what, kinds, expected) => {
  const members = ['m1', 'm2', 'm3']
  const positions = new Map(
    kinds.flatMap((kind, index): [string, Position][] => {
      const me = members[index] ?? ''
      const of = { v3: view('v3', me, members), v2: view('v2', me, ['m2', 'm3']), healthy: null }
      return kind === null ? [] : [[NODES[index] ?? '', crashed(index === 1 ? 8 : 7, of[kind])]]
    }),
  )
  expect(starters(positions, { patienceEnded: true })).toEqual(expected)
})

test('a node that left last starts at once, unless somebody went on without it', () => {
  const last = { ...crashed(7), leftLast: true }
  expect(starters(new Map([['10.0.0.2', last]]))).toEqual(['10.0.0.2'])
  expect(starters(named(crashed(9), last, crashed(7)))).toEqual(['10.0.0.1'])
  expect(decisionOf('10.0.0.2', named(crashed(9), last)).kind).toBe('wait')
})

test('a new cluster: the first of the list when all are there, or where the operator said so', () => {
  expect(starters(named(NEW, NEW, NEW))).toEqual(['10.0.0.1'])
  expect(starters(named(NEW, NEW))).toEqual([])
  expect(starters(named(NEW), { newCluster: true })).toEqual(['10.0.0.1'])
})

test('an empty disk never starts over what others still have, even if told to', () => {
  expect(decisionOf('10.0.0.1', named(NEW, crashed(7)), { newCluster: true }).kind).toBe('wait')
})

test('nodes of different clusters do not start, and say so', () => {
  const other = { ...crashed(9), history: '22222222-2222-2222-2222-222222222222' }
  const positions = named(crashed(7), other, crashed(7))
  expect(starters(positions, { patienceEnded: true })).toEqual([])
  expect(decisionOf('10.0.0.1', positions)).toMatchObject({
    why: expect.stringContaining('different histories'),
  })
})

test.each([true, false])('where somebody serves, all join (primary: %s)', (primary) => {
  const heard = new Map<string, Heard>([['10.0.0.3', { kind: 'serving', primary }]])
  const own = { ...crashed(7), leftLast: true }
  const question = { nodes: NODES, self: '10.0.0.1', own, heard }
  expect(decide({ ...question, patienceEnded: true, newCluster: true })).toEqual({
    kind: 'join',
    primary,
  })
})
