/**
 * Ethernet frames of all links of a network namespace, by one packet socket, many in each call
 * (packet(7), recvmmsg(2), sendmmsg(2)). For a process that does nothing else: it waits in the
 * kernel.
 */
import koffi from 'koffi'
import { layOutMessages, MESSAGE, PIECE } from '../../../src/host/sockets/messages.ts'

export interface Frames {
  /** The index of the link with this name. */
  indexOf(name: string): number
  /**
   * Waits for a frame for at most `WAIT_MS`, or with `isWaiting` false not at all, and reads all
   * that are there, at most `BATCH`. Their number.
   */
  receive(isWaiting: boolean): number
  /** The index of the link that frame number `at` came from. */
  link(at: number): number
  /** The frame. Valid until the next `receive`. */
  frame(at: number): Buffer
  /** Keeps a copy of a frame for `flush`, or sends what is kept first. */
  send(link: number, frame: Uint8Array): void
  flush(): void
}

const BATCH = 64
const FRAME_BYTES = 1514
const WAIT_MS = 20
/** For frames that come while others are handled. */
const RECEIVE_BYTES = 32 * 2 ** 20
const [AF_PACKET, SOCK_RAW] = [17, 3]
export const ETH_P_IP = 0x0800
const [SOL_SOCKET, SO_RCVTIMEO, SO_RCVBUFFORCE] = [1, 20, 33]
const [MSG_DONTWAIT, MSG_WAITFORONE] = [0x40, 0x10000]
/** struct sockaddr_ll (packet(7)). */
const NAME = { bytes: 20, protocol: 2, index: 4 } as const

/** The frames with IPv4 packets of the namespace that the process is in. Needs root. */
export function openFrames(): Frames {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int, int, int)')
  const setsockopt = library.func('int setsockopt(int, int, int, const void *, unsigned int)')
  const recvmmsg = library.func('int recvmmsg(int, void *, unsigned int, int, void *)')
  const sendmmsg = library.func('int sendmmsg(int, void *, unsigned int, int)')
  const nameToIndex = library.func('unsigned int if_nametoindex(const char *)')
  const [received, sent] = [layOut(), layOut()]
  let kept = 0

  const protocol = Buffer.alloc(2)
  protocol.writeUInt16BE(ETH_P_IP)
  const fd: unknown = socket(AF_PACKET, SOCK_RAW, protocol.readUInt16LE())
  if (typeof fd !== 'number' || fd < 0) throw new Error('no packet socket: is this root?')
  const wait = Buffer.from(BigInt64Array.of(0n, BigInt(WAIT_MS * 1000)).buffer)
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, wait, wait.length)
  const room = Buffer.from(Int32Array.of(RECEIVE_BYTES).buffer)
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, room, room.length)

  const flush = () => {
    for (let from = 0; from < kept; ) {
      const rest = sent.headers.subarray(from * MESSAGE.bytes)
      const count: unknown = sendmmsg(fd, rest, kept - from, 0)
      // One that the kernel refuses is lost, as on a wire.
      from += typeof count === 'number' && count > 0 ? count : 1
    }
    kept = 0
  }
  return {
    indexOf: (name) => Number(nameToIndex(name)),
    receive(isWaiting) {
      const flags = isWaiting ? MSG_WAITFORONE : MSG_DONTWAIT
      const count: unknown = recvmmsg(fd, received.headers, BATCH, flags, null)
      return typeof count === 'number' && count > 0 ? count : 0
    },
    link: (at) => received.names.readUInt32LE(at * NAME.bytes + NAME.index),
    frame(at) {
      const length = received.headers.readUInt32LE(at * MESSAGE.bytes + MESSAGE.length)
      return received.data.subarray(at * FRAME_BYTES, at * FRAME_BYTES + length)
    },
    send(link, frame) {
      sent.names.writeUInt32LE(link, kept * NAME.bytes + NAME.index)
      sent.data.set(frame, kept * FRAME_BYTES)
      sent.pieces.writeUInt32LE(frame.length, kept * PIECE.bytes + PIECE.length)
      kept += 1
      if (kept === BATCH) flush()
    },
    flush,
  }
}

/** Messages with the address of a link, whose index is added. */
function layOut() {
  const room = layOutMessages(BATCH, NAME.bytes, FRAME_BYTES)
  for (let at = 0; at < BATCH; at += 1) {
    room.names.writeUInt16LE(AF_PACKET, at * NAME.bytes)
    room.names.writeUInt16BE(ETH_P_IP, at * NAME.bytes + NAME.protocol)
  }
  return room
}
