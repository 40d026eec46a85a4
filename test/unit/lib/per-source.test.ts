/** Places that are shared: limits, and what is left for whoever comes late. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPlaces } from '../../../src/lib/per-source.ts'

function takeAll(places: ReturnType<typeof createPlaces<number>>, key: number): number {
  let taken = 0
  while (places.take(key)) taken += 1
  return taken
}

test('one alone has its limit, or about a third of all', () => {
  expect(takeAll(createPlaces({ total: 1000, limitOfOne: 128 }), 1)).toBe(128)
  expect(takeAll(createPlaces({ total: 90, limitOfOne: 128 }), 1)).toBe(31)
})

test('what is given back can be taken again, and giving too much gives nothing', () => {
  const places = createPlaces<number>({ total: 10, limitOfOne: 2 })
  expect([places.take(1), places.take(1), places.take(1)]).toEqual([true, true, false])
  places.give(1)
  places.give(2)
  expect([places.take(1), places.take(1)]).toEqual([true, false])
})

test('however many take all they get, a late one gets a place', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 200 }),
      (many, limit) => {
        const places = createPlaces<number>({ total: 1000, limitOfOne: limit })
        // Again and again in turn, as they would.
        for (let round = 0; round < limit; round++)
          for (let key = 0; key < many; key++) places.take(key)
        expect(places.take(many)).toBe(true)
      },
    ),
  )
})
