/** Programs that hang are named, and only while they do. */
import { expect, it } from 'vitest'
import { watchForHangingPrograms } from '../../../src/lib/hanging-programs.ts'
import type { Runner, RunResult } from '../../../src/lib/runner.ts'

const RAN: RunResult = { exitCode: 0, stoppedBy: null, stdout: '', stderr: '' }

it('names what runs too long, what was killed lately, and nothing that works again', async () => {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs }
  let ends = Promise.withResolvers<RunResult>()
  const run: Runner = () => ends.promise
  const programs = watchForHangingPrograms(run, clock)
  const first = programs.run('qemu-img', [])
  clock.nowMs = 4_000
  expect(programs.hanging()).toEqual([])
  clock.nowMs = 6_000
  expect(programs.hanging()).toEqual(['qemu-img does not finish'])
  clock.nowMs = 10_000
  ends.resolve({ ...RAN, exitCode: null, stoppedBy: 'timeout' })
  await first
  expect(programs.hanging()).toEqual(['qemu-img does not finish'])
  clock.nowMs = 71_000
  expect(programs.hanging()).toEqual([])
  clock.nowMs = 20_000
  ends = Promise.withResolvers()
  ends.resolve({ ...RAN, exitCode: 1 })
  await programs.run('qemu-img', [])
  expect(programs.hanging()).toEqual([])
})
