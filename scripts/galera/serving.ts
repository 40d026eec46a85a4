/** What another node's MariaDB says of itself, asked as the user of the records. */
import { createConnection } from 'mysql2/promise'
import { z } from 'zod'
import type { Heard } from './decide.ts'
import { isOut, type NodeStatus, nodeStatus } from './status.ts'

const DEADLINE_MS = 1000

const statusRows = z.array(
  z.object({ Variable_name: z.string().max(200), Value: z.string().max(10_000) }),
)

/** Null when nobody answers within a second, or does not know the user (a node that has not got the others' data yet). */
export async function askStatus(
  node: string,
  port: number,
  user: string,
  password: string,
): Promise<NodeStatus | null> {
  try {
    const connection = await createConnection({
      host: node,
      port,
      user,
      password,
      connectTimeout: DEADLINE_MS,
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
  }
}

/** Whether that node runs, and whether it is in the primary component. One that was voted out runs for nobody: null. */
export async function askServing(
  node: string,
  port: number,
  user: string,
  password: string,
): Promise<Heard | null> {
  const status = await askStatus(node, port, user, password)
  if (status === null || isOut(status)) return null
  return { kind: 'serving', primary: status.component === 'Primary' }
}
