import { expect, it } from 'vitest'
import { atLatestBoot } from '../../../src/plan/latest-boot.ts'
import { instance } from '../../../tools/kit/instance.ts'

it.each([
  [1, 2, 2],
  [2, 2, 2],
  [3, 2, 3],
  [3, null, 3],
])('boot %j is wanted, and %j there is: %j', (bootCount, there, expected) => {
  const want = instance(1, { bootCount })
  expect(atLatestBoot(want, there)).toEqual({ ...want, bootCount: expected })
})
