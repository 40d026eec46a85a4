import { expect, it } from 'vitest'
import { createRotation, type Rotation } from '../../../src/lib/rotation.ts'

/** What is taken until nothing may be taken any more. */
function drain(
  rotation: Rotation<{ readonly name: string }>,
  may?: (owner: string) => boolean,
): readonly string[] {
  const taken: string[] = []
  for (let next = rotation.take(may); next !== undefined; next = rotation.take(may))
    taken.push(next.item.name)
  return taken
}

it('takes one of each owner in turn, and each owner’s own in order', () => {
  const rotation = createRotation<{ readonly name: string }>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'])
    rotation.add(item.slice(0, 1), { name: item })
  expect(rotation.size).toBe(6)
  expect(drain(rotation)).toStrictEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  expect(rotation.size).toBe(0)
})

it('passes over owners that may not, and leaves theirs waiting', () => {
  const rotation = createRotation<{ readonly name: string }>()
  for (const item of ['a1', 'a2', 'b1']) rotation.add(item.slice(0, 1), { name: item })
  expect(drain(rotation, (owner) => owner !== 'a')).toStrictEqual(['b1'])
  expect(rotation.size).toBe(2)
  expect(drain(rotation)).toStrictEqual(['a1', 'a2'])
})
