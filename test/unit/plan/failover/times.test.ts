/** Which times follow from the settings, and that they fit together whatever is set. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  CLOCK_ERROR,
  FAILOVER_SETTINGS,
  failoverTimes,
} from '../../../../src/plan/failover/times.ts'

it('are those of the page for a cluster', () => {
  expect(failoverTimes(FAILOVER_SETTINGS)).toMatchObject({
    ...{ permissionMs: 8_000, watchdogMs: 10_000, silentMs: 12_000, promiseMs: 12_243 },
  })
})

it('leave the host time to stop by itself, and others wait longer than it can run', () => {
  const ms = fc.integer({ min: 1, max: 100_000 })
  const settings = fc.record({
    ...{ askMs: ms, replyMs: ms, stopMs: ms, watchdogStepMs: ms, durableMs: ms },
  })
  fc.assert(
    fc.property(settings, (given) => {
      const { permissionMs, stopMs, watchdogMs, replyMs, ...times } = failoverTimes(given)
      expect(watchdogMs).toBeGreaterThanOrEqual(permissionMs + stopMs)
      expect(watchdogMs % given.watchdogStepMs).toBe(0)
      const lastMs = Math.max(permissionMs + stopMs, replyMs + watchdogMs + given.watchdogStepMs)
      // In real time: the host's clock is slow, that of the peer is fast.
      expect(times.promiseMs / (1 + CLOCK_ERROR)).toBeGreaterThanOrEqual(
        lastMs / (1 - CLOCK_ERROR) - 1e-6,
      )
    }),
  )
})
