/**
 * Limits each client's connections to the API, and closes idle ones when there are too many.
 *
 * When all places are taken, a new connection replaces an idle one: of the client with the most
 * connections, the one that has been idle longest. Some places are reserved for clients on this
 * host. A connection is identified by its client's address and port, so this works below and above
 * TLS.
 */
import type { Server, Socket } from 'node:net'
import type { Metrics } from '../../lib/metrics.ts'
import { createTally } from '../../lib/per-source.ts'

export interface ConnectionLimits {
  /** Maximum number of open connections. */
  readonly maxConnections: number
  /** The same for one address (for IPv6, one /64). Further ones are closed at once. */
  readonly maxConnectionsOfOne: number
  /** Places of `maxConnections` that are reserved for clients on this host. */
  readonly reservedForLoopback: number
  /**
   * Maximum number of concurrent requests of one connection. A client that sends more is
   * disconnected.
   */
  readonly maxPipelined: number
}

export interface Connections {
  /** A request has arrived. False when the connection has too many under way. */
  begin(socket: Socket): boolean
  /** The request is answered, or its client has disconnected. */
  end(socket: Socket): void
}

interface Connection {
  readonly socket: Socket
  readonly client: string
  busy: number
}

/** Watches the connections of a server. `name` is the server's name in metrics. */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits,
  metrics: Metrics,
  name = 'api',
): Connections {
  /** The longest idle first: a connection that becomes idle moves to the end. */
  const open = new Map<string, Connection>()
  const held = createTally<string>()
  const closed = metrics.counter(
    `atoll_${name}_connections_closed_total`,
    'Connections that were closed because there were too many, by why',
    ['why'],
  )
  // Closed connections count until the kernel has confirmed it.
  server.maxConnections = limits.maxConnections * 2

  /** The connection to close for a new one. Undefined when none is idle. */
  function longestIdle(): Connection | undefined {
    let chosen: Connection | undefined
    for (const one of open.values()) {
      if (one.busy > 0 || one.socket.destroyed) continue
      if (chosen === undefined || count(one) > count(chosen)) chosen = one
    }
    return chosen
  }

  const count = ({ client }: Connection) => held.of(client)

  function makeRoom(isHere: boolean): boolean {
    const { maxConnections, reservedForLoopback } = limits
    if (open.size < maxConnections - (isHere ? 0 : reservedForLoopback)) return true
    const victim = longestIdle()
    if (victim === undefined) return false
    closed.inc({ why: 'idle' })
    victim.socket.destroy()
    return true
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress = '' } = socket
    const client = clientOf(remoteAddress)
    const isTooMany = held.of(client) >= limits.maxConnectionsOfOne
    if (isTooMany || !makeRoom(isLoopback(remoteAddress))) {
      closed.inc({ why: isTooMany ? 'client' : 'full' })
      socket.destroy()
      return
    }
    const key = keyOf(socket)
    const letGo = held.hold(client, 1)
    open.set(key, { socket, client, busy: 0 })
    socket.once('close', () => {
      open.delete(key)
      letGo()
    })
  })

  return {
    begin(socket) {
      const one = open.get(keyOf(socket))
      if (one === undefined) return true
      one.busy += 1
      if (one.busy <= limits.maxPipelined) return true
      closed.inc({ why: 'pipelined' })
      return false
    },
    end(socket) {
      const key = keyOf(socket)
      const one = open.get(key)
      if (one === undefined) return
      one.busy -= 1
      open.delete(key)
      open.set(key, one)
    },
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/** What counts as one client: an address, or a /64 for IPv6. */
function clientOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [left = '', right] = address.split('::')
  const groups = left.split(':').filter((group) => group !== '')
  const filled = right === undefined ? groups : [...groups, '0', '0', '0', '0']
  return filled.slice(0, IPV6_PREFIX_GROUPS).join(':')
}

const IPV6_PREFIX_GROUPS = 4

/** Whether a socket's address is a loopback address. */
export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./.test(address) || address === '::1'
}
