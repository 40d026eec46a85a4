/** Priorities of real processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadScheduling } from '../../../../src/host/processes/scheduling.ts'
import { statFields } from '../../../../src/host/processes/stat.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

/** Of proc_pid_stat(5), from the state on. */
const [NICE, POLICY] = [16, 38]
const [OTHER, RR] = ['0', '2']
const scheduling = loadScheduling()
let child: ChildProcess
let pid: number

beforeEach(async () => {
  child = spawn('nice', ['-n', '3', 'sh', '-c', 'while :; do :; done'])
  pid = child.pid ?? 0
  await eventually('it is a shell', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sh\n')
})
afterEach(() => child.kill('SIGKILL'))

const fieldsOf = () => statFields(readFileSync(`/proc/${pid}/stat`, 'utf8'))

it('goes before others and back, and says how much processor time was used', async () => {
  expect(fieldsOf()[POLICY]).toBe(OTHER)
  const before = scheduling.processorMs(pid) ?? Number.NaN
  if (scheduling.setRealTime(pid, true)) expect(fieldsOf()[POLICY]).toBe(RR)
  await eventually('it uses time', () => (scheduling.processorMs(pid) ?? 0) >= before + 20)
  expect(scheduling.setRealTime(pid, false)).toBe(true)
  expect(fieldsOf()[POLICY]).toBe(OTHER)
  expect(fieldsOf()[NICE]).toBe('3')
})

it('says of what has ended that there is nothing', async () => {
  child.kill('SIGKILL')
  await eventually('it has ended', () => scheduling.processorMs(pid) === null)
  expect(scheduling.setRealTime(pid, true)).toBe(false)
})
