/**
 * Docker's log stream as plain console output. Pure.
 *
 * Without a terminal the engine frames output: one byte of stream, three of zero, four of length, then the payload
 * (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach, "Stream format").
 */

const HEADER_BYTES = 8
const LENGTH_OFFSET = 4

/** The payloads of both streams in the order they came; a frame that was cut off gives what is there of it. */
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

/** The last `limitBytes` of the output. */
export function tail(output: Buffer, limitBytes: number): Buffer {
  return output.subarray(Math.max(0, output.length - limitBytes))
}
