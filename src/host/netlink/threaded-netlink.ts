/**
 * A netlink(7) socket for requests that take the kernel long. They run on a thread of the pool.
 *
 * The kernel handles a request during send(2), on the sending thread. Errors: `NetlinkError`, or
 * libc's.
 */
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import { createQueue } from '../../lib/queue.ts'
import { checked } from '../libc.ts'
import { NetlinkError } from './netlink.ts'

export interface ThreadedNetlink {
  /** Sends one request, and resolves when it is done. One at a time. */
  request(type: number, payload: readonly Uint8Array[]): Promise<void>
  close(): void
}

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_NETFILTER = 12
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const HEADER_BYTES = 16
const ANSWER_BYTES = 8192

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
        const message = frame(type, Buffer.concat(payload))
        if ((await patiently(send, message)) !== message.length) throw new NetlinkError('EIO')
        const answer = Buffer.alloc(ANSWER_BYTES)
        // The errno of the acknowledgement, negative (RFC 3549, section 2.3.2.2).
        if ((await patiently(receive, answer)) < HEADER_BYTES + 4) throw new NetlinkError('EIO')
        const errno = answer.readInt32LE(HEADER_BYTES)
        if (errno !== 0) throw new NetlinkError(getSystemErrorName(errno))
      }),
    close: () => {
      close(fd)
    },
  }
}

/** struct nlmsghdr in the machine's byte order, and the payload. */
function frame(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(type, 4)
  bytes.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK, 6)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}
