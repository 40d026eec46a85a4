import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it, vi } from 'vitest'
import { loadGuardedProcesses } from '../../../../src/host/processes/guarded.ts'
import { SOON } from '../../../kit/soon.ts'

const USER = 1_876_543_210
const isRoot = process.getuid?.() === 0

it.runIf(isRoot)('kills the processes of a user, and says when all have ended', async () => {
  const { kill } = loadGuardedProcesses()
  const owners = { containers: new Set(['0a'.repeat(32)]), users: new Set([USER]) }
  expect(kill(owners)).toBe(0)
  const argv = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'sleep', 'infinity']
  const child = spawn('setpriv', argv, { stdio: 'ignore' })
  const other = spawn('sleep', ['infinity'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await vi.waitUntil(() => kill(owners) === 1, SOON)
  expect(await ended).toEqual([null, 'SIGKILL'])
  await vi.waitUntil(() => kill(owners) === 0, SOON)
  expect(other.exitCode).toBe(null)
  other.kill()
  await once(other, 'exit')
})

it.runIf(isRoot)('takes a process that nobody waits for as ended', async () => {
  const { kill } = loadGuardedProcesses()
  const owners = { containers: new Set<string>(), users: new Set([USER + 1]) }
  const start = `setpriv --reuid=${USER + 1} --regid=${USER + 1} --clear-groups sleep infinity &`
  const parent = spawn('sh', ['-c', `${start} exec sleep infinity`], { stdio: 'ignore' })
  await vi.waitUntil(() => kill(owners) === 1, SOON)
  await vi.waitUntil(() => kill(owners) === 0, SOON)
  parent.kill()
  await once(parent, 'exit')
})
