/**
 * One question to one server, by UDP or TCP, and at most one accepted reply.
 *
 * Each exchange has a socket of its own: the kernel picks its port at random (RFC 6056), and,
 * connected, it hands us datagrams of the asked server only and tells us when nobody listens there.
 * Every exchange ends by its signal at the latest.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { MAX_TCP_BYTES } from './packet.ts'

export interface Server {
  readonly address: string
  readonly port: number
}

/** Looks at one message from the server; undefined means "not ours, wait on". */
type Accept<T> = (message: Buffer) => T | undefined

/**
 * Strays that one socket bears before it gives up: beyond that somebody is guessing (RFC 5452
 * section 9.2).
 */
const MAX_STRAYS = 32

/**
 * The first accepted reply, or undefined when the server cannot be reached, is flooding us, or the
 * signal aborts.
 */
export function askByUdp<T>(
  server: Server,
  message: Buffer,
  accept: Accept<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    let strays = 0
    const settle = (result: T | undefined) => {
      signal.removeEventListener('abort', giveUp)
      socket.removeAllListeners()
      // An error that is still on its way must not end the process.
      socket.on('error', () => {})
      socket.close()
      resolve(result)
    }
    const giveUp = () => settle(undefined)
    socket.on('error', giveUp)
    socket.on('message', (bytes) => {
      const result = accept(bytes)
      if (result !== undefined) settle(result)
      else if (++strays > MAX_STRAYS) giveUp()
    })
    socket.on('connect', () =>
      socket.send(message, (error) => {
        if (error) socket.emit('error', error)
      }),
    )
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    socket.connect(server.port, server.address)
  })
}

/**
 * As `askByUdp`, by TCP with its two-byte length prefix (RFC 1035 section 4.2.2). One reply is
 * read.
 */
export function askByTcp<T>(
  server: Server,
  message: Buffer,
  accept: Accept<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port, noDelay: true })
    let received = Buffer.alloc(0)
    const settle = (result: T | undefined) => {
      signal.removeEventListener('abort', giveUp)
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.destroy()
      resolve(result)
    }
    const giveUp = () => settle(undefined)
    socket.on('error', giveUp)
    socket.on('close', giveUp)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const length = received.length >= 2 ? received.readUInt16BE(0) : MAX_TCP_BYTES
      if (received.length >= 2 + length) settle(accept(received.subarray(2, 2 + length)))
    })
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    socket.write(withLength(message))
  })
}

/** A message with the length prefix of TCP. */
export function withLength(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(2 + message.length)
  framed.writeUInt16BE(message.length, 0)
  framed.set(message, 2)
  return framed
}
