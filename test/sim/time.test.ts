import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { createHostClock, createVirtualTime } from '../../tools/sim/time.ts'

it('a process that has ended leaves nothing with the signals that it waited for', async () => {
  const time = createVirtualTime()
  const clock = createHostClock(time, 1, { offsetMs: 0 })
  const { signal } = new AbortController()
  const woken: string[] = []
  void clock.sleep(10, signal).then(() => woken.push('before the end'))
  void clock.sleep(20, signal).then(() => woken.push('after it'))
  await time.runUntil(15)
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  clock.end()
  void clock.sleep(5, signal).then(() => woken.push('asked for after it'))
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  await time.runUntil(100)
  expect(woken).toEqual(['before the end'])
})

it('a sleep that its signal has ended does not end again', async () => {
  const time = createVirtualTime()
  const clock = createHostClock(time, 1, { offsetMs: 0 })
  const ending = new AbortController()
  const slept = clock.sleep(10, ending.signal)
  ending.abort(new Error('woken'))
  await expect(slept).rejects.toThrow('woken')
  clock.end()
  await time.runUntil(100)
  expect(time.events()).toBe(0)
})
