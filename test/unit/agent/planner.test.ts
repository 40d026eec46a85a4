/**
 * Whatever was planned before, a want is that of its records alone. Project Calico's Felix is
 * tested so (felix/calc); `test/lab/state-pairs.test.ts` does the same to the kernel.
 */
import { describe, expect, test } from 'vitest'
import { newPlanner, readAfter, STATES } from '../../kit/states.ts'

describe.each(STATES)('from any state to: $name', (after) => {
  const fresh = newPlanner()(after.records)

  test.each(STATES)('from: $name', (before) => {
    const plan = newPlanner()
    plan(before.records)
    expect(plan(readAfter(before.records, after.records))).toEqual(fresh)
  })
})
