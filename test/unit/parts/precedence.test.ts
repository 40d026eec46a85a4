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

beforeEach(() => {
  now = 1_000
  processorMs = new Map([[PID, 300]])
  set = []
  isAllowed = true
  precedence = new Precedence({
    scheduling: {
      setRealTime: (pid, isRealTime) => {
        set.push([pid, isRealTime])
        return isAllowed
      },
      processorMs: (pid) => processorMs.get(pid) ?? null,
    },
    clock: { monotonic: () => now },
    log: silentLog,
  })
})

/** A second in which the process uses so many milliseconds. */
function second(ms: number, pid = PID): void {
  now += 1_000
  processorMs.set(pid, (processorMs.get(pid) ?? 0) + ms)
  precedence.review(pid)
}

it('goes first as soon as it serves, and as long as it uses less than half of a processor', () => {
  precedence.review(PID)
  for (const ms of [0, 500, 10]) second(ms)
  expect(set).toEqual([[PID, true]])
})

it('is like others when it uses more, and goes first again when it uses much less', () => {
  precedence.review(PID)
  for (const ms of [510, 1_000, 260, 250, 0]) second(ms)
  expect(set).toEqual([
    [PID, true],
    [PID, false],
    [PID, true],
  ])
})

it('is tried once for each process where it is not allowed', () => {
  isAllowed = false
  precedence.review(PID)
  for (const ms of [0, 0, 0]) second(ms)
  expect(set).toEqual([[PID, true]])
  second(900, 8)
  expect(set).toEqual([
    [PID, true],
    [8, true],
  ])
})

it('leaves a process alone that has ended', () => {
  processorMs.clear()
  precedence.review(PID)
  expect(set).toEqual([])
})
