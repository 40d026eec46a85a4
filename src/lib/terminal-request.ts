/**
 * How a terminal is asked for over HTTP: `GET /console`, to be upgraded (RFC 9110, section 7.8) to
 * the protocol `atoll-console` (`terminal-frames.ts`), with a ticket and, if there is one, the
 * screen in headers. Pure.
 */
import type { Screen } from './terminal.ts'

/** Where it is asked for. */
export const TERMINAL_PATH = '/console'
/** What the connection is upgraded to. */
export const TERMINAL_PROTOCOL = 'atoll-console'
/** The header with the ticket. */
export const TICKET_HEADER = 'atoll-ticket'
/** The header with the screen; without one there is a pipe at the other end. */
export const SCREEN_HEADER = 'atoll-screen'

/** Most columns and rows. */
const SIZE_LIMIT = 0xffff

/** A screen in a header: `xterm-256color 80x24`. */
export function formatScreen({ term, columns, rows }: Screen): string {
  return `${term} ${columns}x${rows}`
}

/** The screen in a header's text, or null when it is none. */
export function parseScreen(text: string): Screen | null {
  const found = /^([\w.+-]{1,64}) (\d{1,5})x(\d{1,5})$/.exec(text)
  const [, term = '', columns, rows] = found ?? []
  const size = { columns: Number(columns), rows: Number(rows) }
  return found === null || Math.max(size.columns, size.rows) > SIZE_LIMIT ? null : { term, ...size }
}
