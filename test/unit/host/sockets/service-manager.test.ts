import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import { expect, it } from 'vitest'
import { createServiceManager } from '../../../../src/host/sockets/service-manager.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

const AF_UNIX_DGRAM_NONBLOCK = 2 | 0o4000

/** A datagram socket as systemd has it, which Node cannot make. */
function listenAt(name: Buffer) {
  const libc = koffi.load('libc.so.6')
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const recv = libc.func('long recv(int fd, _Out_ uint8_t *into, size_t length, int flags)')
  const close = libc.func('int close(int fd)')
  const fd = socket(1, AF_UNIX_DGRAM_NONBLOCK, 0)
  const address = Buffer.concat([Buffer.from([1, 0]), name])
  if (bind(fd, address, address.length) !== 0) throw new Error('cannot bind')
  return {
    hear(): string | null {
      const into = Buffer.alloc(256)
      const length = Number(recv(fd, into, into.length, 0))
      return length < 0 ? null : into.subarray(0, length).toString()
    },
    close: () => close(fd),
  }
}

it.each(['path', 'abstract'])(
  'tells a manager at a socket with a name that is %s',
  async (kind) => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-notify-'))
    const path = join(directory, 'socket')
    const isPath = kind === 'path'
    const manager = listenAt(Buffer.from(isPath ? `${path}\0` : `\0${path}`))
    const service = createServiceManager({ socket: isPath ? path : `@${path}`, watchdogMs: 30 })
    service.ready()
    expect(manager.hear()).toBe('READY=1')
    let lives = true
    let asked = 0
    const end = service.watch(() => {
      asked += 1
      return lives
    })
    await eventually('a heartbeat', async () => manager.hear() === 'WATCHDOG=1')
    lives = false
    await eventually('what was sent before is read', async () => manager.hear() === null)
    const before = asked
    await eventually('it was asked again', async () => asked > before + 2)
    expect(manager.hear()).toBeNull()
    end()
    manager.close()
    await rm(directory, { recursive: true })
  },
)

it('notifies nobody where nobody asked, and ignores a manager that does not listen', () => {
  const silent = createServiceManager({ socket: undefined, watchdogMs: undefined })
  silent.ready()
  silent.watch(() => true)()
  createServiceManager({ socket: '/nowhere/socket', watchdogMs: 10 }).ready()
})
