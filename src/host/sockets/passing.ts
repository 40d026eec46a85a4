/**
 * Descriptors on their way to another process, in datagrams of UNIX sockets (unix(7), SCM_RIGHTS).
 *
 * Both ends are synchronous and never wait: who receives is told by other means that there is
 * something. What is sent to a process that has ended stays open until the socket is closed.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { bug } from '../../model/errors.ts'
import { KIB } from '../../model/sizes.ts'
import { checked } from '../libc.ts'

/** Descriptors in one datagram. The kernel's limit is 253 (SCM_MAX_FD). */
export const MAX_PASSED = 64
/** Bytes of one datagram. */
const MAX_BYTES = KIB

export interface Passing {
  /** A datagram socket at `path`, which must not exist. Only its owner may send to it. */
  listen(path: string): number
  /** Sends copies of descriptors with some bytes. Throws `EAGAIN` when too many wait. */
  send(path: string, bytes: Uint8Array, fds: readonly number[]): void
  /** The next datagram; null: there is none. The descriptors are closed on exec. */
  receive(fd: number): { readonly bytes: Buffer; readonly fds: readonly number[] } | null
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x40000000
/** struct sockaddr_un, and the path in it with its zero byte. */
const SOCKADDR_UN = { bytes: 110, pathBytes: 107 } as const
const OWNER_ONLY = 0o600
/** struct cmsghdr on 64-bit machines: length, level, type; the data follow (cmsg(3)). */
const HEADER_BYTES = 16
const FD_BYTES = 4

/** The C library of this process. */
export function loadPassing(): Passing {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const bind = library.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const chmod = library.func('int chmod(const char *path, uint32_t mode)')
  const close = library.func('int close(int fd)')
  const piece = koffi.struct({ base: 'uint8_t *', length: 'size_t' })
  const message = koffi.struct({
    name: 'uint8_t *',
    nameLength: 'uint32_t',
    pieces: koffi.pointer(piece),
    pieceCount: 'size_t',
    control: 'uint8_t *',
    controlLength: 'size_t',
    flags: 'int',
  })
  const pointer = koffi.pointer(message)
  const sendmsg = library.func('sendmsg', 'long', ['int', pointer, 'int'])
  const recvmsg = library.func('recvmsg', 'long', ['int', koffi.inout(pointer), 'int'])
  const open = () =>
    checked('socket', socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))

  return {
    listen(path) {
      const address = unixAddress(path)
      const fd = open()
      try {
        checked('bind', bind(fd, address, address.length))
        checked('chmod', chmod(path, OWNER_ONLY))
        return fd
      } catch (error) {
        close(fd)
        throw error
      }
    },
    send(path, bytes, fds) {
      if (fds.length > MAX_PASSED || bytes.length > MAX_BYTES) throw bug('a datagram is too large')
      const name = unixAddress(path)
      const fd = open()
      try {
        const control = rights(fds)
        const header = {
          ...{ name, nameLength: name.length, flags: 0 },
          ...{ pieces: [{ base: bytes, length: bytes.length }], pieceCount: 1 },
          ...{ control, controlLength: control.length },
        }
        checked('sendmsg', sendmsg(fd, header, MSG_DONTWAIT))
      } finally {
        close(fd)
      }
    },
    receive(fd) {
      const bytes = Buffer.alloc(MAX_BYTES)
      const control = Buffer.alloc(HEADER_BYTES + MAX_PASSED * FD_BYTES)
      const header = {
        ...{ name: null, nameLength: 0, flags: 0 },
        ...{ pieces: [{ base: bytes, length: bytes.length }], pieceCount: 1 },
        ...{ control, controlLength: control.length },
      }
      const result: unknown = recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
      if (result === -1 && koffi.errno() === constants.errno.EAGAIN) return null
      const length = checked('recvmsg', result)
      return { bytes: bytes.subarray(0, length), fds: descriptorsIn(control) }
    },
  }
}

function unixAddress(path: string): Buffer {
  if (Buffer.byteLength(path) > SOCKADDR_UN.pathBytes) throw bug(`${path} is too long for a socket`)
  const address = Buffer.alloc(SOCKADDR_UN.bytes)
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer))
  address.write(path, 2)
  return address
}

function rights(fds: readonly number[]): Buffer {
  const length = HEADER_BYTES + fds.length * FD_BYTES
  // The kernel reads whole words.
  const control = Buffer.alloc(Math.ceil(length / 8) * 8)
  control.writeBigUInt64LE(BigInt(length), 0)
  control.set(new Uint8Array(Int32Array.of(SOL_SOCKET, SCM_RIGHTS, ...fds).buffer), 8)
  return control
}

/** Those of the first header. The kernel writes one, and nothing where nothing was sent. */
function descriptorsIn(control: Buffer): readonly number[] {
  const length = Number(control.readBigUInt64LE(0))
  if (length < HEADER_BYTES || length > control.length) return []
  const numbers = (length - HEADER_BYTES) / FD_BYTES
  return Array.from({ length: numbers }, (_, index) =>
    control.readInt32LE(HEADER_BYTES + index * FD_BYTES),
  )
}
