/**
 * A WebSocket that carries a terminal (`terminal-protocol.ts`). Both ends use this code.
 *
 * Both directions have backpressure, so no buffer grows. Pings (RFC 6455, section 5.5.2) detect a
 * lost peer: after several pings without an answer the connection is closed.
 */
import { on, once } from 'node:events'
import { StringDecoder } from 'node:string_decoder'
import type { WebSocket } from 'ws'
import {
  CLOSE_CODES,
  closeReason,
  formatControl,
  MESSAGE_LIMIT_BYTES,
  parseControl,
  TERMINAL_PROTOCOLS,
  type TerminalMessage,
  type TerminalSide,
} from './terminal-protocol.ts'

/** One end of the connection. */
export interface TerminalLink {
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal
  /**
   * The peer's messages until it closes. Throws when the connection breaks, when the peer is silent
   * for too long, and when a message is invalid.
   */
  messages(): AsyncGenerator<TerminalMessage, void>
  /** Resolves when there is room for more. Rejects when the connection is gone. */
  send(message: TerminalMessage): Promise<void>
  /** Sends a final message if one is given, and closes. Never fails. */
  close(last?: TerminalMessage & { readonly kind: 'exit' | 'error' }): Promise<void>
}

/** Limits of the WebSocket, for its constructor at both ends. */
export const SOCKET_LIMITS = {
  maxPayload: MESSAGE_LIMIT_BYTES,
  /** Fragments of one message, and reads of the connection for one fragment. Each costs memory. */
  maxFragments: 1024,
  maxBufferedChunks: 4096,
  // zlib would take 300 KB for each connection.
  perMessageDeflate: false,
} as const

const PING_MS = 15_000
/** The connection is closed after this many pings without an answer. */
const PINGS_MISSED = 3
/** How long the peer may take to read the last message and to close. */
const CLOSE_DEADLINE_MS = 5_000
/** `send` waits while more than this is unsent. */
const UNSENT_LIMIT_BYTES = 64 * 1024
/** The longest message that is sent. */
const PIECE_BYTES = 64 * 1024
/**
 * Codes for a connection that broke, and for one that was closed without a code (RFC 6455, section
 * 7.1.5).
 */
const LOST = 1006
const NO_CODE = 1005
const GOING_AWAY = 1001
/** Codes of a regular close. */
const CLOSED_WELL: ReadonlySet<number> = new Set([
  CLOSE_CODES.ended,
  CLOSE_CODES.refused,
  GOING_AWAY,
  NO_CODE,
])

/** Uses an open WebSocket. `side` is our role. */
export function createTerminalLink(
  socket: WebSocket,
  side: TerminalSide,
  { pingMs = PING_MS }: { readonly pingMs?: number } = {},
): TerminalLink {
  const gone = new AbortController()
  let lost: Error | null = null
  // The next read or write reports it.
  socket.on('error', (error) => {
    lost ??= error
  })
  socket.once('close', (code, reason) => {
    if (!CLOSED_WELL.has(code)) lost ??= new Error(whyClosed(code, reason.toString()))
    gone.abort(lost ?? new Error('the connection was closed'))
  })
  const stopWatching = watchSilence(socket, pingMs, (why) => {
    lost ??= why
  })
  gone.signal.addEventListener('abort', stopWatching)
  // Listens from the start, because messages without a listener are lost.
  const incoming = on(socket, 'message', { close: ['close'], highWaterMark: 1, lowWaterMark: 1 })
  const encode = createEncoder(socket.protocol)
  /** What was wrong with the peer's last message. */
  let misunderstood: string | null = null

  function understand(bytes: Buffer, isBinary: boolean): TerminalMessage {
    try {
      return decode(socket.protocol, bytes, isBinary, side === 'host' ? 'client' : 'host')
    } catch (error) {
      misunderstood = error instanceof Error ? error.message : String(error)
      throw error
    }
  }

  async function send(message: TerminalMessage): Promise<void> {
    for (const piece of encode(message)) {
      gone.signal.throwIfAborted()
      await sendPiece(socket, piece, gone.signal)
    }
  }

  return {
    gone: gone.signal,
    async *messages() {
      for await (const [bytes, isBinary] of incoming) {
        const message = understand(bytes, isBinary)
        if (message.kind === 'data' && message.bytes.length === 0) continue
        yield message
      }
      if (lost !== null) throw lost
    },
    send,
    async close(last) {
      stopWatching()
      await incoming.return?.()
      const deadline = AbortSignal.any([gone.signal, AbortSignal.timeout(CLOSE_DEADLINE_MS)])
      if (last !== undefined) {
        for (const piece of encode(last)) socket.send(piece, () => undefined)
      }
      // An unread connection cannot close.
      socket.resume()
      const code = last?.kind === 'error' ? CLOSE_CODES.refused : CLOSE_CODES.ended
      if (misunderstood === null) socket.close(code, closeReason(last?.reason ?? ''))
      else socket.close(CLOSE_CODES.notUnderstood, closeReason(misunderstood))
      if (!gone.signal.aborted) await once(deadline, 'abort')
      socket.terminate()
    },
  }
}

