/**
 * The connections to machines: QEMU serves one client at a time, and whoever comes second must not
 * wait for the first to end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMachineFiles } from '../../../src/machines/files.ts'
import { createMonitors, type Monitors } from '../../../src/machines/monitors.ts'
import { machineName, machineUser } from '../../../src/model/names.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { instanceId } from '../../kit/records.ts'

const ID = instanceId(1)
/** The process is ours: only root can give it another user. */
const FIRST_USER = (process.getuid?.() ?? 0) - machineUser(0, ID)

let dir: string
let machine: ChildProcess
let server: Server
let served = 0
let monitors: Monitors

beforeEach(async () => {
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
  socket.write('{"QMP": {}}\n')
  socket.on('close', () => {
    served -= 1
  })
  socket.on('data', (bytes) => {
    for (const line of bytes.toString().trim().split('\n')) {
      const { id } = JSON.parse(line)
      socket.write(`${JSON.stringify({ return: { status: 'running' }, id })}\n`)
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
