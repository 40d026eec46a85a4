/** What another node's MariaDB says of itself, asked as the user of the records. */
import { connect } from 'node:net'
import { createConnection } from 'mysql2/promise'
import { z } from 'zod'
import { type Access, readTls } from './access.ts'
import type { Heard } from './decide.ts'
import { isOut, type NodeStatus, nodeStatus } from './status.ts'

const DEADLINE_MS = 1000

const statusRows = z.array(
  z.object({ Variable_name: z.string().max(200), Value: z.string().max(10_000) }),
)

/**
 * Null when nobody answers within a second who is that node, or does not know the user (a node that
 * has not got the others' data yet).
 */
export async function askStatus(node: string, access: Access): Promise<NodeStatus | null> {
  const { port, user, password, tlsDirectory } = access
  const socket = connect({ host: node, port })
  try {
    // mysql2 gives tls.connect no name for an address, and that takes the certificate for one of
    // `localhost` unless the socket knows where it went to.
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
      // No such status: a server without Galera that has our user. It is no member of anything.
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
 * Whether that node runs, and whether it is in the primary component. One that was voted out runs
 * for nobody: null.
 */
export async function askServing(node: string, access: Access): Promise<Heard | null> {
  const status = await askStatus(node, access)
  if (status === null || isOut(status)) return null
  return { kind: 'serving', primary: status.component === 'Primary' }
}
