/** Whether another node's MariaDB runs, and whether it is in the primary component, asked of itself as the user of the records. */
import { createConnection } from 'mysql2/promise'
import { z } from 'zod'
import type { Heard } from './decide.ts'

const DEADLINE_MS = 1000

const statusRows = z.array(z.object({ Value: z.string() }))

/** Null when nobody answers within a second, or does not know the user (a node that has not got the others' data yet). */
export async function askServing(
  node: string,
  port: number,
  user: string,
  password: string,
): Promise<Heard | null> {
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
        sql: "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'",
        timeout: DEADLINE_MS,
      })
      const status = statusRows.parse(rows)[0]?.Value
      // No such status: a server without Galera that has our user. It is no member of anything.
      return status === undefined ? null : { kind: 'serving', primary: status === 'Primary' }
    } finally {
      connection.destroy()
    }
  } catch {
    return null
  }
}
