import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createFrameReader,
  encodeFrame,
  PAYLOAD_LIMIT_BYTES,
  type TerminalFrame,
} from '../../../src/lib/terminal-frames.ts'

const size = fc.integer({ min: 0, max: 0xffff })
const frame: fc.Arbitrary<TerminalFrame> = fc.oneof(
  fc
    .uint8Array({ minLength: 1, maxLength: 500 })
    .map((bytes) => ({ kind: 'data' as const, bytes: Buffer.from(bytes) })),
  fc.record({ kind: fc.constant('resize' as const), columns: size, rows: size }),
  fc.constantFrom({ kind: 'eof' as const }, { kind: 'beat' as const }),
  fc.constantFrom('shell' as const, 'serial' as const).map((terminal) => ({
    kind: 'begin' as const,
    terminal,
  })),
  fc.record({
    kind: fc.constant('end' as const),
    exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
    reason: fc.string({ unit: 'grapheme', maxLength: 100 }),
  }),
)

/** What a reader makes of bytes that come in pieces of these lengths, again and again. */
function readInPieces(bytes: Buffer, lengths: readonly number[]): TerminalFrame[] {
  const reader = createFrameReader()
  const frames: TerminalFrame[] = []
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const length = lengths[n % lengths.length] ?? 1
    frames.push(...reader.read(bytes.subarray(at, at + length)))
    at += length
  }
  return frames
}

describe('frames', () => {
  test('come back as they were, however the connection cut them', () => {
    fc.assert(
      fc.property(
        fc.array(frame),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (frames, lengths) => {
          const bytes = Buffer.concat(frames.map(encodeFrame))
          expect(readInPieces(bytes, lengths)).toEqual(frames)
        },
      ),
    )
  })

  test('carry data of any length in payloads of the limit', () => {
    for (const length of [0, 1, PAYLOAD_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES + 1, 300_000]) {
      const bytes = Buffer.alloc(length, 'atoll')
      const read = createFrameReader().read(encodeFrame({ kind: 'data', bytes }))
      expect(read).toHaveLength(Math.ceil(length / PAYLOAD_LIMIT_BYTES))
      const back = read.map((one) => (one.kind === 'data' ? one.bytes : Buffer.alloc(0)))
      expect(Buffer.concat(back).equals(bytes)).toBe(true)
    }
  })

  test('of a hostile end are frames or an error, and a long reason is cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = createFrameReader()
        try {
          for (const one of reader.read(Buffer.from(bytes)))
            expect(createFrameReader().read(encodeFrame(one))).toEqual(
              one.kind === 'data' && one.bytes.length === 0 ? [] : [one],
            )
        } catch (error) {
          expect(String(error)).toMatch(/is not understood/)
        }
      }),
    )
    const long = encodeFrame({ kind: 'end', exitCode: null, reason: '€'.repeat(100_000) })
    expect(long.length).toBeLessThan(PAYLOAD_LIMIT_BYTES)
  })

  test('of no kind that there is, or of a wrong length, are an error', () => {
    // A header is enough.
    const wrong = [
      [0xee, 0xee, 0xee],
      [5, 0xff, 0xff],

      [0, 0, 0],
      [7, 0, 0],
      [2, 0, 1, 9],
      [3, 0, 1, 9],
      [4, 0, 1, 9],
      [5, 0, 0],
    ]
    for (const bytes of wrong)
      expect(() => createFrameReader().read(Buffer.from(bytes))).toThrow(/not understood/)
  })
})
