/**
 * What a socket is, by the kernel alone: its network namespace, and where it is bound. So a
 * descriptor that another process had is trusted no further than that.
 */
import { fstatSync } from 'node:fs'
import koffi from 'koffi'
import { type Ipv4, ipv4FromBytes } from '../../model/addr.ts'
import { checked } from '../libc.ts'

/** An IPv4 socket of UDP, or of TCP that listens. */
export interface SocketFacts {
  readonly kind: 'udp' | 'tcp'
  /** The inode of its network namespace. */
  readonly namespace: number
  readonly address: Ipv4
  readonly port: number
  /** Of the link that it is bound to; 0: none. */
  readonly index: number
}

export interface SocketInspector {
  /** Null: it is no such socket. */
  inspect(fd: number): SocketFacts | null
  /** The process at the other end of a UNIX stream socket, or which listened there. */
  peerOf(fd: number): number
}

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_PEERCRED = 17
const SO_ACCEPTCONN = 30
const SO_DOMAIN = 39
const SO_BINDTOIFINDEX = 62
/** linux/sockios.h: a new descriptor of the socket's network namespace. */
const SIOCGSKNS = 0x894c
const SOCKADDR_IN_BYTES = 16
/** struct ucred: process, user, group. */
const UCRED_BYTES = 12

/** The C library of this process. */
export function loadSocketInspector(): SocketInspector {
  const library = koffi.load('libc.so.6')
  const getsockopt = library.func(
    'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
  )
  const getsockname = library.func(
    'int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)',
  )
  const ioctl = library.func('int ioctl(int fd, unsigned long request, long argument)')
  const close = library.func('int close(int fd)')

  const optionOf = (fd: number, name: number, bytes = 4): Buffer => {
    const value = Buffer.alloc(bytes)
    checked('getsockopt', getsockopt(fd, SOL_SOCKET, name, value, [bytes]))
    return value
  }
  const numberOf = (fd: number, name: number): number => optionOf(fd, name).readInt32LE(0)

  const namespaceOf = (fd: number): number => {
    const namespace = checked('ioctl', ioctl(fd, SIOCGSKNS, 0))
    try {
      return fstatSync(namespace).ino
    } finally {
      close(namespace)
    }
  }

  return {
    inspect(fd) {
      if (!fstatSync(fd).isSocket() || numberOf(fd, SO_DOMAIN) !== AF_INET) return null
      const type = numberOf(fd, SO_TYPE)
      const listens = numberOf(fd, SO_ACCEPTCONN) === 1
      if (type !== SOCK_DGRAM && !(type === SOCK_STREAM && listens)) return null
      const address = Buffer.alloc(SOCKADDR_IN_BYTES)
      checked('getsockname', getsockname(fd, address, [address.length]))
      return {
        kind: type === SOCK_DGRAM ? 'udp' : 'tcp',
        namespace: namespaceOf(fd),
        address: ipv4FromBytes(address, 4),
        port: address.readUInt16BE(2),
        index: numberOf(fd, SO_BINDTOIFINDEX),
      }
    },
    peerOf: (fd) => optionOf(fd, SO_PEERCRED, UCRED_BYTES).readInt32LE(0),
  }
}
