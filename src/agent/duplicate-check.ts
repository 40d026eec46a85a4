/**
 * The question before everything else: does another machine live under this host's name? It is
 * asked before the bus is opened and anything on the machine is touched. Records that do not answer
 * say neither yes nor no; then the lease asks on.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { HostName } from '../model/ids.ts'
import type { Store } from '../store/store.ts'
import { createAnnouncer, type Rival } from './announcement.ts'
import type { LeaseSettings } from './lease.ts'

const AGAIN_MS = 250
/** Records that take longer do not answer. */
const PATIENCE_MS = 5_000

/**
 * Who is in the way; null when nobody is, or nobody can say. Takes as long as a lease of before is
 * live. Never rejects. `clock` has to keep the process alive: nothing else does at that time.
 */
export async function askAdmission(
  parts: { readonly store: Store; readonly clock: Clock },
  { self, leaseMs }: Pick<LeaseSettings, 'self' | 'leaseMs'>,
): Promise<{ readonly kind: Rival; readonly by: HostName } | null> {
  const { clock } = parts
  const announce = createAnnouncer(parts, leaseMs)
  for (;;) {
    const said = { shortOf: null, lastSeenAt: isoTime(clock.now()) }
    const announced = announce({ ...self, ...said }).catch(() => null)
    const found = await inTime(clock, PATIENCE_MS, announced)
    if (found === null || found.outcome === 'done') return null
    // A name that a machine with another identity has left behind may be freed yet, by whoever
    // forgets it.
    if (found.outcome === 'rival') return found.kind === 'name' && !found.live ? null : found
    await clock.sleep(AGAIN_MS)
  }
}
