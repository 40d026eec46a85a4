import { expect, test } from 'vitest'
import { createAttempts } from '../../../src/workloads/attempts.ts'
import { instance } from '../../../tools/kit/instance.ts'

const { id } = instance(1)
const other = instance(2).id

test('the first try is free; failures double the pause up to a minute', () => {
  const attempts = createAttempts()
  expect(attempts.waitMs(id, 'start', 1, 0)).toBe(0)
  const pauses = Array.from({ length: 8 }, () => {
    attempts.failed(id, 'start', 1, 0)
    return attempts.waitMs(id, 'start', 1, 0)
  })
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  expect(attempts.waitMs(id, 'start', 1, 59_999)).toBe(1)
})

test('the first repair is free, those after it are not', () => {
  const attempts = createAttempts()
  attempts.started(id, 'start', 1, 0)
  expect(attempts.waitMs(id, 'start', 1, 0)).toBe(0)
  attempts.started(id, 'start', 1, 10)
  expect(attempts.waitMs(id, 'start', 1, 10)).toBe(1000)
  attempts.started(id, 'start', 1, 1010)
  expect(attempts.waitMs(id, 'start', 1, 1010)).toBe(2000)
})

test('a new boot, another kind of step, another instance and two quiet minutes start afresh', () => {
  const attempts = createAttempts()
  attempts.failed(id, 'start', 1, 0)
  expect(attempts.waitMs(id, 'start', 2, 0)).toBe(0)
  expect(attempts.waitMs(id, 'stop', 1, 0)).toBe(0)
  expect(attempts.waitMs(other, 'start', 1, 0)).toBe(0)
  attempts.failed(id, 'start', 1, 120_000)
  expect(attempts.waitMs(id, 'start', 1, 120_000)).toBe(1000)
})

test('instances that are gone are forgotten', () => {
  const attempts = createAttempts()
  attempts.failed(id, 'start', 1, 0)
  attempts.keep(new Set([other]))
  expect(attempts.waitMs(id, 'start', 1, 0)).toBe(0)
})
