/**
 * Typed C library calls that Node does not offer: entering a network namespace, UDP sockets that
 * are bound to a device before they are bound to a port, and datagrams to a Unix socket.
 *
 * They run synchronously on the calling thread. Errors: `LibcError` with the errno's name.
 */
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import { type Ipv4, ipv4ToBytes, ipv4ToNumber } from '../model/addr.ts'
import { layOutMessages, MESSAGE, PIECE } from './sockets/messages.ts'
import { AF_UNIX, unixAddress } from './sockets/unix.ts'

/** A failed call. `code` is the errno's name, e.g. `EPERM`. */
export class LibcError extends Error {
  readonly code: string
  readonly syscall: string

  constructor(syscall: string, errno: number) {
    const code = getSystemErrorName(-errno)
    super(`${syscall}: ${code}`)
    this.name = 'LibcError'
    this.code = code
    this.syscall = syscall
  }
}

export interface Libc {
  /**
   * setns(2) with CLONE_NEWNET: moves the calling thread into the network namespace behind `fd`.
   */
  enterNetworkNamespace(fd: number): void
  /** unshare(2) with CLONE_NEWNET: moves the calling thread into a new network namespace. */
  leaveNetworkNamespace(): void
  /** A non-blocking, close-on-exec IPv4 UDP socket (socket(2)). */
  udpSocket(): number
  /** A non-blocking, close-on-exec IPv4 TCP socket. */
  tcpSocket(): number
  /** setsockopt(2) at level SOL_SOCKET with an int. */
  setSocketFlag(fd: number, option: number, value: number): void
  /** SO_BINDTODEVICE (socket(7)): the socket sends and receives through this link only. */
  bindToDevice(fd: number, link: string): void
  /** bind(2) to an IPv4 address and port. */
  bind(fd: number, address: Ipv4, port: number): void
  /** listen(2) with this many connections that wait. */
  listen(fd: number, backlog: number): void
  /** sendmsg(2) of one UDP datagram with IP_PKTINFO (ip(7)), which chooses the source address. */
  sendFrom(fd: number, source: Ipv4, bytes: Uint8Array, port: number, to: Ipv4): void
  /**
   * sendto(2) of one datagram to a Unix socket (unix(7)): a path, or an abstract name that begins
   * with `@`.
   */
  sendToPath(path: string, bytes: Uint8Array): void
  /**
   * A non-blocking, close-on-exec packet socket that only sends, until it is bound (packet(7)).
   */
  packetSocket(): number
  /**
   * sendto(2) of one frame of this protocol (IEEE 802 numbers) to every station on the link with
   * this index.
   */
  broadcast(fd: number, index: number, protocol: number, bytes: Uint8Array): void
  /** bind(2) of a packet socket: it receives what comes by this link with this protocol. */
  bindToProtocol(fd: number, index: number, protocol: number): void
  /** recv(2) of one message, cut to `bytes`; null when none waits. */
  receive(fd: number, bytes: number): Buffer | null
  /**
   * flock(2), exclusive and without waiting; false when another process has the lock. It is
   * released with the file's last descriptor.
   */
  lock(fd: number): boolean
  /** A copy of a descriptor of this process that is closed on exec (fcntl(2), F_DUPFD_CLOEXEC). */
  duplicate(fd: number): number
  close(fd: number): void
}

const CLONE_NEWNET = 0x40000000
const AF_PACKET = 17
const SOCKADDR_LL_BYTES = 20
const ETHERNET_BYTES = 6
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_BINDTODEVICE = 25
const SOCKADDR_IN_BYTES = 16
const F_DUPFD_CLOEXEC = 1030
const MSG_DONTWAIT = 0x40
/** sys/file.h */
const LOCK_EX = 2
const LOCK_NB = 4
/** IPv4 has no longer ones. */
const MAX_DATAGRAM_BYTES = 65_507
/** struct cmsghdr with a struct in_pktinfo behind it (ip(7)), on 64-bit machines. */
const PACKET_INFO = { bytes: 32, length: 28, type: 8, source: 20 } as const
/** SO_REUSEADDR of socket(7). */
export const SO_REUSEADDR = 2
/** SO_BROADCAST of socket(7). */
export const SO_BROADCAST = 6
/** SO_RCVBUFFORCE of socket(7): beyond net.core.rmem_max. */
export const SO_RCVBUFFORCE = 33
/**
 * SO_NO_CHECK of asm-generic/socket.h: datagrams are sent without UDP checksum, which is written as
 * 0 (RFC 768).
 */
export const SO_NO_CHECK = 11

/**
 * The result of a call. Throws `LibcError` for -1. Use it directly on the call, before errno
 * changes.
 */
export function checked(syscall: string, result: unknown): number {
  if (typeof result === 'number' && result >= 0) return result
  throw new LibcError(syscall, koffi.errno())
}

