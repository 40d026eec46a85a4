/**
 * The connections to machines: QEMU serves one client at a time, and whoever comes second must not
 * wait for the first to end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMachineFiles } from '../../../src/machines/files.ts'
import { createMonitors, type Monitors } from '../../../src/machines/monitors.ts'
import { machineName, machineUser } from '../../../src/model/names.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { instanceId } from '../../kit/records.ts'
import { SOON } from '../../kit/soon.ts'

const ID = instanceId(1)
/** The process is ours: only root can give it another user. */
const FIRST_USER = (process.getuid?.() ?? 0) - machineUser(0, ID)

let dir: string
let machine: ChildProcess
let server: Server
let served = 0
/** What the machine's state is, and how its monitor answers. */
let status = 'running'
let asked = 0
let connected: Socket | undefined
let answers = true
let monitors: Monitors

beforeEach(async () => {
  status = 'running'
  answers = true
  served = 0
  dir = await mkdtemp(join(tmpdir(), 'atoll-monitors-'))
  const files = createMachineFiles(dir)
  const { home } = files.paths(ID)
  await mkdir(home, { recursive: true })
  machine = spawn('sh', ['-c', 'read line', 'sh', '-name', machineName(home)])
  monitors = createMonitors({
    files,
    runtimeDir: join(dir, 'run'),
    firstUser: FIRST_USER,
    clock: systemClock,
    log: silentLog,
  })
  await mkdir(monitors.sockets(ID).dir, { recursive: true })
  server = createServer(serveOne)
  await new Promise<void>((done) => server.listen(monitors.sockets(ID).qmp, done))
})
afterEach(async () => {
  monitors.close()
  machine.kill('SIGKILL')
  server.close()
  await rm(dir, { recursive: true, force: true })
})

/** As QEMU does: the second client gets nothing while the first is there. */
function serveOne(socket: Socket): void {
  socket.on('error', () => {})
  served += 1
  if (served > 1) return
  connected = socket
  socket.write('{"QMP": {}}\n')
  socket.on('close', () => {
    served -= 1
  })
  socket.on('data', (bytes) => {
    for (const line of bytes.toString().trim().split('\n')) {
      const { id, execute } = JSON.parse(line)
      if (execute === 'query-status') asked += 1
      if (answers || execute !== 'query-status')
        socket.write(`${JSON.stringify({ return: { status }, id })}\n`)
    }
  })
}

test('who lists machines while one is being started finds it, and nobody waits', async () => {
  const { pid = 0 } = machine
  const [, listed] = await Promise.all([
    monitors.adopt(ID, pid),
    monitors.list(true),
    monitors.list(true),
  ])
  expect(listed.get(ID)).toMatchObject({ pid, isOff: false })
  expect(listed.get(ID)?.qmp).not.toBeNull()
  await monitors.adopt(ID, pid)
  expect((await monitors.list(true)).get(ID)?.qmp).toBe(listed.get(ID)?.qmp)
  expect(served).toBe(1)
})

test('what is known of a machine is said without connecting to it', async () => {
  expect(monitors.known(ID)).toBeUndefined()
  expect(served).toBe(0)
  const listed = (await monitors.list(true)).get(ID)
  expect(monitors.known(ID)).toBe(listed)
  expect(served).toBe(1)
  expect(monitors.known(instanceId(2))).toBeUndefined()
})

const stateNow = async () => (await monitors.list(false)).get(ID)?.isSuspended

test('a machine that stands still between two hosts is told from one that goes on', async () => {
  await monitors.adopt(ID, machine.pid ?? 0)
  expect(await stateNow()).toBe(false)
  const told: string[] = []
  monitors.watch((instance) => told.push(instance))
  for (const [now, event] of [
    ['postmigrate', 'STOP'],
    ['running', 'RESUME'],
  ] as const) {
    status = now
    connected?.write(`{"event": "${event}", "data": {}}\n`)
    await vi.waitUntil(async () => (await stateNow()) === (now !== 'running'), SOON)
  }
  expect(told).toEqual([ID, ID])
})

test('however often a machine says that it stands still, one question waits for its answer', async () => {
  await monitors.adopt(ID, machine.pid ?? 0)
  const before = asked
  answers = false
  connected?.write('{"event": "STOP", "data": {}}\n'.repeat(10_000))
  await vi.waitUntil(() => asked > before, SOON)
  answers = true
  status = 'paused'
  // What it is asked afterwards comes after all of these were read.
  await (await monitors.list(false)).get(ID)?.qmp?.execute('query-name')
  expect(asked).toBe(before + 1)
})
