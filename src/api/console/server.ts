/**
 * The door to this host's terminals: gives tickets, and runs the sessions of those who show one
 * (`handshake.ts`).
 *
 * The same door is behind the API's port, for those on other hosts, and behind the operator's
 * socket. Those on other hosts come by TLS: the API's port lets nobody in without it who is not on
 * this host.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { Screen, Terminal } from '../../lib/terminal.ts'
import type { TerminalLink } from '../../lib/terminal-link.ts'
import { AtollError, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { type AcceptedConsole, createConsoleHandshake, wantsConsole } from './handshake.ts'
import { runSession } from './session.ts'
import { createTickets } from './tickets.ts'

/** Attachments to one instance, and to all of a host, at the same time. */
export const SESSION_LIMITS = { ofInstance: 8, ofHost: 64 }

/**
 * Attaches to an instance of this host; `screen` is null for a pipe. Errors: `refused` and
 * `unavailable`, in words for who attaches.
 */
type Attach = (instance: InstanceId, screen: Screen | null) => Promise<Terminal>

/** What the servers of a host that upgrade connections need of the door. */
export interface Upgrader {
  /** Whether it is for this door that a connection is to be upgraded. */
  wants(request: IncomingMessage): boolean
  /** Takes the connection over. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** The door. */
export interface ConsoleServer extends Upgrader {
  /**
   * A ticket to the terminal of an instance that is here. Errors: `unavailable` when there is no
   * room for one more.
   */
  issue(instance: InstanceId): string
  /** Ends every session. */
  close(): Promise<void>
}

export interface ConsoleServerOptions {
  readonly attach: Attach
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  readonly log: Log
  readonly metrics: Metrics
}

/** Opens the door. */
export function createConsoleServer(options: ConsoleServerOptions): ConsoleServer {
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
  const entrance = createConsoleHandshake((ticket) => {
    const instance = tickets.redeem(ticket)
    if (instance === null) turnedAway.inc()
    return instance
  })

  function assertRoom(instance: InstanceId): void {
    const ofInstance = [...open.values()].filter((one) => one === instance).length
    if (ofInstance >= SESSION_LIMITS.ofInstance)
      throw unavailable(
        `${instance} is attached to ${ofInstance} times already; detach one of them`,
      )
    if (open.size >= SESSION_LIMITS.ofHost || closing)
      throw unavailable('The host takes no more consoles at the moment; try again later.')
  }

  async function serve({ link, instance, screen }: AcceptedConsole): Promise<void> {
    try {
      assertRoom(instance)
      open.set(link, instance)
      gauge.set(open.size)
      log.info({ instance, terminal: screen !== null }, 'console attached')
      const reason = await runSession(link, await attach(instance, screen), screen)
      log.info({ instance, reason }, 'console detached')
    } catch (error) {
      log.warn({ instance, error }, 'console could not be attached')
      const reason = error instanceof AtollError ? error.message : 'the console failed'
      await link.close({ kind: 'error', reason })
    } finally {
      open.delete(link)
      gauge.set(open.size)
    }
  }

  async function enter(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const entered = await entrance.enter(request, socket, head)
      if (entered !== null) await serve(entered)
    } catch (error) {
      log.error({ error }, 'console failed by a bug')
      socket.destroy()
    }
  }

  return {
    wants: wantsConsole,
    take(request, socket, head) {
      const session = enter(request, socket, head)
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
        [...open.keys()].map((link) => link.close({ kind: 'exit', exitCode: null, reason })),
      )
      await Promise.all(running)
    },
  }
}
