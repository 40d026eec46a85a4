/**
 * Finds network namespaces that have no name any more, by the taps of machines that run in them.
 *
 * A running machine holds its tap open, and with it the namespace, however long no daemon runs. The
 * kernel tells the namespace of a tap to whoever holds it (TUNGETDEVNETNS of linux/if_tun.h), and
 * gives a copy of another process's descriptor (pidfd_getfd(2)).
 */
import { fstatSync, readdirSync, readlinkSync } from 'node:fs'
import koffi from 'koffi'
import { isNicLink } from '../../model/names.ts'
import { checked } from '../libc.ts'
import type { NamespaceHandle } from './netns.ts'

/** The same on every architecture. */
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438
const TUNGETIFF = 0x800454d2
const TUNGETDEVNETNS = 0x54e3
/** struct ifreq: a name of 16 bytes, and a union (netdevice(7)). */
const IFREQ = { bytes: 40, nameBytes: 16 } as const
const TUN = '/net/tun'

/**
 * The namespaces of all taps of ours that processes hold open, each once. The caller closes them.
 * What cannot be asked is left out.
 */
export function openTapNamespaces(): readonly NamespaceHandle[] {
  const library = koffi.load('libc.so.6')
  const syscall = library.func('long syscall(long number, long a, long b, long c)')
  const ioctl = library.func('int ioctl(int fd, unsigned long request, _Out_ uint8_t *argument)')
  const ioctlNumber = library.func('int ioctl(int fd, unsigned long request, long argument)')
  const closeFd = library.func('int close(int fd)')
  const found = new Map<number, NamespaceHandle>()

  const look = (pid: number, number: number) => {
    const process = checked('pidfd_open', syscall(PIDFD_OPEN, pid, 0, 0))
    try {
      const tap = checked('pidfd_getfd', syscall(PIDFD_GETFD, process, number, 0))
      try {
        const request = Buffer.alloc(IFREQ.bytes)
        checked('ioctl', ioctl(tap, TUNGETIFF, request))
        const [name = ''] = request.toString('latin1', 0, IFREQ.nameBytes).split('\0')
        if (!isNicLink(name)) return
        const fd = checked('ioctl', ioctlNumber(tap, TUNGETDEVNETNS, 0))
        const handle = { fd, close: () => void closeFd(fd) }
        const { ino } = fstatSync(fd)
        if (found.has(ino)) handle.close()
        else found.set(ino, handle)
      } finally {
        closeFd(tap)
      }
    } finally {
      closeFd(process)
    }
  }

  for (const { pid, fd } of openTuns())
    try {
      look(pid, fd)
    } catch {
      // It has ended meanwhile, or is out of reach.
    }
  return [...found.values()]
}

/** Descriptors of taps, with their processes. */
function openTuns(): readonly { readonly pid: number; readonly fd: number }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).flatMap((fd) =>
        isTun(`/proc/${pid}/fd/${fd}`) ? [{ pid: Number(pid), fd: Number(fd) }] : [],
      )
    } catch {
      return []
    }
  })
}

function isTun(link: string): boolean {
  try {
    return readlinkSync(link).endsWith(TUN)
  } catch {
    return false
  }
}
