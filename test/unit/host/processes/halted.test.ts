/** Processes that do nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { freezerFiles, isHalted } from '../../../../src/host/processes/halted.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

const DEADLINE_MS = 10_000

it('one that is stopped is halted until it goes on, and one that has ended', async () => {
  const child = spawn('/bin/sleep', ['1000'])
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  try {
    expect(await isHalted(pid)).toBe(false)
    child.kill('SIGSTOP')
    await eventually('it is halted', () => isHalted(pid), DEADLINE_MS)
    child.kill('SIGCONT')
    await eventually('it goes on', async () => !(await isHalted(pid)), DEADLINE_MS)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(await isHalted(pid)).toBe(true)
})

describe('the file that says whether its control group is frozen', () => {
  const V1 = '/sys/fs/cgroup/freezer/docker/1/freezer.state'
  const V2 = '/sys/fs/cgroup/system.slice/docker-1.scope/cgroup.events'
  it.each([
    ['4:memory:/x\n3:freezer:/docker/1\n1:name=systemd:/docker/1\n', [V1]],
    ['3:cpu,freezer:/docker/1', [V1]],
    ['0::/system.slice/docker-1.scope\n', [V2]],
    ['0::/a:b', ['/sys/fs/cgroup/a:b/cgroup.events']],
    ['0::/../../etc/x', []],
    ['0::relative', []],
    ['nonsense', []],
    ['', []],
  ])('of %j is %j', (groups, files) => {
    expect(freezerFiles(groups).map(({ file }) => file)).toEqual(files)
  })

  it('says so in its own way', () => {
    const [v1, v2] = [...freezerFiles('3:freezer:/a\n0::/a\n')].map(({ frozen }) => frozen)
    expect(['THAWED\n', 'FREEZING\n', 'FROZEN\n'].map((text) => v1?.test(text))).toEqual([
      false,
      false,
      true,
    ])
    const events = ['populated 1\nfrozen 0\n', 'populated 1\nfrozen 1\n']
    expect(events.map((text) => v2?.test(text))).toEqual([false, true])
  })
})
