/** The order in which a host starts its instances. */
import { expect, test } from 'vitest'
import { PRIORITY_TAG } from '../../../src/model/recovery.ts'
import { inStartOrder } from '../../../src/plan/start-order.ts'
import { instance } from '../../../tools/kit/instance.ts'

const recover = { acknowledged: true, assignment: null }
const withPriority = (index: number, value: string, mayMove = true) => ({
  ...instance(index),
  ...(mayMove ? { recover } : {}),
  tags: [{ key: PRIORITY_TAG, value }],
})

test('is that of their priorities, then of their ids', () => {
  const wanted = [
    instance(4),
    withPriority(3, '10'),
    withPriority(2, '9'),
    withPriority(1, '10'),
    // No other host ever starts it, so the tag has no effect.
    withPriority(5, '1000', false),
  ]
  const haves = [6, 2].map((index) => ({
    ...{ instance: instance(index).id, bootCount: 1, state: { kind: 'remains' as const } },
  }))
  const order = [1, 3, 2, 4, 5, 6].map((index) => instance(index).id)
  expect([...inStartOrder(wanted, haves).keys()]).toEqual(order)
  expect([...inStartOrder(wanted.toReversed(), haves).keys()]).toEqual(order)
  expect(inStartOrder(wanted, haves).get(instance(2).id)).toMatchObject({
    want: { id: instance(2).id },
    have: { bootCount: 1 },
  })
})
