/** Places that are shared: limits, and what is left for whoever comes late. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPlaces, createRates, createTally } from '../../../src/lib/per-source.ts'

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

test('a tally counts what each holds, takes it back once, and forgets who holds nothing', () => {
  const tally = createTally<string>()
  const give = tally.hold('a', 10)
  tally.hold('b', 5)
  const giveNothing = tally.hold('a', 0)
  expect([tally.all(), tally.of('a'), tally.of('b'), tally.of('c')]).toEqual([15, 10, 5, 0])
  give()
  give()
  giveNothing()
  expect([tally.all(), tally.of('a'), tally.of('b')]).toEqual([5, 0, 5])
})

test('rates are each source’s own, and only those that asked last are remembered', () => {
  const may = createRates<string>({ burst: 2, perSecond: 1 }, 2)
  expect([may('a', 0), may('a', 0), may('a', 0), may('b', 0)]).toEqual([true, true, false, true])
  expect([may('a', 1000), may('a', 1000)]).toEqual([true, false])
  // A third source: the one that asked longest ago begins again.
  expect([may('c', 1000), may('b', 1000), may('b', 1000), may('b', 1000)]).toEqual([
    true,
    true,
    true,
    false,
  ])
})
