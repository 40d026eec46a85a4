/**
 * A netlink(7) socket for requests that take the kernel long. They run on a thread of the pool.
 *
 * The kernel handles a request during send(2), on the sending thread. Errors: `NetlinkError`, or
 * libc's.
 */
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import { createQueue } from '../../lib/queue.ts'
import { KIB } from '../../model/sizes.ts'
import { checked } from '../libc.ts'
import { NetlinkError } from './netlink.ts'

export interface ThreadedNetlink {
  /** Sends one request, and resolves when it is done. One at a time. */
  request(type: number, payload: readonly Uint8Array[]): Promise<void>
  /** All objects of one kind, as `Netlink.dump`. The walk through them blocks nobody. */
  dump(type: number, payload: readonly Uint8Array[]): Promise<readonly Buffer[]>
  close(): void
}

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_NETFILTER = 12
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const HEADER_BYTES = 16
const ANSWER_BYTES = 8192
/** The kernel fills at most so much at once. */
const PART_BYTES = 32 * KIB

/** For the netfilter subsystems, in the calling thread's network namespace. */
export function openThreadedNetlink(): ThreadedNetlink {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const send = library.func('long send(int fd, const uint8_t *bytes, size_t length, int flags)')
  const receive = library.func('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)')
  const close = library.func('int close(int fd)')
  const fd = checked('socket', socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER))
  const patiently = (call: typeof send, bytes: Buffer) =>
    new Promise<number>((resolve, reject) => {
      call.async(fd, bytes, bytes.length, 0, (error: Error | null, result: number) =>
        error === null ? resolve(result) : reject(error),
      )
    })
  const inOrder = createQueue()
  return {
    request: (type, payload) =>
      inOrder(async () => {
        const message = frame(type, NLM_F_ACK, Buffer.concat(payload))
        if ((await patiently(send, message)) !== message.length) throw new NetlinkError('EIO')
        const answer = Buffer.alloc(ANSWER_BYTES)
        // The errno of the acknowledgement, negative (RFC 3549, section 2.3.2.2).
        if ((await patiently(receive, answer)) < HEADER_BYTES + 4) throw new NetlinkError('EIO')
        const errno = answer.readInt32LE(HEADER_BYTES)
        if (errno !== 0) throw new NetlinkError(getSystemErrorName(errno))
      }),
    dump: (type, payload) =>
      inOrder(async () => {
        const message = frame(type, NLM_F_DUMP, Buffer.concat(payload))
        if ((await patiently(send, message)) !== message.length) throw new NetlinkError('EIO')
        const found: Buffer[] = []
        for (let isWhole = false; !isWhole; ) {
          const part = Buffer.alloc(PART_BYTES)
          const length = await patiently(receive, part)
          if (length < HEADER_BYTES) throw new NetlinkError('EIO')
          isWhole = takeObjects(part.subarray(0, length), found)
        }
        return found
      }),
    close: () => {
      close(fd)
    },
  }
}

/** Adds what is in a part of a dump. Returns whether it is the last part. */
function takeObjects(part: Buffer, found: Buffer[]): boolean {
  for (let at = 0; at + HEADER_BYTES <= part.length; ) {
    const length = part.readUInt32LE(at)
    if (length < HEADER_BYTES || at + length > part.length) throw new NetlinkError('EIO')
    const type = part.readUInt16LE(at + 4)
    if (type === NLMSG_DONE) return true
    const body = part.subarray(at + HEADER_BYTES, at + length)
    if (type === NLMSG_ERROR) throw new NetlinkError(getSystemErrorName(body.readInt32LE()))
    found.push(body)
    at += (length + 3) & ~3
  }
  return false
}

/** struct nlmsghdr in the machine's byte order, and the payload. */
function frame(type: number, flags: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(type, 4)
  bytes.writeUInt16LE(NLM_F_REQUEST | flags, 6)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}
