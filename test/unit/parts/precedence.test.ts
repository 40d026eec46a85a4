/** When the thread that answers instances goes before all others. */
import { beforeEach, expect, it } from 'vitest'
import { Precedence } from '../../../src/parts/precedence.ts'
import { silentLog } from '../../../tools/kit/log.ts'

const PID = 7
let now: number
/** Of each process; one that is not there has ended. */
let processorMs: Map<number, number>
let set: [number, boolean][]
let isAllowed: boolean
let precedence: Precedence
/** What happens after a second. */
let later: (() => void) | null

beforeEach(() => {
  now = 1_000
  processorMs = new Map([[PID, 300]])
  set = []
  isAllowed = true
  later = null
  precedence = new Precedence({
    scheduling: {
      setRealTime: (pid, isRealTime) => {
        set.push([pid, isRealTime])
        return isAllowed
      },
      processorMs: (pid) => processorMs.get(pid) ?? null,
    },
    isServing: (pid) => processorMs.has(pid),
    clock: {
      monotonic: () => now,
      after: (_ms, act) => {
        later = act
        return () => {
          later = null
        }
      },
    },
    log: silentLog,
  })
})

/** A second in which the process uses so many milliseconds. */
function second(ms: number, pid = PID): void {
  now += 1_000
  processorMs.set(pid, (processorMs.get(pid) ?? 0) + ms)
  later?.()
}

it('goes first as soon as it serves, and as long as it uses less than half of a processor', () => {
  precedence.follow(PID)
  for (const ms of [0, 500, 10]) second(ms)
  expect(set).toEqual([[PID, true]])
})

it('is like others when it uses more, and goes first again when it uses much less', () => {
  precedence.follow(PID)
  for (const ms of [510, 1_000, 260, 250, 0]) second(ms)
  expect(set).toEqual([
    [PID, true],
    [PID, false],
    [PID, true],
  ])
})

it('is tried once for each process where it is not allowed', () => {
  isAllowed = false
  precedence.follow(PID)
  for (const ms of [0, 0, 0]) second(ms)
  expect(set).toEqual([[PID, true]])
  processorMs.set(8, 900)
  precedence.follow(8)
  expect(set).toEqual([
    [PID, true],
    [8, true],
  ])
})

it('looks at it whether or not it answers, until it has ended', () => {
  precedence.follow(PID)
  second(0)
  expect(later).not.toBeNull()
  processorMs.clear()
  later?.()
  expect(later).toBeNull()
  expect(set).toEqual([[PID, true]])
})

it('leaves it as it is when it is closed', () => {
  precedence.follow(PID)
  precedence.close()
  expect(later).toBeNull()
  expect(set).toEqual([[PID, true]])
})
