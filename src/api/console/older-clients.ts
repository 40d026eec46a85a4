/**
 * Tells an older `atoll console` (which requests `Upgrade: atoll-console`) in its own protocol that
 * it must be upgraded.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { endWith } from '../http/last-answer.ts'

const OLD_PROTOCOL = 'atoll-console'
/**
 * Its frame for the end of a terminal: a kind, two bytes of length, no exit code (two bytes), a
 * reason.
 */
const END = 5
const NO_EXIT_CODE = [0, 0]
const REASON = 'this atoll command is older than the host: upgrade it with scripts/install'

/** Whether an upgrade request is from such a client. */
export function isOlderClient({ headers }: IncomingMessage): boolean {
  return headers.upgrade === OLD_PROTOCOL
}

/** The client's ticket. */
export function ticketOfOlderClient({ headers }: IncomingMessage): string | null {
  const ticket = headers['atoll-ticket']
  return typeof ticket === 'string' ? ticket : null
}

/** Says why there is no console, and ends the connection. */
export function refuseOlderClient(socket: Duplex): void {
  const payload = Buffer.from([...NO_EXIT_CODE, ...Buffer.from(REASON)])
  const frame = Buffer.from([END, payload.length >> 8, payload.length & 0xff, ...payload])
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${OLD_PROTOCOL}\r\n\r\n`
  endWith(socket, Buffer.concat([Buffer.from(head), frame]))
}
