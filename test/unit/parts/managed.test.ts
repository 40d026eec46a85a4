/** Processes of parts that a service manager keeps running: which they are, and their end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { endAllParts, endManaged, fenceProcesses, managedApi } from '../../../src/parts/managed.ts'
import { endChild } from '../../../tools/kit/child.ts'
import { eventually } from '../../../tools/kit/netns.ts'

const FOREVER = 'setInterval(() => undefined, 1e6)'
let runtimeDir: string
let begun: ChildProcess[]

beforeEach(() => {
  runtimeDir = mkdtempSync(join(tmpdir(), 'atoll-managed-'))
  mkdirSync(join(runtimeDir, 'api'))
  writeFileSync(join(runtimeDir, 'api/secrets.json'), '{}')
  begun = []
})

afterEach(async () => {
  for (const child of begun) await endChild(child)
  rmSync(runtimeDir, { recursive: true })
})

/** A process with the command line of a part, started by these programs. */
function begin(part: string, through: readonly string[] = [], cwd = '/'): ChildProcess {
  const words = [...through, process.execPath, '--eval', FOREVER, '--', '--part', part]
  const [program = '', ...args] = words
  const child = spawn(program, args, { cwd, stdio: 'ignore' })
  begun.push(child)
  return child
}

it('are ended, and what they could use is taken away first', async () => {
  const api = begin('api')
  const services = begin('services')
  await eventually('it is found', () => managedApi(runtimeDir).includes(api.pid ?? 0))
  expect(managedApi(runtimeDir)).not.toContain(services.pid)
  await endManaged(runtimeDir, systemClock, 'api')
  expect(existsSync(join(runtimeDir, 'api/secrets.json'))).toBe(false)
  await eventually('it has ended', () => api.signalCode === 'SIGTERM')
  expect(services.signalCode).toBe(null)
  await endManaged(runtimeDir, systemClock, 'api')
})

it('are known by the directory that they run in, where they are the fence', async () => {
  const own = join(runtimeDir, 'fence')
  mkdirSync(own)
  writeFileSync(join(own, 'orders.json'), '{}')
  const fence = begin('fence', [], own)
  const other = begin('fence', [], runtimeDir)
  await eventually('it is found', () => fenceProcesses(runtimeDir).includes(fence.pid ?? 0))
  expect(fenceProcesses(runtimeDir)).toEqual([fence.pid])
  await endManaged(runtimeDir, systemClock, 'fence')
  expect(existsSync(join(own, 'orders.json'))).toBe(false)
  await eventually('it has ended', () => fence.signalCode === 'SIGTERM')
  expect(other.exitCode ?? other.signalCode).toBe(null)
})

it('are ended with all that a daemon has left, where they are the fence', async () => {
  const own = join(runtimeDir, 'fence')
  mkdirSync(own)
  writeFileSync(join(own, 'orders.json'), '{}')
  const fence = begin('fence', [], own)
  const api = begin('api')
  await eventually('it is found', () => fenceProcesses(runtimeDir).includes(fence.pid ?? 0))
  expect(await endAllParts(runtimeDir, systemClock)).toEqual(['fence'])
  await eventually('it has ended', () => fence.signalCode === 'SIGTERM')
  // The service manager does not start another one.
  expect(existsSync(join(own, 'orders.json'))).toBe(false)
  expect(api.exitCode ?? api.signalCode).toBe(null)
  expect(await endAllParts(runtimeDir, systemClock)).toEqual([])
})

it('of which there are none before the directory is made', async () => {
  const api = begin('api')
  rmSync(join(runtimeDir, 'api'), { recursive: true })
  expect(managedApi(runtimeDir)).toEqual([])
  await endManaged(runtimeDir, systemClock, 'api')
  expect(api.signalCode).toBe(null)
})

it.skipIf(process.getuid?.() !== 0)('leaves those of another daemon alone', async () => {
  const script = `mount -t tmpfs tmpfs ${runtimeDir}; mkdir ${runtimeDir}/api; exec "$@"`
  const spaces = ['unshare', '--mount', '--propagation', 'private']
  const other = begin('api', [...spaces, 'sh', '-c', script, 'sh'])
  // Before that it is a shell that sees what we see.
  await eventually(
    'it sees another directory',
    () =>
      existsSync(`/proc/${other.pid}/root${runtimeDir}/api`) &&
      !managedApi(runtimeDir).includes(other.pid ?? 0),
  )
  await endManaged(runtimeDir, systemClock, 'api')
  expect(other.signalCode).toBe(null)
  expect(other.exitCode).toBe(null)
})
