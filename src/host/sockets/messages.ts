/**
 * Messages for sendmsg(2), recvmmsg(2) and sendmmsg(2) in buffers that are laid out once: to make
 * the structures from objects for each message takes longer than the kernel takes for it. Their
 * form is that of Linux on x86-64 and 64-bit ARM.
 */
import koffi from 'koffi'

/** Fields of struct mmsghdr: struct msghdr (recvmsg(2)), and the length of what was received. */
export const MESSAGE = {
  ...{ bytes: 64, name: 0, nameLength: 8, pieces: 16, pieceCount: 24 },
  ...{ control: 32, controlLength: 40, length: 56 },
} as const
/** struct iovec: where, and how many bytes. */
export const PIECE = { bytes: 16, length: 8 } as const

/** Messages, each with an address and one piece of data. */
interface MessageRoom {
  /** An array of struct mmsghdr. */
  readonly headers: Buffer
  readonly pieces: Buffer
  readonly names: Buffer
  readonly data: Buffer
}

/** Room for `count` messages. Buffers do not move in memory. */
export function layOutMessages(count: number, nameBytes: number, dataBytes: number): MessageRoom {
  const headers = Buffer.alloc(count * MESSAGE.bytes)
  const pieces = Buffer.alloc(count * PIECE.bytes)
  const names = Buffer.alloc(count * nameBytes)
  const data = Buffer.alloc(count * dataBytes)
  const placeIn = (buffer: Buffer, offset: number) => koffi.address(buffer) + BigInt(offset)
  for (let at = 0; at < count; at += 1) {
    const header = at * MESSAGE.bytes
    const piece = at * PIECE.bytes
    headers.writeBigUInt64LE(placeIn(names, at * nameBytes), header + MESSAGE.name)
    headers.writeUInt32LE(nameBytes, header + MESSAGE.nameLength)
    headers.writeBigUInt64LE(placeIn(pieces, piece), header + MESSAGE.pieces)
    headers.writeUInt32LE(1, header + MESSAGE.pieceCount)
    pieces.writeBigUInt64LE(placeIn(data, at * dataBytes), piece)
    pieces.writeUInt32LE(dataBytes, piece + PIECE.length)
  }
  return { headers, pieces, names, data }
}
