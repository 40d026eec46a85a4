/**
 * That no two parts of a cluster go on without each other, whatever each of them holds and hears.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Position } from '../../../../engines/galera/decide.ts'
import { decideHealing, type Running } from '../../../../engines/galera/heal.ts'

const HISTORY = 'history'
const nodes = ['a', 'b', 'c', 'd', 'e']

function position(
  node: string,
  commit: number,
  view: readonly string[] | null,
  id = 'last',
): Position {
  return {
    history: HISTORY,
    commit,
    leftLast: false,
    view: view === null ? null : { id, me: node, members: view },
  }
}

const lost = (one: Position): Running => ({ primary: false, position: one })

describe('decideHealing', () => {
  const all = ['a', 'b', 'c']

  it('lets two of three go on, the more advanced one first', () => {
    const heard = new Map([['b', lost(position('b', 8, all))]])
    const ask = (commit: number) =>
      decideHealing({ nodes: all, self: 'a', own: position('a', commit, all), heard }).kind
    expect([ask(7), ask(8), ask(9)]).toEqual(['wait', 'bootstrap', 'bootstrap'])
  })

  it('waits where a primary component is, whoever else is there', () => {
    const heard = new Map([
      ['b', lost(position('b', 1, all))],
      ['c', { primary: true, position: null }],
    ])
    const own = position('a', 9, all)
    expect(decideHealing({ nodes: all, self: 'a', own, heard }).kind).toBe('wait')
  })

  it('never begins in two parts, twice in one part, or without the majority of the last view', () => {
    const world = fc.record({
      // In which part of the network each node is, whether it holds the last view, one before, or
      // none, and what it has.
      parts: fc.array(fc.nat(2), { minLength: 5, maxLength: 5 }),
      holds: fc.array(fc.constantFrom('last', 'before', 'none'), { minLength: 5, maxLength: 5 }),
      commits: fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }),
      members: fc.subarray(nodes, { minLength: 3 }),
    })
    fc.assert(
      fc.property(world, ({ parts, holds, commits, members }) => {
        // The one before was of all. A member of the last one has forgotten it; whoever was none
        // knows of nothing later.
        const holdsLast = (index: number) =>
          holds[index] === 'last' && members.includes(nodes[index] ?? '')
        const positions = nodes.map((node, index) => {
          const commit = commits[index] ?? 0
          if (holdsLast(index)) return position(node, commit, members)
          if (holds[index] === 'none' || members.includes(node)) return position(node, commit, null)
          return position(node, commit, nodes, 'before')
        })
        const beginners = nodes.flatMap((self, index) => {
          const heard = new Map(
            nodes.flatMap((node, other) => {
              const one = positions[other]
              const isHeard = other !== index && parts[other] === parts[index] && one !== undefined
              return isHeard ? [[node, lost(one)] as const] : []
            }),
          )
          const own = positions[index]
          if (own === undefined) throw new Error('five nodes')
          const { kind } = decideHealing({ nodes, self, own, heard })
          return kind === 'bootstrap' ? [parts[index]] : []
        })
        expect(beginners.length).toBeLessThanOrEqual(1)
        for (const part of beginners) {
          const here = nodes.filter((_, index) => parts[index] === part && holdsLast(index))
          expect(here.length * 2).toBeGreaterThan(members.length)
        }
      }),
    )
  })
})
