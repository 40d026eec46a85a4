/**
 * The protocol that carries a terminal over a WebSocket (RFC 6455). No I/O.
 *
 * A client opens `/console` and offers two subprotocols: one of `TERMINAL_PROTOCOLS`, which the
 * host selects, and `ticket.` followed by its ticket. A browser cannot set headers, so the size of
 * its screen is in the query: `?columns=80&rows=24`.
 */
import { z } from 'zod'
import type { Screen, TerminalEnd } from './terminal.ts'

/** The path of terminals. */
export const TERMINAL_PATH = '/console'

/**
 * The protocols. `v1`: binary messages are the terminal's bytes, text messages are control messages
 * (JSON). `text`: text messages are input and output. `lines`: the same, but each message of the
 * client is a line, as wscat sends it.
 */
export const TERMINAL_PROTOCOLS = {
  v1: 'atoll.console.v1',
  text: 'atoll.console.text.v1',
  lines: 'atoll.console.lines.v1',
} as const

type TerminalProtocol = (typeof TERMINAL_PROTOCOLS)[keyof typeof TERMINAL_PROTOCOLS]

/** Prefix of a ticket among the subprotocols. */
export const TICKET_PREFIX = 'ticket.'

/** Longest accepted message, in bytes. A client splits a longer paste. */
export const MESSAGE_LIMIT_BYTES = 256 * 1024

/** Close codes (RFC 6455, section 7.4). */
export const CLOSE_CODES = {
  /** The terminal has ended, or its user has left. */
  ended: 1000,
  /** The peer sent an invalid message. */
  notUnderstood: 1008,
  /** There is no terminal to attach to. The reason says why. */
  refused: 4000,
} as const

/** A message. */
export type TerminalMessage =
  /** Input or output. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** A line of input, without its line end. */
  | { readonly kind: 'line'; readonly bytes: Buffer }
  /** The new size of the window. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** The end of the input. */
  | { readonly kind: 'eof' }
  /** The kind of the terminal: the host's first message. */
  | { readonly kind: 'attached'; readonly terminal: 'shell' | 'serial' }
  /** The terminal has ended: the host's last message. */
  | ({ readonly kind: 'exit' } & TerminalEnd)
  /** There is no terminal to attach to: the host's only message. */
  | { readonly kind: 'error'; readonly reason: string }

/** All messages except the terminal's bytes. */
export type ControlMessage = Exclude<TerminalMessage, { kind: 'data' | 'line' }>

/**
 * Maximum number of columns and rows: two bytes each in the kernel (`struct winsize`,
 * tty_ioctl(4)).
 */
const SIZE_LIMIT = 0xffff
/** Longest text of a control message, in UTF-16 code units. */
const CONTROL_LIMIT = 4096
/** Longest reason, in UTF-16 code units. */
const REASON_LIMIT = 1000
/** Longest reason of a close, in bytes (RFC 6455, sections 5.5 and 5.5.1). */
const CLOSE_REASON_LIMIT_BYTES = 123
const EXIT_CODE_LIMIT = 255
/** Used when the query names no terminal type. */
const DEFAULT_TERM = 'xterm-256color'

const size = z.int().min(1).max(SIZE_LIMIT)
const reason = z.string().max(REASON_LIMIT)
const resizeSchema = z.strictObject({ type: z.literal('resize'), columns: size, rows: size })
const fromClient = z.discriminatedUnion('type', [
  resizeSchema,
  z.strictObject({ type: z.literal('eof') }),
])
const fromHost = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('attached'), terminal: z.enum(['shell', 'serial']) }),
  z.strictObject({
    type: z.literal('exit'),
    exitCode: z.int().min(0).max(EXIT_CODE_LIMIT).nullable(),
    reason,
  }),
  z.strictObject({ type: z.literal('error'), reason }),
])

/** The sender of a message. Each end accepts only what the other may send. */
export type TerminalSide = 'client' | 'host'

/** A control message as text. */
export function formatControl({ kind, ...rest }: ControlMessage): string {
  const cut = 'reason' in rest ? { ...rest, reason: rest.reason.slice(0, REASON_LIMIT) } : rest
  return JSON.stringify({ type: kind, ...cut })
}

/** Parses a control message of that side. Throws an `Error` that says what is wrong with it. */
export function parseControl(text: string, said: TerminalSide): ControlMessage {
  if (text.length > CONTROL_LIMIT)
    throw new Error(`a control message is longer than ${CONTROL_LIMIT} characters`)
  const schema = said === 'client' ? fromClient : fromHost
  const read = schema.safeParse(parseJson(text))
  if (!read.success) {
    const [issue] = read.error.issues
    throw new Error(`control message: ${issue?.path.join('.') || 'type'}: ${issue?.message}`)
  }
  const { type: kind, ...rest } = read.data
  return { kind, ...rest } as ControlMessage
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(
      `text messages are control messages in JSON; for plain text, offer ${TERMINAL_PROTOCOLS.text}`,
    )
  }
}

/** A reason for a close frame: cut at a character boundary to the allowed number of bytes. */
export function closeReason(text: string): string {
  const bytes = Buffer.from(text.toWellFormed())
  let end = Math.min(bytes.length, CLOSE_REASON_LIMIT_BYTES)
  // Bytes of the form 10xxxxxx continue a character.
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end).toString()
}

/** The query for a screen. Empty when there is none. */
export function formatScreen(screen: Screen | null): string {
  if (screen === null) return ''
  const { term, columns, rows } = screen
  return `?${new URLSearchParams({ term, columns: `${columns}`, rows: `${rows}` })}`
}

const screenSchema = z.object({
  term: z
    .string()
    .regex(/^[\w.+-]{1,64}$/, 'letters, digits and _.+-, at most 64')
    .default(DEFAULT_TERM),
  columns: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .pipe(size),
  rows: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .pipe(size),
})

/**
 * The screen in a request's target. Null when it has none. Throws an `Error` that names the invalid
 * parameter.
 */
export function parseScreen(target: string): Screen | null {
  const [, ...query] = target.split('?')
  const told = Object.fromEntries(new URLSearchParams(query.join('?')))
  if (!('columns' in told || 'rows' in told || 'term' in told)) return null
  const read = screenSchema.safeParse(told)
  if (read.success) return read.data
  const name = read.error.issues[0]?.path.join('.')
  throw new Error(
    `${name}: give the screen as ?columns=80&rows=24&term=xterm-256color (1 to ${SIZE_LIMIT}), or leave all three out for a pipe`,
  )
}

/** What a client offers in `Sec-WebSocket-Protocol`. */
export interface TerminalOffer {
  /** Null when it offers none, or several. */
  readonly ticket: string | null
  /** The first of our protocols that it offers. Null when it offers none. */
  readonly protocol: TerminalProtocol | null
}

/** Parses the header. Never fails. */
export function parseOffer(header: string | undefined): TerminalOffer {
  const offered = (header ?? '').split(',').map((one) => one.trim())
  const tickets = offered.filter((one) => one.startsWith(TICKET_PREFIX))
  const known: readonly TerminalProtocol[] = Object.values(TERMINAL_PROTOCOLS)
  const protocol = offered.flatMap((one) => known.find((name) => name === one) ?? [])[0]
  return {
    ticket: tickets.length === 1 ? (tickets[0] ?? '').slice(TICKET_PREFIX.length) : null,
    protocol: protocol ?? null,
  }
}
