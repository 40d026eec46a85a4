import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTokenBucket } from '../../../src/lib/token-bucket.ts'

test('gives a burst, then the rate', () => {
  const bucket = createTokenBucket({ burst: 3, perSecond: 2 }, 0)
  const take = (nowMs: number) => bucket.take(nowMs)
  expect([0, 0, 0, 0, 499, 500, 500, 1000].map(take)).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
    false,
    true,
  ])
})

test('never gives more than the burst and what has flowed since', () => {
  const waits = fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 200 })
  fc.assert(
    fc.property(
      waits,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (steps, burst, perSecond) => {
        const bucket = createTokenBucket({ burst, perSecond }, 0)
        let nowMs = 0
        let given = 0
        for (const step of steps) {
          nowMs += step
          if (bucket.take(nowMs)) given += 1
          expect(given).toBeLessThanOrEqual(burst + (nowMs / 1000) * perSecond + 1e-6)
        }
      },
    ),
  )
})

test('a long quiet time gives no more than the burst', () => {
  const bucket = createTokenBucket({ burst: 2, perSecond: 10 }, 0)
  expect([60_000, 60_000, 60_000].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, false])
})
