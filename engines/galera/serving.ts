/** Asks another node's MariaDB for its status, as the user of the records. */
import { connect } from 'node:net'
import { createConnection } from 'mysql2/promise'
import { z } from 'zod'
import { type Access, readTls } from './access.ts'
import type { Heard } from './decide.ts'
import { hasLeftCluster, type NodeStatus, nodeStatus } from './status.ts'

const DEADLINE_MS = 1000

const statusRows = z.array(
  z.object({ Variable_name: z.string().max(200), Value: z.string().max(10_000) }),
)

/**
 * The status of a node. Null when it does not answer within a second, has another certificate, or
 * does not know the user yet (before its first state transfer).
 */
export async function askStatus(node: string, access: Access): Promise<NodeStatus | null> {
  const { port, user, password, tlsDirectory } = access
  const socket = connect({ host: node, port })
  try {
    // mysql2 gives tls.connect no host name for an address. Then the certificate would be checked
    // for `localhost`, unless the socket has the address.
    Object.assign(socket, { _host: node })
    const connection = await createConnection({
      stream: socket,
      host: node,
      port,
      user,
      password,
      connectTimeout: DEADLINE_MS,
      ...(tlsDirectory === null ? {} : { ssl: { ...readTls(tlsDirectory), verifyIdentity: true } }),
    })
    try {
      const [rows] = await connection.query({
        sql: "SHOW GLOBAL STATUS LIKE 'wsrep_%'",
        timeout: DEADLINE_MS,
      })
      // A server without Galera has no such status.
      return nodeStatus(
        statusRows.parse(rows).map(({ Variable_name, Value }) => [Variable_name, Value]),
      )
    } finally {
      connection.destroy()
    }
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

/**
 * Whether a node runs, and is in the primary component. Null also for a node that was voted out.
 */
export async function askServing(node: string, access: Access): Promise<Heard | null> {
  const status = await askStatus(node, access)
  if (status === null || hasLeftCluster(status)) return null
  return { kind: 'serving', primary: status.component === 'Primary' }
}
