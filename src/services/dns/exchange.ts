/**
 * Sends one question to one server, by UDP or TCP, and accepts at most one reply.
 *
 * Each exchange has its own socket, so the kernel picks a random source port (RFC 6056). The
 * socket is connected: the kernel delivers datagrams of the asked server only, and reports when
 * nothing listens there. An exchange ends when its signal aborts, at the latest.
 */
import { createSocket } from 'node:dgram'
import type { EventEmitter } from 'node:events'
import { connect, isIPv6 } from 'node:net'
import { MAX_TCP_BYTES } from './packet.ts'

export interface Server {
  readonly address: string
  readonly port: number
}

/** Reads a message from the server. Undefined means that it is not the reply: keep waiting. */
type Accept<T> = (message: Buffer) => T | undefined

/**
 * Unexpected messages that one socket accepts before it gives up. More of them mean that somebody
 * is guessing (RFC 5452 section 9.2).
 */
const MAX_STRAYS = 32

/**
 * Returns the first accepted reply. Returns undefined when the server is unreachable or sends too
 * many unexpected messages, or when the signal aborts.
 */
export function askByUdp<T>(
  server: Server,
  message: Buffer,
  accept: Accept<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
  const close = () => socket.close()
  return exchange<T>(socket, close, signal, (settle) => {
    let strays = 0
    socket.on('message', (bytes) => {
      const result = accept(bytes)
      if (result !== undefined) settle(result)
      else if (++strays > MAX_STRAYS) settle(undefined)
    })
    socket.on('connect', () =>
      socket.send(message, (error) => {
        if (error) socket.emit('error', error)
      }),
    )
    socket.connect(server.port, server.address)
  })
}

/**
 * Like `askByUdp`, but by TCP, with the two-byte length prefix (RFC 1035 section 4.2.2). It reads
 * one message.
 */
export function askByTcp<T>(
  server: Server,
  message: Buffer,
  accept: Accept<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const socket = connect({ host: server.address, port: server.port, noDelay: true })
  const close = () => socket.destroy()
  return exchange<T>(socket, close, signal, (settle) => {
    let received = Buffer.alloc(0)
    socket.on('close', () => settle(undefined))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const length = received.length >= 2 ? received.readUInt16BE(0) : MAX_TCP_BYTES
      if (received.length >= 2 + length) settle(accept(received.subarray(2, 2 + length)))
    })
    socket.write(withLength(message))
  })
}

/**
 * Runs one exchange on a socket until `run` settles it, the socket fails, or the signal aborts;
 * then closes the socket.
 */
function exchange<T>(
  socket: EventEmitter,
  close: () => void,
  signal: AbortSignal,
  run: (settle: (result: T | undefined) => void) => void,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const settle = (result: T | undefined) => {
      signal.removeEventListener('abort', giveUp)
      socket.removeAllListeners()
      // A late error must not end the process.
      socket.on('error', () => {})
      close()
      resolve(result)
    }
    const giveUp = () => settle(undefined)
    socket.on('error', giveUp)
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    run(settle)
  })
}

/** Adds the length prefix that TCP needs. */
export function withLength(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(2 + message.length)
  framed.writeUInt16BE(message.length, 0)
  framed.set(message, 2)
  return framed
}
