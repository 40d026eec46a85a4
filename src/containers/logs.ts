/**
 * Converts Docker's log stream to plain console output.
 *
 * Without a terminal the engine sends frames: one byte for the stream, three zero bytes, four bytes
 * of length, and the payload
 * (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach,
 * "Stream format").
 */
import { Transform } from 'node:stream'

const HEADER_BYTES = 8
const LENGTH_OFFSET = 4

/** The payloads of both streams in order. Of an incomplete last frame, what is there. */
export function demultiplex(framed: Buffer): Buffer {
  const payloads: Buffer[] = []
  let offset = 0
  while (offset + HEADER_BYTES <= framed.length) {
    const start = offset + HEADER_BYTES
    const end = start + framed.readUInt32BE(offset + LENGTH_OFFSET)
    payloads.push(framed.subarray(start, end))
    offset = end
  }
  return Buffer.concat(payloads)
}

/**
 * The same for a stream: framed bytes are written, payloads read. It buffers less than one header.
 */
export function createDemultiplexer(): Transform {
  let header: Buffer = Buffer.alloc(0)
  let leftBytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let rest = chunk
      while (rest.length > 0) {
        if (leftBytes > 0) {
          const payload = rest.subarray(0, leftBytes)
          this.push(payload)
          leftBytes -= payload.length
          rest = rest.subarray(payload.length)
        } else {
          const missing = rest.subarray(0, HEADER_BYTES - header.length)
          header = Buffer.concat([header, missing])
          rest = rest.subarray(missing.length)
          if (header.length === HEADER_BYTES) {
            leftBytes = header.readUInt32BE(LENGTH_OFFSET)
            header = Buffer.alloc(0)
          }
        }
      }
      done()
    },
  })
}
