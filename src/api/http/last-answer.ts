/**
 * Ends the connection of a client that may still be sending, so that the client can read the
 * response.
 */
import type { Duplex, Readable } from 'node:stream'

/** How long it may go on sending. A reset at once would discard the response. */
const LINGER_MS = 1_000

/** Sends the last response, ends the connection, and discards further input. */
export function endWith(socket: Duplex, last: string | Buffer): void {
  limitLinger(socket, socket)
  socket.on('error', () => undefined)
  socket.resume()
  socket.end(last)
}

/** Destroys the socket unless the stream closes in time. */
export function limitLinger(socket: Duplex, stream: Readable): void {
  const late = setTimeout(() => socket.destroy(), LINGER_MS)
  stream.once('close', () => clearTimeout(late))
}
