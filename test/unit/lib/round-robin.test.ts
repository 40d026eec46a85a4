import { expect, it } from 'vitest'
import { createRoundRobin, type RoundRobin } from '../../../src/lib/round-robin.ts'

/** What is taken until nothing may be taken any more. */
function drain(
  rotation: RoundRobin<{ readonly name: string }>,
  may?: (owner: string) => boolean,
): readonly string[] {
  const taken: string[] = []
  for (let next = rotation.take(may); next !== undefined; next = rotation.take(may))
    taken.push(next.item.name)
  return taken
}

it('takes one of each owner in turn, and each owner’s own in order', () => {
  const rotation = createRoundRobin<{ readonly name: string }>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'])
    rotation.add(item.slice(0, 1), { name: item })
  expect(rotation.size).toBe(6)
  expect(drain(rotation)).toStrictEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  expect(rotation.size).toBe(0)
})

it('passes over owners that may not, and leaves theirs waiting', () => {
  const rotation = createRoundRobin<{ readonly name: string }>()
  for (const item of ['a1', 'a2', 'b1']) rotation.add(item.slice(0, 1), { name: item })
  expect(drain(rotation, (owner) => owner !== 'a')).toStrictEqual(['b1'])
  expect(rotation.size).toBe(2)
  expect(drain(rotation)).toStrictEqual(['a1', 'a2'])
})

it('drops one that does not wait any longer, and counts', () => {
  const rotation = createRoundRobin<{ readonly name: string }>()
  const [a1, a2] = [{ name: 'a1' }, { name: 'a2' }]
  rotation.add('a', a1)
  rotation.add('a', a2)
  expect(rotation.sizeOf('a')).toBe(2)
  expect([rotation.remove('a', a1), rotation.remove('a', a1)]).toEqual([true, false])
  expect(rotation.remove('b', a2)).toBe(false)
  expect([rotation.size, rotation.sizeOf('a'), rotation.sizeOf('b')]).toEqual([1, 1, 0])
  expect(drain(rotation)).toStrictEqual(['a2'])
})

it('takes what may go of an owner whose first may not', () => {
  const rotation = createRoundRobin<{ readonly name: string }>()
  for (const item of ['a1', 'a2', 'b1']) rotation.add(item.slice(0, 1), { name: item })
  const next = rotation.take((_owner, { name }) => name !== 'a1')
  expect(next?.item.name).toBe('a2')
  expect(drain(rotation)).toStrictEqual(['b1', 'a1'])
})
