/**
 * The lines of a stream from Docker (events, progress) or QEMU (QMP), until it ends in any way.
 *
 * `node:readline` is not used: its iterator waits for ever when its input is destroyed, and it
 * leaves an error listener that turns a later connection error into an uncaught exception (both
 * seen with Node 26).
 */
import { addAbortSignal, type Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { unavailable } from '../../model/errors.ts'
import { KIB } from '../../model/sizes.ts'

/** Their own lines have a few hundred characters. */
const LINE_LIMIT = 64 * KIB

/**
 * Reads the stream to its end, and destroys it when the reader stops early. Rejects when `signal`
 * aborts, with the connection's error when it breaks, and with `unavailable` when a line is too
 * long.
 */
export async function* linesOf(
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
): AsyncGenerator<string> {
  // The engine's client returns the response itself.
  const readable = addAbortSignal(signal, stream as Readable)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  try {
    for await (const chunk of readable) {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > LINE_LIMIT) throw unavailable('a line without an end was sent')
      yield* lines
    }
  } finally {
    readable.destroy()
  }
  if (rest !== '') yield rest
}
