/** Which rate an instance type has. */
import { expect, test } from 'vitest'
import { DEFAULT_RATES, nicRateOf } from '../../../src/model/network-rates.ts'

const rate = (types: string, megabitsPerSecond: number) => ({
  types,
  megabitsPerSecond,
  packetsPerSecond: null,
})

test.for([
  ['t3.micro', 3],
  ['t3.large', 2],
  ['t30.large', 1],
  ['m5.large', 1],
] as const)('%s has the rate of the first entry that names it', ([type, expected]) => {
  const rates = [rate('t3.micro', 3), rate('t3.*', 2), rate('*', 1)]
  expect(nicRateOf(type, rates).megabitsPerSecond).toBe(expected)
})

test('a type that no entry names has no limit', () => {
  const unlimited = { megabitsPerSecond: null, packetsPerSecond: null }
  expect(nicRateOf('own.large', DEFAULT_RATES)).toEqual(unlimited)
  expect(nicRateOf('t3.micro', [])).toEqual(unlimited)
})
