import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import {
  inTime,
  loadTolerantClock,
  unlessAborted,
  whileHeard,
  withDeadline,
} from '../../../src/lib/deadline.ts'

const LONG_MS = 60_000
const never = (): Promise<never> => new Promise(() => {})
const deadline = (ms: number, signal?: AbortSignal) => ({
  clock: systemClock,
  ms,
  late: () => new Error('too late'),
  ...(signal === undefined ? {} : { signal }),
})

describe('withDeadline', () => {
  it('gives what the work gives', async () => {
    expect(await withDeadline(deadline(LONG_MS), async () => 'done')).toBe('done')
    await expect(
      withDeadline(deadline(LONG_MS), () => Promise.reject(new Error('no'))),
    ).rejects.toThrow('no')
  })

  it('does not wait for work that ignores its signal', async () => {
    let seen: AbortSignal | undefined
    const late = withDeadline(deadline(1), (signal) => {
      seen = signal
      return never()
    })
    await expect(late).rejects.toThrow('too late')
    expect(seen?.reason).toEqual(new Error('too late'))
  })

  it('ends when the caller goes, and does not begin when it has gone before', async () => {
    const caller = new AbortController()
    const left = withDeadline(deadline(LONG_MS, caller.signal), never)
    caller.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    let begun = false
    const after = withDeadline(deadline(LONG_MS, caller.signal), async () => {
      begun = true
    })
    await expect(after).rejects.toThrow('gone')
    expect(begun).toBe(false)
  })

  it('leaves no signal aborted and no timer behind work that was in time', async () => {
    const caller = new AbortController()
    let seen: AbortSignal | undefined
    let timers = 0
    const clock = {
      after: (ms: number, run: () => void) => {
        timers += 1
        const stop = systemClock.after(ms, run)
        return () => {
          timers -= 1
          stop()
        }
      },
    }
    await withDeadline({ ...deadline(LONG_MS, caller.signal), clock }, async (signal) => {
      seen = signal
    })
    caller.abort()
    expect(seen?.aborted).toBe(false)
    expect(timers).toBe(0)
  })

  it('leaves to itself what fails after its time', async () => {
    const late = Promise.withResolvers<never>()
    await expect(withDeadline(deadline(1), () => late.promise)).rejects.toThrow('too late')
    // Unhandled, this would fail the test run.
    late.reject(new Error('later still'))
    await new Promise(setImmediate)
  })
})

describe('whileHeard', () => {
  it('waits as long as something is heard, and leaves no timer behind', async () => {
    const timers = new Set<() => void>()
    const clock = {
      after(_ms: number, run: () => void) {
        timers.add(run)
        return () => timers.delete(run)
      },
    }
    const passed = () => {
      for (const run of timers) run()
    }
    let heard = () => {}
    const before = await whileHeard({ ...deadline(LONG_MS), clock }, async (_signal, hear) => {
      const [first] = timers
      hear()
      heard = hear
      expect(timers.size).toBe(1)
      return [...timers].includes(first ?? passed)
    })
    expect(before).toBe(false)
    heard()
    expect(timers.size).toBe(0)
    const silent = whileHeard({ ...deadline(LONG_MS), clock }, async (_signal, hear) => {
      hear()
      return await never()
    })
    passed()
    await expect(silent).rejects.toThrow('too late')
    expect(timers.size).toBe(0)
  })
})

describe('unlessAborted', () => {
  it('rejects with the reason of the signal, and otherwise gives what the work gives', async () => {
    const caller = new AbortController()
    expect(await unlessAborted(caller.signal, async () => 1)).toBe(1)
    const waiting = unlessAborted(caller.signal, never)
    caller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})

describe('inTime', () => {
  it('gives what came in time, and null for what did not', async () => {
    expect(await inTime(systemClock, LONG_MS, Promise.resolve('here'))).toBe('here')
    expect(await inTime(systemClock, 1, never())).toBe(null)
    await expect(inTime(systemClock, LONG_MS, Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    )
  })
})

describe('loadTolerantClock', () => {
  const patient = loadTolerantClock(systemClock, 4)
  const waited = (ms: number) => new Promise<void>((resolve) => patient.after(ms, resolve))

  it('ends after its time, once', async () => {
    const start = performance.now()
    let calls = 0
    await new Promise<void>((resolve) => {
      patient.after(150, () => {
        calls += 1
        resolve()
      })
    })
    expect(performance.now() - start).toBeGreaterThanOrEqual(145)
    expect(calls).toBe(1)
  })

  it('does not end when it is stopped', async () => {
    let calls = 0
    const stop = patient.after(60, () => {
      calls += 1
    })
    stop()
    await waited(150)
    expect(calls).toBe(0)
  })

  it('counts a standstill of the process itself as one tick', async () => {
    let calls = 0
    const stop = patient.after(300, () => {
      calls += 1
    })
    const wake = performance.now() + 400
    while (performance.now() < wake);
    await waited(60)
    expect(calls).toBe(0)
    stop()
  })

  it('takes no longer than its stretch, however slow the process is', async () => {
    // Each tick finds that the process has stood still for 100 ms.
    let nowMs = 0
    const ticks: (() => void)[] = []
    const clock = {
      monotonic: () => nowMs,
      after: (_ms: number, run: () => void) => {
        ticks.push(run)
        return () => undefined
      },
    }
    let isOver = false
    loadTolerantClock(clock, 2).after(300, () => {
      isOver = true
    })
    while (!isOver) {
      nowMs += 100
      ticks.shift()?.()
    }
    // The last turn reads what has arrived.
    expect(nowMs).toBe(2 * 300 + 100)
  })
})
