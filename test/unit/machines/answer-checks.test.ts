/**
 * A QEMU that stops to answer is named, is not asked again meanwhile, and not named any more when
 * it has answered.
 */
import { expect, it } from 'vitest'
import { createAnswerChecks } from '../../../src/machines/answer-checks.ts'
import type { Machine } from '../../../src/machines/monitors.ts'
import { instanceId } from '../../kit/records.ts'

const ID = instanceId(1)

it('names machines that do not answer', async () => {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs }
  let answer = Promise.withResolvers<void>()
  let asked = 0
  const answered = () => {
    asked += 1
    return answer.promise
  }
  const qmp = { answered } as unknown as Machine['qmp']
  const machines = new Map([[ID, { pid: 7, qmp, isOff: false, isSuspended: false }]])
  const answers = createAnswerChecks(clock)
  const feelAt = (ms: number) => {
    clock.nowMs = ms
    answers.check(machines)
  }
  feelAt(0)
  clock.nowMs = 2_000
  expect(answers.hanging()).toEqual([])
  feelAt(60_000)
  expect(answers.hanging()).toEqual([`the QEMU of ${ID} (process 7) does not answer`])
  expect(asked).toBe(1)
  answer.resolve()
  await answer.promise
  await Promise.resolve()
  expect(answers.hanging()).toEqual([])
  answer = Promise.withResolvers()
  feelAt(69_000)
  feelAt(69_500)
  expect(asked).toBe(2)
  answers.check(new Map([[ID, { pid: 7, qmp: null, isOff: false, isSuspended: false }]]))
  expect(answers.hanging()).toHaveLength(1)
  answers.check(new Map())
  expect(answers.hanging()).toEqual([])
})
