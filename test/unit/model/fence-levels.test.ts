import { expect, it } from 'vitest'
import { FENCE_LEVELS, isAtLeast } from '../../../src/model/fence-levels.ts'

it('orders levels by what a host survives', () => {
  const ordered = FENCE_LEVELS.map((level) =>
    FENCE_LEVELS.map((wanted) => (isAtLeast(level, wanted) ? 1 : 0)).join(''),
  )
  expect(ordered).toEqual(['1000', '1100', '1110', '1111'])
})
