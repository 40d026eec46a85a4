/**
 * Many UDP datagrams with one call of the kernel each way: recvmmsg(2) and sendmmsg(2).
 *
 * Node makes one call and some objects for each datagram. For a resolver under load that is most of
 * the work: 8.8 µs of a processor for a query and its answer, and 4.8 µs in batches (one process on
 * loopback that only echoes).
 */
import koffi from 'koffi'
import { layOutMessages, MESSAGE, PIECE } from './messages.ts'

/** The datagrams of a socket that were read together, and the answers to them. */
export interface Datagrams {
  /**
   * Reads what waits at the socket, at most `BATCH` datagrams, in place of what was read before.
   * The number of them. It is 0 when nothing waits, and after an error, which concerns one datagram
   * that we sent earlier (udp(7)).
   */
  receive(fd: number): number
  /** One of those that were read. Valid until the next `receive`. */
  bytes(at: number): Buffer
  /** The address of its sender, as an unsigned number (`ipv4ToNumber`). */
  sender(at: number): number
  port(at: number): number
  /**
   * Keeps an answer to the sender of datagram `at` until `send`, at most one for each. False: it is
   * longer than `MAX_ANSWER_BYTES`.
   */
  answer(at: number, bytes: Uint8Array): boolean
  /** Sends what `answer` kept. The number of answers that the kernel refused. */
  send(fd: number): number
}

/** More in one call saves nothing: the rest of the cost is each datagram's own. */
export const BATCH = 32
/** What fits in an Ethernet frame. */
const MAX_ANSWER_BYTES = 1500

/** struct sockaddr_in (ip(7)). */
const NAME = { bytes: 16, port: 2, address: 4 } as const
const MSG_DONTWAIT = 0x40

/** Room for one batch. What is longer than `maxBytes` is cut. */
export function createDatagrams(maxBytes: number): Datagrams {
  const library = koffi.load('libc.so.6')
  const recvmmsg = library.func('int recvmmsg(int, void *, unsigned int, int, void *)')
  const sendmmsg = library.func('int sendmmsg(int, void *, unsigned int, int)')
  const received = layOutMessages(BATCH, NAME.bytes, maxBytes)
  const answers = layOutMessages(BATCH, NAME.bytes, MAX_ANSWER_BYTES)
  let kept = 0

  return {
    receive(fd) {
      kept = 0
      const count: unknown = recvmmsg(fd, received.headers, BATCH, MSG_DONTWAIT, null)
      return typeof count === 'number' && count > 0 ? count : 0
    },
    bytes(at) {
      const length = received.headers.readUInt32LE(at * MESSAGE.bytes + MESSAGE.length)
      return received.data.subarray(at * maxBytes, at * maxBytes + length)
    },
    sender: (at) => received.names.readUInt32BE(at * NAME.bytes + NAME.address),
    port: (at) => received.names.readUInt16BE(at * NAME.bytes + NAME.port),
    answer(at, bytes) {
      if (bytes.length > MAX_ANSWER_BYTES) return false
      received.names.copy(answers.names, kept * NAME.bytes, at * NAME.bytes, (at + 1) * NAME.bytes)
      answers.data.set(bytes, kept * MAX_ANSWER_BYTES)
      answers.pieces.writeUInt32LE(bytes.length, kept * PIECE.bytes + PIECE.length)
      kept += 1
      return true
    },
    send(fd) {
      let refused = 0
      // The kernel stops at the first that it refuses. That one is left out.
      for (let from = 0; from < kept; ) {
        const rest = answers.headers.subarray(from * MESSAGE.bytes)
        const count: unknown = sendmmsg(fd, rest, kept - from, MSG_DONTWAIT)
        const sent = typeof count === 'number' && count > 0 ? count : 0
        if (sent === 0) refused += 1
        from += Math.max(1, sent)
      }
      kept = 0
      return refused
    },
  }
}
