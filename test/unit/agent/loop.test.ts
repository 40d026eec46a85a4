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

  it('rests when news that are not urgent have taken much time, and not for what is urgent', async () => {
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
    let next: 'wake' | 'wakeSoon' | null = 'wakeSoon'
    const rested = startLoop({
      clock,
      intervalMs: HOUR_MS,
      onError: () => undefined,
      work: async () => {
        nowMs += 100
        runs += 1
        // The loop is known from the second turn on.
        await Promise.resolve()
        if (next !== null && runs < 20) rested[next]()
      },
    })
    try {
      // Half a second at once, and what was earned meanwhile; then four times as long a rest.
      await until(() => rests.length === 1)
      expect(runs).toBe(7)
      expect(rests[0]).toBeCloseTo(400)
      rested.wakeSoon()
      expect(rests).toHaveLength(1)
      next = null
      rested.wake()
      await until(() => rests.length === 2)
      expect({ runs, rest: rests[1] }).toEqual({ runs: 8, rest: HOUR_MS })
      // News of long after the rest find nothing to wait for.
      nowMs += 10_000
      rested.wakeSoon()
      await until(() => rests.length === 3)
      expect({ runs, rest: rests[2] }).toEqual({ runs: 9, rest: HOUR_MS })
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
