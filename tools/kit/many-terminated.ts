/** Records of very many terminated instances, for what must not depend on their number. */
import { DatabaseSync } from 'node:sqlite'

const LOCK_TIMEOUT_MS = 120_000
/** Ids that are as scattered as random ones. */
const SCATTERED = "printf('%08x%09x', (i * 2654435761) & 0xffffffff, i)"
const ODD_VALUES: Readonly<Record<string, string>> = {
  id: `'i-' || ${SCATTERED}`,
  reservation: `'r-' || ${SCATTERED}`,
  launchedAt: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
  terminatedAt: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
}

/**
 * Adds copies of the record of a terminated instance to the records in `file`, which may be in use.
 * Each has the tag `Team=platform`.
 */
export function addTerminatedCopies(file: string, instance: string, count: number): void {
  const database = new DatabaseSync(file, { timeout: LOCK_TIMEOUT_MS })
  try {
    // Nobody needs them after a power failure.
    database.exec('pragma synchronous = off')
    database.exec('begin immediate')
    const columns = database.prepare('select name from pragma_table_info(?)').all('instances')
    const names = columns.map(({ name }) => String(name))
    const values = names.map((name) => ODD_VALUES[name] ?? `"${name}"`)
    const numbers = 'with recursive n(i) as (values (1) union all select i + 1 from n where i < ?)'
    database
      .prepare(
        `insert into instances (${names.map((name) => `"${name}"`).join(', ')})
         ${numbers} select ${values.join(', ')} from n, instances where id = ?`,
      )
      .run(count, instance)
    database
      .prepare(
        `insert into tags (account, resource, resourceType, "key", value)
         ${numbers} select account, ${ODD_VALUES['id']}, 'instance', 'Team', 'platform'
         from n, instances where id = ?`,
      )
      .run(count, instance)
    database.exec('commit')
  } finally {
    database.close()
  }
}
