/**
 * The UDP and TCP sockets of one address. A TCP connection may carry many queries, and replies
 * are sent in any order (RFC 7766).
 *
 * It enforces who may ask and how much, and does not read the queries. Whatever a client sends,
 * at most its own connection is closed.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import type { ServiceSockets } from '../../host/host.ts'
import type { Libc } from '../../host/libc.ts'
import { BATCH, type Datagrams } from '../../host/sockets/datagrams.ts'
import { type Clock, nextTurn } from '../../lib/clock.ts'
import { loadTolerantClock } from '../../lib/deadline.ts'
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../model/addr.ts'
import { KIB, MIB } from '../../model/sizes.ts'
import type { Transport } from './answer.ts'
import { withLength } from './exchange.ts'
import type { Source, Sources } from './sources.ts'

/** The longest query that is read: a question, an OPT record and space for options. */
const MAX_QUERY_BYTES = 4096
/** One more byte than is read shows what is too long. */
export const MAX_DATAGRAM_BYTES = MAX_QUERY_BYTES + 1
/**
 * An idle connection is closed after this time (RFC 7766 section 6.2.3: "on the order of a few
 * seconds").
 */
const IDLE_TIMEOUT_MS = 10_000
/**
 * How long what was asked may be on its way when the service is closed. Time in which this process
 * does not run does not count, up to a limit.
 */
const ARRIVAL_MS = 100
const MOST_STRETCH = 3
/** A connection is closed when more replies than this wait to be read by its client. */
const MAX_UNSENT_BYTES = 256 * KIB
/** Open connections of all sources together. */
export const MAX_CONNECTIONS = 512
/**
 * Batches that are read in one turn of the event loop: about 1 ms of work, for which all other
 * sockets wait.
 */
const BATCHES_OF_TURN = 6
/** Holds bursts while the daemon is busy with other work. */
const RECEIVE_BUFFER_BYTES = MIB

type Refusal = 'stranger' | 'rate' | 'connections' | 'oversize' | 'unread' | 'socket'

export interface ListenerParts {
  readonly address: Ipv4
  readonly port: number
  /** Of the network namespace that has the address. */
  readonly sockets: ServiceSockets
  readonly sources: Sources
  /** Room for `MAX_DATAGRAM_BYTES` each. It is used within one turn, so all listeners share it. */
  readonly datagrams: () => Datagrams
  /** Answers by calling `send` once, at any later time, or never. */
  readonly ask: (
    message: Buffer,
    source: Source,
    transport: Transport,
    send: (reply: Buffer) => void,
  ) => void
  readonly onRefused: (reason: Refusal, transport: Transport) => void
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly libc: () => Pick<Libc, 'close' | 'duplicate' | 'sendFrom'>
}

export interface Listener {
  /**
   * Leaves datagrams and connections to another process that has the same sockets. What was read is
   * still answered, until `close`.
   */
  stopReading(): void
  close(): Promise<void>
}

/**
 * Opens both sockets or none. It rejects with the socket's error, such as EADDRNOTAVAIL while the
 * address does not exist yet.
 */
export async function listen(parts: ListenerParts): Promise<Listener> {
  const udp = await listenUdp(parts)
  try {
    const tcp = await listenTcp(parts)
    return {
      stopReading() {
        udp.stopReading()
        tcp.stopReading()
      },
      async close() {
        await Promise.all([udp.close(), tcp.close()])
      },
    }
  } catch (error) {
    await udp.close()
    throw error
  }
}

async function listenUdp(parts: ListenerParts): Promise<Listener> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // Peers are always addresses. Node's default lookup would cost each reply a turn of the event
    // loop.
    lookup: (address, _options, callback) => callback(null, address, 4),
  })
  const fd = await parts.sockets.bindUdp(socket, parts.address, parts.port).catch((error) => {
    socket.close()
    throw error
  })
  // From here on an error concerns one datagram (for example EPERM from a firewall), not the
  // socket.
  socket.on('error', () => parts.onRefused('socket', 'udp'))
  const answers = new Answers(socket, fd, parts)
  const hear: Hear = (message, sender, send) => {
    const source = parts.sources.find(sender)
    if (source === undefined) return parts.onRefused('stranger', 'udp')
    if (!source.takeQuery()) return parts.onRefused('rate', 'udp')
    if (message.length > MAX_QUERY_BYTES) return parts.onRefused('oversize', 'udp')
    parts.ask(message, source, 'udp', send)
  }
  let hasReadMore = false
  socket.on('message', (message, { address, port }) => {
    hear(message, ipv4ToNumber(address as Ipv4), (reply) =>
      answers.send(reply, port, address as Ipv4),
    )
    if (hasReadMore) return
    hasReadMore = true
    void nextTurn().then(() => {
      hasReadMore = false
    })
    let batches = BATCHES_OF_TURN
    while (batches > 0 && hearMore(fd, answers, parts, hear)) batches -= 1
  })
  return answers
}

