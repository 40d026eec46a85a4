/**
 * Consoles at a process that has no terminals: it passes the bytes of a connection on to the agent
 * of its host, over a Unix socket, and back. Only the agent looks at tickets and frames, and only
 * it reaches the terminals.
 */
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Duplex, finished } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { endWith } from '../http/last-answer.ts'
import { wantsConsole } from './handshake.ts'
import type { Upgrader } from './server.ts'

/** Connections that are passed on at one time, of all clients. */
const RELAYED_LIMIT = 64
/** How long the agent may take to accept a connection, for example because it is stopped. */
const CONNECT_MS = 2_000

/** Passes consoles on. `close` ends all connections. */
export interface ConsoleRelay extends Upgrader {
  close(): Promise<void>
}

/** `file` is the agent's socket (`relay-server.ts`), which need not exist yet. */
export function createConsoleRelay(options: {
  readonly file: string
  readonly clock: Clock
  readonly log: Log
}): ConsoleRelay {
  const { file, clock, log } = options
  const open = new Set<Duplex>()

  async function relay(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    // Until the pipeline listens. It may end at any moment.
    client.on('error', () => undefined)
    if (open.size >= RELAYED_LIMIT) return endWith(client, UNAVAILABLE)
    open.add(client)
    finished(client, () => open.delete(client))
    const agent = connect(file)
    try {
      await connected(agent, clock)
    } catch (error) {
      agent.destroy()
      log.info({ error }, 'a console cannot be attached while the agent is away')
      return endWith(client, UNAVAILABLE)
    }
    // As Node has read it: a character for each byte.
    agent.write(headOf(request), 'latin1')
    agent.write(head)
    await Promise.all([pipeline(client, agent), pipeline(agent, client)]).catch(() => undefined)
  }

  return {
    wants: wantsConsole,
    take(request, socket, head) {
      void relay(request, socket, head)
    },
    async close() {
      for (const client of open) client.destroy()
    },
  }
}

/** Rejects when it is not connected in time. */
async function connected(agent: Socket, clock: Clock): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  agent.once('connect', resolve)
  agent.on('error', reject)
  const stop = clock.after(CONNECT_MS, () => reject(new Error('the agent does not answer')))
  try {
    await promise
  } finally {
    stop()
  }
}

/** The request as it came, which Node has parsed: so no line of it can be another one. */
function headOf({ url, rawHeaders }: IncomingMessage): string {
  const lines = [`GET ${url} HTTP/1.1`]
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

const UNAVAILABLE =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'
