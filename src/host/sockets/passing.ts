/**
 * Descriptors on their way to another process, by UNIX sockets (unix(7), SCM_RIGHTS): over a
 * connection, or in datagrams.
 *
 * Both ends are synchronous and never wait: who receives datagrams is told by other means that
 * there is something. What is sent to a process that has ended stays open until the socket is
 * closed.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { bug } from '../../model/errors.ts'
import { KIB } from '../../model/sizes.ts'
import { checked } from '../libc.ts'
import { AF_UNIX, unixAddress } from './unix.ts'

/** Descriptors in one datagram. The kernel's limit is 253 (SCM_MAX_FD). */
export const MAX_PASSED = 64
/** Bytes of one datagram. */
const MAX_BYTES = KIB

export interface Passing {
  /** Sends bytes over a connected socket, with a copy of a descriptor. */
  sendOver(socket: number, bytes: Uint8Array, passed: number): void
  /** Sends copies of descriptors with some bytes. Throws `EAGAIN` when too many wait. */
  send(path: string, bytes: Uint8Array, fds: readonly number[]): void
  /** The next datagram; null: there is none. The descriptors are closed on exec. */
  receive(fd: number): { readonly bytes: Buffer; readonly fds: readonly number[] } | null
}

const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x40000000
/** struct cmsghdr on 64-bit machines: length, level, type; the data follow (cmsg(3)). */
const HEADER_BYTES = 16
const FD_BYTES = 4

/** The C library of this process. */
export function loadPassing(): Passing {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
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

  return {
    sendOver: (fd, bytes, passed) => {
      checked('sendmsg', sendmsg(fd, headerOf(null, bytes, rights([passed])), 0))
    },
    send(path, bytes, fds) {
      if (fds.length > MAX_PASSED || bytes.length > MAX_BYTES) throw bug('a datagram is too large')
      const header = headerOf(unixAddress(path), bytes, rights(fds))
      const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC
      const fd = checked('socket', socket(AF_UNIX, type, 0))
      try {
        checked('sendmsg', sendmsg(fd, header, MSG_DONTWAIT))
      } finally {
        close(fd)
      }
    },
    receive(fd) {
      const bytes = Buffer.alloc(MAX_BYTES)
      const control = Buffer.alloc(HEADER_BYTES + MAX_PASSED * FD_BYTES)
      const header = headerOf(null, bytes, control)
      const result: unknown = recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
      if (result === -1 && koffi.errno() === constants.errno.EAGAIN) return null
      const length = checked('recvmsg', result)
      return { bytes: bytes.subarray(0, length), fds: descriptorsIn(control) }
    },
  }
}

/** struct msghdr (recvmsg(2)) of a message in one piece. */
function headerOf(name: Buffer | null, bytes: Uint8Array, control: Buffer) {
  return {
    ...{ name, nameLength: name?.length ?? 0, flags: 0 },
    ...{ pieces: [{ base: bytes, length: bytes.length }], pieceCount: 1 },
    ...{ control, controlLength: control.length },
  }
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
