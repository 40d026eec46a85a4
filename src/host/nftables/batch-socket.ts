/**
 * A socket that changes nftables at once: the kernel has done a transaction, or refused it, when
 * the call returns. It acts in the network namespace that it was made in.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { checked, LibcError } from '../libc.ts'
import { batchOf, type Change } from './batch.ts'
import { messagesIn } from './messages.ts'

export interface BatchSocket {
  /**
   * Makes the changes as one transaction. Errors: `LibcError` with the kernel's errno, such as
   * `ENOENT` for a missing table; then nothing has changed.
   */
  commit(changes: readonly Change[]): void
  close(): void
}

/** socket(2), netlink(7). */
const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_NETFILTER = 12
const MSG_DONTWAIT = 0x40
/** NLMSG_ERROR, whose payload begins with the negative errno; 0 acknowledges. */
const ERROR = 2
const PAYLOAD = 16
const RECEIVE_BYTES = 65_536
/** The answers are there when the transaction is done: one for each change. */
const READS_LIMIT = 1_000

/** Opens it in the calling thread's network namespace. Errors: `LibcError`. */
export function openBatchSocket(): BatchSocket {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const send = library.func('long send(int fd, const uint8_t *bytes, size_t length, int flags)')
  const recv = library.func('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)')
  const close = library.func('int close(int fd)')
  const fd = checked('socket', socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER))
  const received = Buffer.alloc(RECEIVE_BYTES)
  let sequence = 0

  /** The answers to requests from this number on. Later ones are of another transaction. */
  function readAnswers(from: number, count: number): void {
    let refusal = 0
    for (let answers = 0, reads = 0; answers < count && reads < READS_LIMIT; reads += 1) {
      const length = Number(recv(fd, received, RECEIVE_BYTES, MSG_DONTWAIT))
      if (length < 0) {
        const errno = koffi.errno()
        if (errno === constants.errno.EINTR) continue
        if (refusal === 0) throw new LibcError('nftables', errno)
        break
      }
      for (const { type, body } of messagesIn(received.subarray(0, length))) {
        if (type !== ERROR || body.readUInt32LE(8) < from) continue
        answers += 1
        const errno = -body.readInt32LE(PAYLOAD)
        if (errno !== 0 && refusal === 0) refusal = errno
      }
    }
    if (refusal !== 0) throw new LibcError('nftables', refusal)
  }

  return {
    commit(changes) {
      const first = sequence + 1
      sequence += changes.length
      const batch = batchOf(changes, first)
      checked('send', send(fd, batch, batch.length, 0))
      readAnswers(first, changes.length)
    },
    close: () => {
      close(fd)
    },
  }
}