function whyClosed(code: number, reason: string): string {
  if (code === LOST) return 'the connection to the console was lost'
  return `the other end closed the connection (${code}${reason === '' ? '' : `: ${reason}`})`
}

/** Ends a connection with a silent peer, until the returned function is called. */
function watchSilence(socket: WebSocket, pingMs: number, tell: (why: Error) => void): () => void {
  let heardAtMs = performance.now()
  const hear = () => {
    heardAtMs = performance.now()
  }
  for (const event of ['message', 'pong', 'ping'] as const) socket.on(event, hear)
  const timer = setInterval(() => {
    // An unread connection shows no answers.
    if (socket.isPaused) hear()
    if (performance.now() - heardAtMs > PINGS_MISSED * pingMs) {
      tell(new Error('the other end stopped answering'))
      socket.terminate()
    } else if (socket.bufferedAmount < UNSENT_LIMIT_BYTES) {
      // A peer that reads nothing is not pinged again.
      socket.ping()
    }
  }, pingMs)
  return () => clearInterval(timer)
}

/** Resolves when there is room for more. */
async function sendPiece(
  socket: WebSocket,
  piece: string | Buffer,
  gone: AbortSignal,
): Promise<void> {
  const taken = Promise.withResolvers<void>()
  socket.send(piece, (error) => (error ? taken.reject(error) : taken.resolve()))
  // The next call reports that the connection is gone.
  taken.promise.catch(() => undefined)
  if (socket.bufferedAmount <= UNSENT_LIMIT_BYTES) return
  const onGone = () => taken.reject(gone.reason)
  gone.addEventListener('abort', onGone)
  await taken.promise.finally(() => gone.removeEventListener('abort', onGone))
}

/** Text messages of the WebSocket are strings here, binary messages are buffers. */
type Encode = (message: TerminalMessage) => readonly (string | Buffer)[]

/**
 * Encodes messages for a protocol. In the text protocols there are no control messages. Code and
 * reason of the close report the end.
 */
function createEncoder(protocol: string): Encode {
  const isText = protocol !== TERMINAL_PROTOCOLS.v1
  // A character may be split over two messages.
  const decoder = new StringDecoder('utf8')
  return (message) => {
    if (message.kind !== 'data' && message.kind !== 'line')
      return isText ? [] : [formatControl(message)]
    const pieces: (string | Buffer)[] = []
    for (let at = 0; at < message.bytes.length; at += PIECE_BYTES) {
      const bytes = message.bytes.subarray(at, at + PIECE_BYTES)
      const piece = isText ? decoder.write(bytes) : bytes
      if (piece.length > 0) pieces.push(piece)
    }
    return pieces
  }
}

function decode(
  protocol: string,
  bytes: Buffer,
  isBinary: boolean,
  said: TerminalSide,
): TerminalMessage {
  if (protocol === TERMINAL_PROTOCOLS.v1 && !isBinary) return parseControl(bytes.toString(), said)
  const isLine = protocol === TERMINAL_PROTOCOLS.lines && !isBinary && said === 'client'
  return { kind: isLine ? 'line' : 'data', bytes }
}
