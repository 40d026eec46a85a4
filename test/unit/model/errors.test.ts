import { expect, test } from 'vitest'
import { explain, unavailable } from '../../../src/model/errors.ts'

test('what caused an error is told after it, and endless causes are cut off', () => {
  expect(explain('just text')).toBe('just text')
  const inner = new Error('address in use')
  expect(explain(unavailable('It cannot listen.', inner))).toBe('It cannot listen: address in use')
  const loop = new Error('round')
  loop.cause = new Error('and', { cause: loop })
  expect(explain(loop)).toBe('round: and: round: and: round')
  expect(explain(unavailable('It is away.', unavailable('It is away.', inner)))).toBe(
    'It is away: address in use',
  )
})
