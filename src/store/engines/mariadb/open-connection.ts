/** Opens a connection to one node. */
import { connect } from 'node:net'
import type { Connection, ConnectionOptions } from 'mysql2'
import type { TlsReader } from '../../../lib/engine-access.ts'
import { type Colleagues, MariadbConnection, STATEMENT_LIMIT_MS } from './connection.ts'
import type { Node } from './nodes.ts'

/** How to connect to a node. `createConnection` is mysql2's. */
export interface Access {
  readonly createConnection: (options: ConnectionOptions) => Connection
  readonly database: string
  readonly user: string
  readonly password: string
  readonly tls: TlsReader
}

/**
 * Connects to a node and checks that it is healthy; thoroughly, if it must have caught up. Rejects
 * when it is not, or when the signal aborts. Call `settle` before using it.
 */
export async function openConnection(
  access: Access,
  node: Node,
  nodes: Colleagues,
  { signal, isThorough = false }: { readonly signal: AbortSignal; readonly isThorough?: boolean },
): Promise<MariadbConnection> {
  const tls = await access.tls(node.host)
  signal.throwIfAborted()
  const socket = connect({ host: node.host, port: node.port, noDelay: true })
  // For an address, mysql2 passes no name to tls.connect, which then checks the certificate for
  // `localhost` unless the socket has the host's name. Node sets it only after a lookup.
  Object.assign(socket, { _host: node.host })
  const raw = access.createConnection({
    stream: socket,
    host: node.host,
    port: node.port,
    user: access.user,
    password: access.password,
    database: access.database,
    ...(tls === undefined ? {} : { ssl: tls }),
    // A last resort: the signal aborts first.
    connectTimeout: STATEMENT_LIMIT_MS,
    flags: ['-LOCAL_FILES'],
    charset: 'utf8mb4',
    // Our values are text and numbers. Anything else would be escaped in surprising ways.
    stringifyObjects: true,
    maxPreparedStatements: 1,
  })
  const connection = new MariadbConnection(raw, socket, node, nodes)
  const giveUp = () => connection.destroy(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await connection.expectHealthy()
    if (isThorough) await connection.expectCaughtUp()
    return connection
  } catch (error) {
    connection.destroy(error)
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
