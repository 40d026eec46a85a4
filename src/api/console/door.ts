/**
 * The door to this host's terminals: gives tickets, and takes the connections of those who show one.
 *
 * The same door is behind the API's port, for those on other hosts, and behind the operator's socket. Without a right ticket the answer is
 * 403 and nothing else. Those on other hosts come by TLS: the API's port lets nobody in without it who is not on this host.
 */
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { Screen, Terminal } from '../../lib/terminal.ts'
import { createTerminalLink, type TerminalLink } from '../../lib/terminal-link.ts'
import {
  parseScreen,
  SCREEN_HEADER,
  TERMINAL_PATH,
  TERMINAL_PROTOCOL,
  TICKET_HEADER,
} from '../../lib/terminal-request.ts'
import { AtollError, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { runSession } from './session.ts'
import { createTickets } from './tickets.ts'

/** Attachments to one instance, and to all of a host, at the same time. */
export const SESSION_LIMITS = { ofInstance: 8, ofHost: 64 }

/** Attaches to an instance of this host; `screen` is null for a pipe. Errors: `refused` and `unavailable`, in words for who attaches. */
type Attach = (instance: InstanceId, screen: Screen | null) => Promise<Terminal>

/** What the servers of a host that upgrade connections need of the door. */
export interface Upgrader {
  /** Whether it is for this door that a connection is to be upgraded. */
  wants(request: IncomingMessage): boolean
  /** Takes the connection over. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** The door. */
export interface ConsoleDoor extends Upgrader {
  /** A ticket to the terminal of an instance that is here. Errors: `unavailable` when there is no room for one more. */
  issue(instance: InstanceId): string
  /** Ends every session. */
  close(): Promise<void>
}

export interface ConsoleDoorOptions {
  readonly attach: Attach
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  readonly log: Log
  readonly metrics: Metrics
}

/** Opens the door. */
export function createConsoleDoor(options: ConsoleDoorOptions): ConsoleDoor {
  const { attach, clock, random, log, metrics } = options
  const tickets = createTickets(clock, random)
  const open = new Map<TerminalLink, InstanceId>()
  const running = new Set<Promise<void>>()
  const gauge = metrics.gauge('atoll_console_sessions', 'Consoles that are attached to')
  const turnedAway = metrics.counter(
    'atoll_console_tickets_refused_total',
    'Connections that showed no ticket which is good',
  )
  let closing = false

  function assertRoom(instance: InstanceId): void {
    const ofInstance = [...open.values()].filter((one) => one === instance).length
    if (ofInstance >= SESSION_LIMITS.ofInstance)
      throw unavailable(
        `${instance} is attached to ${ofInstance} times already; detach one of them`,
      )
    if (open.size >= SESSION_LIMITS.ofHost || closing)
      throw unavailable('The host takes no more consoles at the moment; try again later.')
  }

  async function serve(link: TerminalLink, instance: InstanceId, screen: Screen | null) {
    try {
      assertRoom(instance)
      open.set(link, instance)
      gauge.set(open.size)
      log.info({ instance, terminal: screen !== null }, 'console attached')
      const reason = await runSession(link, await attach(instance, screen))
      log.info({ instance, reason }, 'console detached')
    } catch (error) {
      log.warn({ instance, error }, 'console could not be attached')
      const reason = error instanceof AtollError ? error.message : 'the console failed'
      await refuse(link, reason)
    } finally {
      open.delete(link)
      gauge.set(open.size)
    }
  }

  return {
    wants: ({ method, url, headers }) =>
      method === 'GET' && url === TERMINAL_PATH && headers.upgrade === TERMINAL_PROTOCOL,
    take({ headers }, socket, head) {
      const instance = redeem(tickets, headers[TICKET_HEADER])
      const text = headers[SCREEN_HEADER]
      const screen = typeof text === 'string' ? parseScreen(text) : null
      if (instance === null || (text !== undefined && screen === null)) {
        turnedAway.inc()
        socket.on('error', () => undefined)
        socket.end(FORBIDDEN, () => socket.destroy())
        return
      }
      // What is typed is short and is waited for.
      if (socket instanceof Socket) socket.setNoDelay(true)
      socket.write(SWITCHED)
      const session = serve(createTerminalLink(socket, head), instance, screen)
      running.add(session)
      void session.finally(() => running.delete(session))
    },
    issue(instance) {
      assertRoom(instance)
      return tickets.issue(instance)
    },
    async close() {
      closing = true
      const reason = 'atolld stops on that host; the instance goes on'
      await Promise.all(
        [...open.keys()].map((link) => link.close({ kind: 'end', exitCode: null, reason })),
      )
      await Promise.all(running)
    },
  }
}

function redeem(tickets: ReturnType<typeof createTickets>, shown: string | string[] | undefined) {
  return typeof shown === 'string' ? tickets.redeem(shown) : null
}

/** The other end closes once it has read why; what it says meanwhile is read for its end only. */
async function refuse(link: TerminalLink, reason: string): Promise<void> {
  const closing = link.close({ kind: 'end', exitCode: null, reason })
  try {
    for await (const _ of link.frames());
  } catch {
    // It is going anyway.
  }
  await closing
}

const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
const SWITCHED = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${TERMINAL_PROTOCOL}\r\n\r\n`
