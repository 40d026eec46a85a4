/** The throttle, with a clock of our own and its timers in our hands. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { throttle, throttleByKey } from '../../../src/lib/throttle.ts'

const INTERVAL_MS = 200
const clock = { ...systemClock, monotonic: () => Date.now() }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('runs soon after every call, and never twice within the interval', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1 }), (pauses) => {
      const runs: number[] = []
      const calls: number[] = []
      const one = throttle(
        () => runs.push(Date.now()),
        () => INTERVAL_MS,
        clock,
      )
      for (const pause of pauses) {
        vi.advanceTimersByTime(pause)
        calls.push(Date.now())
        one.call()
      }
      vi.advanceTimersByTime(INTERVAL_MS)
      for (const called of calls)
        expect(runs.some((ran) => ran >= called && ran <= called + INTERVAL_MS)).toBe(true)
      for (const [index, ran] of runs.slice(1).entries())
        expect(ran - (runs[index] ?? 0)).toBeGreaterThanOrEqual(INTERVAL_MS)
      expect(runs.length).toBeLessThanOrEqual(calls.length)
      one.close()
    }),
  )
})

/** A throttle that counts its runs. */
function counting() {
  let runs = 0
  const work = () => {
    runs += 1
  }
  return { one: throttle(work, () => INTERVAL_MS, clock), runs: () => runs }
}

it('leaves out what somebody else does meanwhile, and nothing more', () => {
  const { one, runs } = counting()
  one.done()
  one.call()
  vi.advanceTimersByTime(INTERVAL_MS - 1)
  expect(runs()).toBe(0)
  one.done()
  vi.advanceTimersByTime(10 * INTERVAL_MS)
  expect(runs()).toBe(0)
  one.done()
  one.call()
  vi.advanceTimersByTime(INTERVAL_MS)
  expect(runs()).toBe(1)
})

it('does nothing once it is closed', () => {
  const { one, runs } = counting()
  one.call()
  one.call()
  one.close()
  vi.advanceTimersByTime(10 * INTERVAL_MS)
  one.call()
  expect(runs()).toBe(1)
})

it('keeps keys apart, and does what a forgotten one still owed', () => {
  const done: string[] = []
  const throttled = throttleByKey<string>(
    (key) => done.push(key),
    () => 100,
    clock,
    2,
  )
  for (const key of ['a', 'a', 'b', 'c']) throttled.call(key)
  // `a` made room for `c`, and its second run came at once.
  expect(done).toEqual(['a', 'b', 'a', 'c'])
  throttled.call('b')
  throttled.done('b')
  vi.advanceTimersByTime(1_000)
  expect(done).toEqual(['a', 'b', 'a', 'c'])
  throttled.call('b')
  throttled.close()
  throttled.call('c')
  vi.advanceTimersByTime(1_000)
  expect(done).toEqual(['a', 'b', 'a', 'c', 'b'])
})
