/**
 * Serves the terminals of this host's instances: issues tickets, and runs the sessions of clients
 * that present one (`handshake.ts`).
 *
 * Clients on other hosts use the API's port (TLS only), others the operator's socket.
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

/** Maximum number of concurrent sessions of one instance, and of a host. */
export const SESSION_LIMITS = { ofInstance: 8, ofHost: 64 }

/**
 * Attaches to an instance of this host. `screen` is null for a pipe. Errors: `refused` and
 * `unavailable`, with a message for the user.
 */
type Attach = (instance: InstanceId, screen: Screen | null) => Promise<Terminal>

/** What servers need to pass on connections. */
export interface Upgrader {
  /** Whether an upgrade request is for a console. */
  wants(request: IncomingMessage): boolean
  /** Takes the connection over. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** The server of consoles. */
export interface ConsoleServer extends Upgrader {
  /**
   * A ticket for the terminal of an instance on this host. Errors: `unavailable` when there are too
   * many.
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

/** Creates the server. */
export function createConsoleServer(options: ConsoleServerOptions): ConsoleServer {
  const { attach, clock, random, log, metrics } = options
  const tickets = createTickets(clock, random)
  const open = new Map<TerminalLink, InstanceId>()
  const running = new Set<Promise<void>>()
  const gauge = metrics.gauge('atoll_console_sessions', 'Attached consoles')
  const turnedAway = metrics.counter(
    'atoll_console_tickets_refused_total',
    'Connections that were refused for lack of a valid ticket',
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
        `${instance} already has ${ofInstance} consoles attached; detach one of them`,
      )
    if (open.size >= SESSION_LIMITS.ofHost || closing)
      throw unavailable(
        'This host has too many consoles attached; detach one of them, or try again later.',
      )
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
      log.error({ error }, 'console failed because of a bug')
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
      const reason = 'atolld is stopping on that host; the instance keeps running'
      await Promise.all(
        [...open.keys()].map((link) => link.close({ kind: 'exit', exitCode: null, reason })),
      )
      await Promise.all(running)
    },
  }
}
