import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Pace } from '../../../../../src/store/engines/mariadb/pace.ts'

const timeoutAfter = (answers: readonly number[]) => {
  const pace = new Pace()
  for (const ms of answers) pace.answered(ms)
  return pace.patienceMs(200, 1000)
}

it.each([
  ['nothing is known', [], 200],
  ['answers are quick', [1, 2, 1, 3], 200],
  // RFC 6298, 2.2: R + 4 * R / 2.
  ['the first answer took 100 ms', [100], 300],
  // RFC 6298, 2.3: deviation 3/4 * 50 + 1/4 * 100, mean 7/8 * 100 + 1/8 * 200.
  ['and the second one 200 ms', [100, 200], 112.5 + 4 * 62.5],
  ['answers take seconds', [4000, 4000], 1000],
])('when %s', (_when, answers, patienceMs) => {
  expect(timeoutAfter(answers)).toBe(patienceMs)
})

it('bears what is usual, and is soon as short as before when it is over', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 900, noNaN: true }), (usualMs) => {
      const slow = Array.from({ length: 20 }, () => usualMs)
      expect(timeoutAfter(slow)).toBeGreaterThanOrEqual(usualMs)
      const quick = Array.from({ length: 40 }, () => 1)
      expect(timeoutAfter([...slow, ...quick])).toBe(200)
    }),
  )
})