/** The C library of this process. */
export function loadLibc(): Libc {
  const library = koffi.load('libc.so.6')
  const setns = library.func('int setns(int fd, int nstype)')
  const unshare = library.func('int unshare(int flags)')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const setsockopt = library.func(
    'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
  )
  const bind = library.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const close = library.func('int close(int fd)')
  const sendto = library.func(
    'long sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *to, uint32_t toLength)',
  )

  const setOption = (fd: number, name: number, value: Buffer) => {
    checked('setsockopt', setsockopt(fd, SOL_SOCKET, name, value, value.length))
  }

  return {
    enterNetworkNamespace: (fd) => {
      checked('setns', setns(fd, CLONE_NEWNET))
    },
    leaveNetworkNamespace: () => {
      checked('unshare', unshare(CLONE_NEWNET))
    },
    udpSocket: () =>
      checked('socket', socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    tcpSocket: () =>
      checked('socket', socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    setSocketFlag: (fd, option, value) =>
      setOption(fd, option, Buffer.from(Int32Array.of(value).buffer)),
    bindToDevice: (fd, link) => setOption(fd, SO_BINDTODEVICE, Buffer.from(`${link}\0`)),
    bind: (fd, ip, port) => {
      const address = socketAddress(ip, port)
      checked('bind', bind(fd, address, address.length))
    },
    sendFrom: datagramSender(library),
    sendToPath: (path, bytes) => {
      const address = unixAddress(path)
      const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC
      const fd = checked('socket', socket(AF_UNIX, type, 0))
      try {
        checked('sendto', sendto(fd, bytes, bytes.length, 0, address, address.length))
      } finally {
        close(fd)
      }
    },
    ...packetCalls(library, socket, sendto),
    ...descriptorCalls(library),
    close: (fd) => {
      checked('close', close(fd))
    },
  }
}

/**
 * struct sockaddr_in. sin_family is in the machine's byte order, the rest in network byte order
 * (ip(7)).
 */
function socketAddress(ip: Ipv4, port: number): Buffer {
  const address = Buffer.alloc(SOCKADDR_IN_BYTES)
  address.set(new Uint8Array(Uint16Array.of(AF_INET).buffer))
  address.writeUInt16BE(port, 2)
  address.set(ipv4ToBytes(ip), 4)
  return address
}

type KoffiCall = ReturnType<ReturnType<typeof koffi.load>['func']>

/** Calls on descriptors of any kind. */
function descriptorCalls(
  library: ReturnType<typeof koffi.load>,
): Pick<Libc, 'listen' | 'duplicate' | 'lock'> {
  const listen = library.func('int listen(int fd, int backlog)')
  const fcntl = library.func('int fcntl(int fd, int command, long argument)')
  const flock = library.func('int flock(int fd, int operation)')
  return {
    listen: (fd, backlog) => {
      checked('listen', listen(fd, backlog))
    },
    duplicate: (fd) => checked('fcntl', fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    lock: (fd) => {
      if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true
      if (koffi.errno() === constants.errno.EWOULDBLOCK) return false
      throw new LibcError('flock', koffi.errno())
    },
  }
}

/** Calls of packet sockets. */
function packetCalls(
  library: ReturnType<typeof koffi.load>,
  socket: KoffiCall,
  sendto: KoffiCall,
): Pick<Libc, 'packetSocket' | 'broadcast' | 'bindToProtocol' | 'receive'> {
  const bind = library.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const recv = library.func('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)')
  return {
    bindToProtocol: (fd, index, protocol) => {
      const address = broadcastAddress(index, protocol)
      checked('bind', bind(fd, address, address.length))
    },
    receive: (fd, bytes) => {
      const buffer = Buffer.alloc(bytes)
      const length: unknown = recv(fd, buffer, bytes, MSG_DONTWAIT)
      if (length === -1 && koffi.errno() === constants.errno.EAGAIN) return null
      return buffer.subarray(0, checked('recv', length))
    },
    packetSocket: () =>
      // Protocol 0: the socket receives nothing.
      checked('socket', socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    broadcast: (fd, index, protocol, bytes) => {
      const address = broadcastAddress(index, protocol)
      checked('sendto', sendto(fd, bytes, bytes.length, 0, address, address.length))
    },
  }
}

/** struct sockaddr_ll (packet(7)) of the Ethernet broadcast address. */
function broadcastAddress(index: number, protocol: number): Buffer {
  const address = Buffer.alloc(SOCKADDR_LL_BYTES)
  address.set(new Uint8Array(Uint16Array.of(AF_PACKET).buffer))
  address.writeUInt16BE(protocol, 2)
  address.set(new Uint8Array(Int32Array.of(index).buffer), 4)
  address[11] = ETHERNET_BYTES
  address.fill(0xff, 12, 12 + ETHERNET_BYTES)
  return address
}

/** `sendFrom`. */
function datagramSender(library: ReturnType<typeof koffi.load>): Libc['sendFrom'] {
  const sendmsg = library.func('long sendmsg(int, const void *, int)')
  const { headers, pieces, names, data } = layOutMessages(1, SOCKADDR_IN_BYTES, MAX_DATAGRAM_BYTES)
  // The zeros mean level IPPROTO_IP and link 0.
  const control = Buffer.alloc(PACKET_INFO.bytes)
  headers.writeBigUInt64LE(koffi.address(control), MESSAGE.control)
  headers.writeUInt32LE(control.length, MESSAGE.controlLength)
  control.writeUInt32LE(PACKET_INFO.length)
  control.writeUInt32LE(PACKET_INFO.type, 12)
  names.writeUInt16LE(AF_INET)
  return (fd, source, bytes, port, to) => {
    data.set(bytes)
    pieces.writeUInt32LE(bytes.length, PIECE.length)
    control.writeUInt32BE(ipv4ToNumber(source), PACKET_INFO.source)
    names.writeUInt16BE(port, 2)
    names.writeUInt32BE(ipv4ToNumber(to), 4)
    checked('sendmsg', sendmsg(fd, headers, 0))
  }
}
