/**
 * The lines of a stream from Docker (events, progress) or QEMU (QMP), whichever way it ends.
 *
 * `node:readline` is not used: its iterator waits for ever when its input is destroyed, and leaves
 * behind an error listener that turns a connection which breaks later into an uncaught exception
 * (both seen with Node 26).
 */
import { addAbortSignal, type Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { unavailable } from '../../model/errors.ts'
import { KIB } from '../../model/sizes.ts'

/** Their own lines are a few hundred characters long. */
const LINE_LIMIT = 64 * KIB

/**
 * Reads the stream to its end and destroys it when the reader stops early. Rejects when `signal`
 * aborts, with the connection's error when it breaks, and `unavailable` when a line is longer than
 * any that they write.
 */
export async function* linesOf(
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
): AsyncGenerator<string> {
  // What the engine's client hands out is the response itself.
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
