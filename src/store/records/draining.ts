/** Columns of a host that is drained. */
import { type RawBuilder, sql } from 'kysely'
import type { Host } from '../../model/records.ts'

/** A forgotten host that returns becomes active. A draining one stays draining. */
export const activeUnlessDraining = sql<
  Host['state']
>`case when state = 'draining' then 'draining' else 'active' end`

/**
 * Notes since when a host drains that gets this state. It must be set before the state, because
 * MariaDB sets columns one after another.
 */
export function drainingSince(
  state: Host['state'],
  nowMs: RawBuilder<number>,
): { readonly drainingSinceMs: RawBuilder<number> | null } {
  if (state !== 'draining') return { drainingSinceMs: null }
  const known = sql.ref('drainingSinceMs')
  return { drainingSinceMs: sql`case when state = 'draining' then ${known} else ${nowMs} end` }
}
