import { afterEach, describe, expect, it } from 'vitest'
import { type Loop, startLoop } from '../../../src/agent/loop.ts'
import { systemClock } from '../../../src/lib/clock.ts'

const HOUR_MS = 3_600_000
let loop: Loop | undefined
afterEach(() => loop?.close())

/** A loop whose runs end one by one, when the test says so. */
function gatedLoop(intervalMs: number) {
  const gates: (() => void)[] = []
  const errors: unknown[] = []
  let running = 0
  let most = 0
  loop = startLoop({
    clock: systemClock,
    intervalMs,
    onError: (error) => errors.push(error),
    work: async (signal) => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => {
        gates.push(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      running -= 1
      if (gates.length === 2) throw new Error('the second run fails')
    },
  })
  return { gates, errors, most: () => most, loop }
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 1 }).toBe(true)
}

describe('startLoop', () => {
  it('runs at once, and then once more however many wake-ups come meanwhile', async () => {
    const { gates, most, loop } = gatedLoop(HOUR_MS)
    await until(() => gates.length === 1)
    for (let count = 0; count < 100; count += 1) loop.wake()
    gates[0]?.()
    await until(() => gates.length === 2)
    gates[1]?.()
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    expect(gates.length).toBe(2)
    expect(most()).toBe(1)
  })

  it('rests after a run some times as long as it took, unless a wake-up is urgent', async () => {
    let nowMs = 0
    const rests: number[] = []
    const clock = {
      ...systemClock,
      monotonic: () => nowMs,
      sleep: (ms: number, signal?: AbortSignal) => {
        rests.push(ms)
        return systemClock.sleep(HOUR_MS, signal)
      },
    }
    let runs = 0
    const woken: ('wake' | 'wakeSoon')[] = ['wakeSoon', 'wake', 'wakeSoon']
    const rested = startLoop({
      clock,
      intervalMs: HOUR_MS,
      onError: () => undefined,
      work: async () => {
        nowMs += runs === 2 ? 5_000 : 70
        const how = woken[runs]
        runs += 1
        // The loop is known from the second turn on.
        await Promise.resolve()
        if (how !== undefined) rested[how]()
      },
    })
    try {
      await until(() => rests.length === 1)
      expect({ runs, rests }).toEqual({ runs: 1, rests: [280] })
      rested.wakeSoon()
      expect(rests).toEqual([280])
      rested.wake()
      // The second run was woken at once, and the third took long.
      await until(() => rests.length === 2)
      expect({ runs, rests }).toEqual({ runs: 3, rests: [280, 500] })
      rested.wake()
      await until(() => rests.length === 3)
      // A wake-up after the rest finds nothing to wait for.
      nowMs += 280
      rested.wakeSoon()
      await until(() => runs === 5)
    } finally {
      await rested.close()
    }
  })

  it('goes on after a run that throws, and tells', async () => {
    const { gates, errors, loop } = gatedLoop(HOUR_MS)
    await until(() => gates.length === 1)
    gates[0]?.()
    loop.wake()
    await until(() => gates.length === 2)
    gates[1]?.()
    await until(() => errors.length === 1)
    loop.wake()
    await until(() => gates.length === 3)
  })

  it('runs by itself when the interval is over', async () => {
    const { gates } = gatedLoop(1)
    await until(() => gates.length === 1)
    gates[0]?.()
    await until(() => gates.length === 2)
  })

  it('aborts the run at hand when it is closed, and waits for it', async () => {
    const { gates, errors, loop } = gatedLoop(HOUR_MS)
    await until(() => gates.length === 1)
    await loop.close()
    loop.wake()
    expect(gates.length).toBe(1)
    expect(errors).toEqual([])
  })
})
