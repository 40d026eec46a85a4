/**
 * How a terminal travels over a connection, both ways: frames of one byte of kind, two bytes of
 * length (big endian) and that many bytes of payload, at most 65,535. Pure.
 *
 * Both ends read with the same limits: what is no frame is an error, and the connection is to be
 * given up.
 */
import type { TerminalEnd } from './terminal.ts'

/** What travels. */
export type TerminalFrame =
  /** What was typed, or what is shown. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** The window's new size. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** Nothing more will be typed. */
  | { readonly kind: 'eof' }
  /** What the terminal is; the first frame of whoever gives it. */
  | { readonly kind: 'begin'; readonly terminal: 'shell' | 'serial' }
  /** The terminal has ended; the last frame of whoever gave it. */
  | ({ readonly kind: 'end' } & TerminalEnd)
  /** "I am still here." */
  | { readonly kind: 'beat' }

/** Longest payload of a frame. */
export const PAYLOAD_LIMIT_BYTES = 0xffff
/** Longest text of an end, in UTF-16 code units; each is three bytes at most. */
const REASON_LIMIT = 1000

const HEADER_BYTES = 3
const LENGTH_OFFSET = 1
const KINDS = { data: 1, resize: 2, eof: 3, begin: 4, end: 5, beat: 6 } as const
const RESIZE_BYTES = 4
const ROWS_OFFSET = 2
const TERMINALS = ['shell', 'serial'] as const
/** Stands before the reason of an end: whether a program ended by itself, and its exit code. */
const END_BYTES = 2
const UTF8_BYTES = 3
/** Longest payload of each kind. */
const LENGTH_LIMITS: ReadonlyMap<number, number> = new Map([
  [KINDS.data, PAYLOAD_LIMIT_BYTES],
  [KINDS.resize, RESIZE_BYTES],
  [KINDS.eof, 0],
  [KINDS.begin, 1],
  [KINDS.end, END_BYTES + UTF8_BYTES * REASON_LIMIT],
  [KINDS.beat, 0],
])

/** The bytes of a frame; data longer than one payload becomes several frames. */
export function encodeFrame(frame: TerminalFrame): Buffer {
  switch (frame.kind) {
    case 'data': {
      const pieces: Buffer[] = []
      for (let at = 0; at < frame.bytes.length; at += PAYLOAD_LIMIT_BYTES)
        pieces.push(framed(KINDS.data, frame.bytes.subarray(at, at + PAYLOAD_LIMIT_BYTES)))
      return Buffer.concat(pieces)
    }
    case 'resize': {
      const payload = Buffer.alloc(RESIZE_BYTES)
      payload.writeUInt16BE(frame.columns)
      payload.writeUInt16BE(frame.rows, ROWS_OFFSET)
      return framed(KINDS.resize, payload)
    }
    case 'begin':
      return framed(KINDS.begin, Buffer.from([TERMINALS.indexOf(frame.terminal)]))
    case 'end': {
      const head = frame.exitCode === null ? [0, 0] : [1, frame.exitCode]
      const reason = Buffer.from(frame.reason.slice(0, REASON_LIMIT))
      return framed(KINDS.end, Buffer.concat([Buffer.from(head), reason]))
    }
    case 'eof':
    case 'beat':
      return framed(KINDS[frame.kind], Buffer.alloc(0))
  }
}

function framed(kind: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header[0] = kind
  header.writeUInt16BE(payload.length, LENGTH_OFFSET)
  return Buffer.concat([header, payload])
}

/** Puts frames together again, however the connection cut them. */
export interface FrameReader {
  /**
   * The frames that are whole with these bytes. Throws an `Error` at what is no frame; nothing can
   * be read after that.
   */
  read(bytes: Buffer): readonly TerminalFrame[]
}

/** A reader that has read nothing yet; it keeps less than one frame. */
export function createFrameReader(): FrameReader {
  let rest: Buffer = Buffer.alloc(0)
  return {
    read(bytes) {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      const frames: TerminalFrame[] = []
      let at = 0
      while (at + HEADER_BYTES <= all.length) {
        const [kind = 0] = all.subarray(at)
        const length = all.readUInt16BE(at + LENGTH_OFFSET)
        const end = at + HEADER_BYTES + length
        // What is no frame is not waited for.
        if (length > (LENGTH_LIMITS.get(kind) ?? -1)) throw misunderstood(kind, length)
        if (end > all.length) break
        frames.push(decode(kind, all.subarray(at + HEADER_BYTES, end)))
        at = end
      }
      rest = all.subarray(at)
      return frames
    },
  }
}

function decode(kind: number, payload: Buffer): TerminalFrame {
  switch (kind) {
    case KINDS.data:
      return { kind: 'data', bytes: payload }
    case KINDS.resize:
      if (payload.length !== RESIZE_BYTES) break
      return {
        kind: 'resize',
        columns: payload.readUInt16BE(),
        rows: payload.readUInt16BE(ROWS_OFFSET),
      }
    case KINDS.begin: {
      const terminal = TERMINALS[payload[0] ?? TERMINALS.length]
      if (payload.length !== 1 || terminal === undefined) break
      return { kind: 'begin', terminal }
    }
    case KINDS.end: {
      const [hasCode, code] = payload
      if (code === undefined) break
      const reason = payload.subarray(END_BYTES).toString('utf8')
      return { kind: 'end', exitCode: hasCode === 0 ? null : code, reason }
    }
    case KINDS.eof:
      if (payload.length === 0) return { kind: 'eof' }
      break
    case KINDS.beat:
      if (payload.length === 0) return { kind: 'beat' }
      break
  }
  throw misunderstood(kind, payload.length)
}

function misunderstood(kind: number, length: number): Error {
  return new Error(`frame of kind ${kind} and ${length} bytes is not understood`)
}
