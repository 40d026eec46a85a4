import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createDeadlines } from '../../../../src/bus/rabbit/deadlines.ts'

describe('deadlines over one timer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    return () => void vi.useRealTimers()
  })

  const works = fc.array(
    fc.record({
      beginsAt: fc.nat(300),
      ms: fc.nat(300),
      endsAfter: fc.option(fc.nat(300)),
    }),
    { minLength: 1, maxLength: 30 },
  )

  it('tells each that is late in time, once, and none that has ended', () => {
    fc.assert(
      fc.property(works, (all) => {
        const later = createDeadlines()
        const began = performance.now()
        const told = all.map((): number[] => [])
        for (const [index, { beginsAt, ms, endsAfter }] of all.entries()) {
          setTimeout(() => {
            const inTime = later(ms, () => told[index]?.push(performance.now() - began))
            if (endsAfter !== null) setTimeout(inTime, endsAfter)
          }, beginsAt)
        }
        vi.advanceTimersByTime(1_000)
        for (const [index, { beginsAt, ms, endsAfter }] of all.entries()) {
          const ended = endsAfter !== null && Math.max(1, endsAfter) < ms
          if (ended) expect(told[index]).toEqual([])
          else if (endsAfter === null) {
            expect(told[index]).toHaveLength(1)
            const late = (told[index]?.[0] ?? Number.NaN) - Math.max(1, beginsAt) - ms
            expect(late).toBeGreaterThanOrEqual(-1)
            expect(late).toBeLessThanOrEqual(2)
          }
        }
        expect(vi.getTimerCount()).toBe(0)
      }),
    )
  })

  it('sets one timer for many', () => {
    const later = createDeadlines()
    for (let ms = 1_000; ms < 1_100; ms += 1) later(ms, () => undefined)
    expect(vi.getTimerCount()).toBe(1)
  })

  it('lets what is late begin something new', () => {
    const later = createDeadlines()
    const told: string[] = []
    later(10, () => {
      told.push('first')
      later(5, () => told.push('second'))
    })
    later(1_000, () => told.push('third'))
    vi.advanceTimersByTime(2_000)
    expect(told).toEqual(['first', 'second', 'third'])
  })
})
