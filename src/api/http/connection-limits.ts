/**
 * Limits how many connections each client holds to the API, and closes idle ones when there is no
 * room.
 *
 * When all places are taken, the connection that has been idle longest, of the client that holds
 * the most, is closed for a new one. Some places are kept for clients on this host. A connection is
 * known by its client's address and port, so this works below TLS and above it.
 */
import type { Server, Socket } from 'node:net'
import type { Metrics } from '../../lib/metrics.ts'
import { createTally } from '../../lib/per-source.ts'

export interface ConnectionLimits {
  /** Connections held open at the same time. */
  readonly maxConnections: number
  /** The same, of one address (of one /64, by IPv6): what it opens beyond is closed at once. */
  readonly maxConnectionsOfOne: number
  /** Places of `maxConnections` that only clients on this host get. */
  readonly reservedForLoopback: number
  /**
   * Requests that are worked on at the same time for one connection; a client that sends more
   * without waiting is cut off.
   */
  readonly maxPipelined: number
}

export interface Connections {
  /** A request has come: false when the connection has too many under way. */
  begin(socket: Socket): boolean
  /** The request is answered, or its client gone. */
  end(socket: Socket): void
}

interface Connection {
  readonly socket: Socket
  readonly client: string
  busy: number
}

/** Watches the connections of a server; `name` is what the server is called in metrics. */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits,
  metrics: Metrics,
  name = 'api',
): Connections {
  /** The longest idle first: one that becomes idle goes to the end. */
  const open = new Map<string, Connection>()
  const held = createTally<string>()
  const closed = metrics.counter(
    `atoll_${name}_connections_closed_total`,
    'Connections that were closed because there were too many, by why',
    ['why'],
  )
  // Those that were closed count until the kernel has said so.
  server.maxConnections = limits.maxConnections * 2

  /** The connection that makes room, if one is idle. */
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

/** What counts as one client: an address, or the /64 that a host has by IPv6. */
function clientOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [left = '', right] = address.split('::')
  const groups = left.split(':').filter((group) => group !== '')
  const filled = right === undefined ? groups : [...groups, '0', '0', '0', '0']
  return filled.slice(0, IPV6_PREFIX_GROUPS).join(':')
}

const IPV6_PREFIX_GROUPS = 4

/** Whether an address, as a socket shows it, is of this host's loopback. */
export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./.test(address) || address === '::1'
}
