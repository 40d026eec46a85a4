/**
 * Turns a request with a valid ticket into a WebSocket that carries a terminal
 * (`lib/terminal-protocol.ts`).
 *
 * Without a valid ticket the answer is 403. The `Origin` of a page is not checked. That check
 * protects servers that authenticate users by cookies; this one uses tickets, which a foreign page
 * does not have.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocketServer } from 'ws'
import type { Screen } from '../../lib/terminal.ts'
import { createTerminalLink, SOCKET_LIMITS, type TerminalLink } from '../../lib/terminal-link.ts'
import {
  parseOffer,
  parseScreen,
  TERMINAL_PATH,
  TERMINAL_PROTOCOLS,
} from '../../lib/terminal-protocol.ts'
import { messageOf } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { endWith } from '../http/last-answer.ts'
import { isOlderClient, refuseOlderClient, ticketOfOlderClient } from './older-clients.ts'

/** An accepted client. */
export interface AcceptedConsole {
  readonly link: TerminalLink
  readonly instance: InstanceId
  /** Null for a pipe. */
  readonly screen: Screen | null
}

/** Accepts connections. */
export interface ConsoleHandshake {
  /** Takes a connection over. Null when it was refused (the client is told), or is gone. */
  enter(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<AcceptedConsole | null>
}

/** Whether a request is to be upgraded to a console. */
export function wantsConsole(request: IncomingMessage): boolean {
  const { method, url, headers } = request
  if (method !== 'GET' || url?.split('?')[0] !== TERMINAL_PATH) return false
  return headers.upgrade?.toLowerCase() === 'websocket' || isOlderClient(request)
}

/** `redeem` returns the instance of a ticket, once. Null when the ticket is invalid. */
export function createConsoleHandshake(
  redeem: (ticket: string) => InstanceId | null,
): ConsoleHandshake {
  let server: Promise<WebSocketServer> | null = null
  return {
    async enter(request, socket, head) {
      socket.on('error', () => undefined)
      const isOlder = isOlderClient(request)
      const { ticket, protocol } = parseOffer(request.headers['sec-websocket-protocol'])
      const instance = redeem((isOlder ? ticketOfOlderClient(request) : ticket) ?? '')
      const refuse = (answer: string) => {
        endWith(socket, answer)
        return null
      }
      if (instance === null) return refuse(FORBIDDEN)
      if (isOlder) {
        refuseOlderClient(socket)
        return null
      }
      if (protocol === null) return refuse(badRequest(NO_PROTOCOL))
      const screen = screenOf(request)
      if (typeof screen === 'string') return refuse(badRequest(screen))
      server ??= openSockets()
      const link = await shakeHands(await server, request, socket, head)
      return link === null ? null : { link, instance, screen }
    },
  }
}

/** Loaded with the first console, because it takes 2.3 MB. */
async function openSockets(): Promise<WebSocketServer> {
  const ws = await import('ws')
  return new ws.WebSocketServer({
    ...SOCKET_LIMITS,
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => parseOffer([...offered].join()).protocol ?? false,
  })
}

/** Null when the request is not a WebSocket handshake. It has been answered. */
function shakeHands(
  sockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<TerminalLink | null> {
  const opened = Promise.withResolvers<TerminalLink | null>()
  socket.once('close', () => opened.resolve(null))
  // Listens at once, because the first message may have arrived.
  sockets.handleUpgrade(request, socket, head, (one) =>
    opened.resolve(createTerminalLink(one, 'host')),
  )
  return opened.promise
}

/** Returns a text for an invalid one. */
function screenOf({ url = '' }: IncomingMessage): Screen | null | string {
  try {
    return parseScreen(url)
  } catch (error) {
    return messageOf(error)
  }
}

const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
const NO_PROTOCOL = `Sec-WebSocket-Protocol: offer one of ${Object.values(TERMINAL_PROTOCOLS).join(', ')} beside the ticket`

function badRequest(message: string): string {
  const head =
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8'
  return `${head}\r\nContent-Length: ${Buffer.byteLength(message) + 1}\r\n\r\n${message}\n`
}
