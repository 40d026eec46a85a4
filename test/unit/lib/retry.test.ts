import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Backoff, pauseMs, retry } from '../../../src/lib/retry.ts'

const EXACT: Backoff = { firstMs: 100, lastMs: 1_000 }

describe('pauses', () => {
  it('double from the first to the last', () => {
    expect([1, 2, 3, 4, 5, 6, 5_000].map((failures) => pauseMs(EXACT, failures))).toEqual([
      100, 200, 400, 800, 1_000, 1_000, 1_000,
    ])
  })

  it('leave no more to chance than they may', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (failures, share, chance) => {
          const ms = pauseMs({ ...EXACT, jitter: { share, random: () => chance } }, failures)
          const longest = pauseMs(EXACT, failures)
          expect(ms).toBeLessThanOrEqual(longest)
          expect(ms).toBeGreaterThanOrEqual(longest * (1 - share) - 1e-9)
        },
      ),
    )
  })
})

describe('retry', () => {
  /** Work that fails so many times, and what was slept meanwhile. */
  function failing(times: number) {
    let failures = 0
    const slept: number[] = []
    const clock = {
      sleep: async (ms: number, signal?: AbortSignal) => {
        signal?.throwIfAborted()
        slept.push(ms)
      },
    }
    const attempt = async () => {
      failures += 1
      if (failures <= times) throw new Error(`failure ${failures}`)
      return 'done'
    }
    return { slept, clock, attempt }
  }

  it('tries until it succeeds, with longer and longer pauses', async () => {
    const { slept, clock, attempt } = failing(3)
    const heard: unknown[] = []
    const again = (error: unknown, failures: number, ms: number) => {
      heard.push([String(error), failures, ms])
      return true
    }
    expect(await retry({ clock, backoff: EXACT, again }, attempt)).toBe('done')
    expect(slept).toEqual([100, 200, 400])
    expect(heard).toEqual([
      ['Error: failure 1', 1, 100],
      ['Error: failure 2', 2, 200],
      ['Error: failure 3', 3, 400],
    ])
  })

  it('gives up with the error of the work, or with what it is told', async () => {
    const { clock, attempt } = failing(9)
    const backoff = EXACT
    await expect(
      retry({ clock, backoff, again: (_error, failures) => failures < 3 }, attempt),
    ).rejects.toThrow('failure 3')
    const again = () => {
      throw new Error('hopeless')
    }
    await expect(retry({ clock, backoff, again }, attempt)).rejects.toThrow('hopeless')
  })

  it('ends with the reason of its signal', async () => {
    const { clock, attempt } = failing(9)
    const signal = AbortSignal.abort(new Error('closing'))
    await expect(
      retry({ clock, backoff: EXACT, signal, again: () => true }, attempt),
    ).rejects.toThrow('closing')
  })
})
