/**
 * Descriptors for another process, which may open nothing itself: taps, and listening sockets.
 *
 * These are C library calls that Node does not offer. Each throws `LibcError` with the errno's
 * name.
 */
import koffi from 'koffi'
import { checked } from '../libc.ts'
import { prepared } from './bound.ts'
import { AF_UNIX, unixAddress } from './unix.ts'

export interface Descriptors {
  /**
   * The tap device `name` of this namespace, created if it does not exist: Ethernet frames without
   * packet information, with virtio's header (Documentation/networking/tuntap of the kernel). Only
   * one process may open it at a time; others get `EBUSY`.
   */
  openTap(name: string): number
  /** Attaches a descriptor whose tap was deleted to the tap `name`. */
  attachTap(fd: number, name: string): void
  /**
   * The name of the tap that a descriptor is attached to, and a new descriptor of the network
   * namespace with the tap (TUNGETIFF and TUNGETDEVNETNS of linux/if_tun.h). Null when it is
   * attached to none.
   */
  tapOf(fd: number): { readonly name: string; readonly namespace: number } | null
  /** A copy of a descriptor of another process (pidfd_getfd(2)). */
  copyOf(pid: number, fd: number): number
  /** TUNSETPERSIST: the tap stays when its last descriptor is closed. */
  keepTap(fd: number): void
  /**
   * A UNIX stream socket that listens at `path` (unix(7)), which must not exist. Only its owner may
   * connect.
   */
  listenUnix(path: string): number
  /** Two UNIX stream sockets that are connected with each other (socketpair(2)). */
  pairedUnix(): readonly [number, number]
  /** A UNIX datagram socket at `path`, as above: only its owner may send to it. */
  bindUnixDatagrams(path: string): number
  close(fd: number): void
}

const O_RDWR = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
/** asm-generic/errno.h; Node has no name for it. */
const EBADFD = 77
const TUNGETIFF = 0x800454d2
const TUNGETDEVNETNS = 0x54e3
const TUNSETVNETHDRSZ = 0x400454d8
/**
 * Of virtio's header in front of each frame, in bytes: with VIRTIO_F_VERSION_1 or
 * VIRTIO_NET_F_MRG_RXBUF (virtio 1.2, section 5.1.6). Drivers of guests that are in use have one.
 */
const HEADER_BYTES = 12
/** The same on every architecture. */
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438
/** IFF_TAP | IFF_NO_PI | IFF_VNET_HDR of linux/if_tun.h. */
const TAP_FLAGS = 0x0002 | 0x1000 | 0x4000
/**
 * struct ifreq: a name of 16 bytes, and a union whose first two bytes are the flags (netdevice(7)).
 */
const IFREQ = { bytes: 40, nameBytes: 16 } as const
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const LISTEN_BACKLOG = 8
const OWNER_ONLY = 0o600

/** The C library of this process. */
export function loadDescriptors(): Descriptors {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const pair = library.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)')
  const bind = library.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const listen = library.func('int listen(int fd, int backlog)')
  const open = library.func('int open(const char *path, int flags)')
  const chmod = library.func('int chmod(const char *path, uint32_t mode)')
  // Declarations of one variadic function, for each kind of argument.
  const ioctl = library.func('int ioctl(int fd, unsigned long request, const uint8_t *argument)')
  const ioctlOut = library.func('int ioctl(int fd, unsigned long request, _Out_ uint8_t *argument)')
  const ioctlNumber = library.func('int ioctl(int fd, unsigned long request, long argument)')
  const syscall = library.func('long syscall(long number, long a, long b, long c)')
  const closeFd = library.func('int close(int fd)')

  const withFd = (fd: number, work: () => void): number =>
    prepared({ close: (one) => void closeFd(one) }, fd, work)

  const unixSocket = (type: number, path: string): number => {
    const address = unixAddress(path)
    const fd = checked('socket', socket(AF_UNIX, type | O_CLOEXEC, 0))
    return withFd(fd, () => {
      checked('bind', bind(fd, address, address.length))
      checked('chmod', chmod(path, OWNER_ONLY))
    })
  }

  return {
    openTap: (name) => {
      const fd = checked('open', open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC))
      return withFd(fd, () => checked('ioctl', ioctl(fd, TUNSETIFF, tapRequest(name))))
    },
    attachTap: (fd, name) => {
      checked('ioctl', ioctl(fd, TUNSETIFF, tapRequest(name)))
      const bytes = new Uint8Array(Int32Array.of(HEADER_BYTES).buffer)
      checked('ioctl', ioctl(fd, TUNSETVNETHDRSZ, bytes))
    },
    tapOf: (fd) => {
      const request = Buffer.alloc(IFREQ.bytes)
      const result: unknown = ioctlOut(fd, TUNGETIFF, request)
      if (result === -1 && koffi.errno() === EBADFD) return null
      checked('ioctl', result)
      const [name = ''] = request.toString('latin1', 0, IFREQ.nameBytes).split('\0')
      return { name, namespace: checked('ioctl', ioctlNumber(fd, TUNGETDEVNETNS, 0)) }
    },
    copyOf: (pid, fd) => {
      const process = checked('pidfd_open', syscall(PIDFD_OPEN, pid, 0, 0))
      try {
        return checked('pidfd_getfd', syscall(PIDFD_GETFD, process, fd, 0))
      } finally {
        closeFd(process)
      }
    },
    keepTap: (fd) => {
      checked('ioctl', ioctlNumber(fd, TUNSETPERSIST, 1))
    },
    listenUnix: (path) => {
      const fd = unixSocket(SOCK_STREAM, path)
      return withFd(fd, () => checked('listen', listen(fd, LISTEN_BACKLOG)))
    },
    pairedUnix: () => {
      const fds = [-1, -1]
      checked('socketpair', pair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, fds))
      const [one = -1, other = -1] = fds
      return [one, other]
    },
    bindUnixDatagrams: (path) => unixSocket(SOCK_DGRAM | O_NONBLOCK, path),
    close: (fd) => {
      checked('close', closeFd(fd))
    },
  }
}

function tapRequest(name: string): Buffer {
  const request = Buffer.alloc(IFREQ.bytes)
  request.write(name, 0, IFREQ.nameBytes - 1)
  request.set(new Uint8Array(Uint16Array.of(TAP_FLAGS).buffer), IFREQ.nameBytes)
  return request
}
