import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDemultiplexer, demultiplex } from '../../../src/containers/logs.ts'

describe('log frames', () => {
  const frame = (payload: Uint8Array, stream: number) => {
    const header = Buffer.alloc(8)
    header[0] = stream
    header.writeUInt32BE(payload.length, 4)
    return Buffer.concat([header, payload])
  }

  test('return what was framed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uint8Array(), fc.constantFrom(1, 2))), (parts) => {
        const framed = Buffer.concat(parts.map(([payload, stream]) => frame(payload, stream)))
        expect(demultiplex(framed)).toEqual(Buffer.concat(parts.map(([payload]) => payload)))
      }),
    )
  })

  test('return what was framed, as a stream, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.uint8Array(), fc.constantFrom(1, 2))),
        fc.integer({ min: 1, max: 20 }),
        async (parts, length) => {
          const framed = Buffer.concat(parts.map(([payload, stream]) => frame(payload, stream)))
          const stream = createDemultiplexer()
          for (let at = 0; at < framed.length; at += length)
            stream.write(framed.subarray(at, at + length))
          stream.end()
          const payloads = await stream.toArray()
          expect(Buffer.concat(payloads)).toEqual(Buffer.concat(parts.map(([payload]) => payload)))
        },
      ),
    )
  })

  test('that are cut off or nonsense end quietly', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(demultiplex(Buffer.from(bytes)).length).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })
})