/** Asks on behalf of a sender (`ipv4ToNumber`). */
type Hear = (message: Buffer, sender: number, send: (reply: Buffer) => void) => void

/** Answers what waits behind a datagram that Node has read. Whether there may be more. */
function hearMore(fd: number, answers: Answers, parts: ListenerParts, hear: Hear): boolean {
  const datagrams = parts.datagrams()
  const count = datagrams.receive(fd)
  let isOver = false
  for (let at = 0; at < count; at += 1) {
    const [sender, port] = [datagrams.sender(at), datagrams.port(at)]
    hear(datagrams.bytes(at), sender, (reply) => {
      if (isOver || !datagrams.answer(at, reply)) answers.send(reply, port, ipv4FromNumber(sender))
    })
  }
  isOver = true
  for (let refused = datagrams.send(fd); refused > 0; refused -= 1) parts.onRefused('socket', 'udp')
  return count === BATCH
}

/** What answers go out by: the socket, or, when nothing is read any more, a copy of it. */
class Answers implements Listener {
  readonly #socket: UdpSocket
  readonly #fd: number
  readonly #parts: ListenerParts
  #closed: Promise<void> | null = null
  #copy: { readonly fd: number; readonly libc: ReturnType<ListenerParts['libc']> } | null = null

  constructor(socket: UdpSocket, fd: number, parts: ListenerParts) {
    this.#socket = socket
    this.#fd = fd
    this.#parts = parts
  }

  send(reply: Buffer, port: number, to: Ipv4): void {
    try {
      if (this.#closed === null) this.#socket.send(reply, port, to)
      else if (this.#copy !== null)
        this.#copy.libc.sendFrom(this.#copy.fd, this.#parts.address, reply, port, to)
    } catch {
      // The client's port is 0, or the kernel refuses it. There is nobody to answer.
    }
  }

  /** Node's socket reads as long as it is open. */
  stopReading(): void {
    if (this.#closed !== null) return
    const libc = this.#parts.libc()
    this.#copy = { fd: libc.duplicate(this.#fd), libc }
    this.#closed = this.#closeSocket()
  }

  async close(): Promise<void> {
    this.#closed ??= this.#closeSocket()
    this.#copy?.libc.close(this.#copy.fd)
    this.#copy = null
    await this.#closed
  }

  #closeSocket(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()))
  }
}

async function listenTcp(parts: ListenerParts): Promise<Listener> {
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true })
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', (socket) => {
    const source = parts.sources.find(ipv4ToNumber((socket.remoteAddress ?? '') as Ipv4))
    const reason = source === undefined ? 'stranger' : source.connect() ? undefined : 'connections'
    socket.on('error', () => parts.onRefused('socket', 'tcp'))
    if (source === undefined || reason !== undefined) {
      parts.onRefused(reason ?? 'stranger', 'tcp')
      socket.destroy()
      return
    }
    open.add(socket)
    socket.on('close', () => {
      open.delete(socket)
      source.disconnected()
    })
    serveConnection(socket, source, parts)
  })
  await parts.sockets.listenTcp(server, parts.address, parts.port)
  server.on('error', () => parts.onRefused('socket', 'tcp'))
  return {
    stopReading: () => server.close(),
    close: () => closeTcp(server, open, parts.clock),
  }
}

/**
 * Reads length-prefixed queries until the client ends, is idle for too long, or exceeds a limit.
 */
function serveConnection(socket: Socket, source: Source, parts: ListenerParts): void {
  let received: Buffer = Buffer.alloc(0)
  const hangUp = (reason: Refusal) => {
    parts.onRefused(reason, 'tcp')
    socket.destroy()
  }
  const send = (reply: Buffer) => {
    if (socket.destroyed) return
    socket.write(withLength(reply))
    if (socket.writableLength > MAX_UNSENT_BYTES) hangUp('unread')
  }
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    while (received.length >= 2 && !socket.destroyed) {
      const length = received.readUInt16BE(0)
      if (length > MAX_QUERY_BYTES) return hangUp('oversize')
      if (received.length < 2 + length) return
      const message = received.subarray(2, 2 + length)
      received = received.subarray(2 + length)
      if (!source.takeQuery()) return hangUp('rate')
      parts.ask(message, source, 'tcp', send)
    }
  })
}

/** Answers what has been asked already, for a moment. */
async function closeTcp(
  server: Server,
  open: ReadonlySet<Socket>,
  clock: Pick<Clock, 'after' | 'monotonic'>,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const stop = loadTolerantClock(clock, MOST_STRETCH).after(ARRIVAL_MS, () => {
    for (const socket of open) socket.destroy()
  })
  await closed
  stop()
}
