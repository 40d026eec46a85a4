/** Ends the connection of a client that may still be sending, so that it can read its answer. */
import type { Duplex, Readable } from 'node:stream'

/** How long it may go on sending: a reset at once would take the answer away from it. */
const LINGER_MS = 1_000

/** Sends the last answer, ends the connection, and throws away what still comes. */
export function endWith(socket: Duplex, last: string | Buffer): void {
  limitLinger(socket, socket)
  socket.on('error', () => undefined)
  socket.resume()
  socket.end(last)
}

/** Destroys the socket unless the stream, itself or what is read from it, closes in time. */
export function limitLinger(socket: Duplex, stream: Readable): void {
  const late = setTimeout(() => socket.destroy(), LINGER_MS)
  stream.once('close', () => clearTimeout(late))
}
