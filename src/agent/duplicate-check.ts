/**
 * The first check of a starting daemon: is another machine running under this host's name? It
 * precedes the bus and every change on the machine. If the records do not answer, the daemon starts
 * anyway, and the lease repeats the check.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { HostName } from '../model/ids.ts'
import type { Store } from '../store/store.ts'
import { createAnnouncer, type DuplicateKind } from './announcement.ts'
import type { LeaseSettings } from './lease.ts'

const RETRY_MS = 250
/** How long to wait for the records. */
const DEADLINE_MS = 5_000

/**
 * Returns the other machine; null when there is none, or the records do not answer. Waits until an
 * earlier lease of this host has run out. Never rejects. `clock` has to keep the process alive,
 * because nothing else does yet.
 */
export async function findDuplicateHost(
  parts: { readonly store: Store; readonly clock: Clock },
  { self, leaseMs }: Pick<LeaseSettings, 'self' | 'leaseMs'>,
): Promise<{ readonly kind: DuplicateKind; readonly by: HostName } | null> {
  const { clock } = parts
  const announce = createAnnouncer(parts, leaseMs)
  for (;;) {
    const said = { shortOf: null, lastSeenAt: isoTime(clock.now()) }
    const announced = announce({ ...self, ...said }).catch(() => null)
    const found = await inTime(clock, DEADLINE_MS, announced)
    if (found === null || found.outcome === 'done') return null
    // The other machine's lease has run out: the name becomes free when the operator runs
    // `atoll forget`, so wait for that instead of ending.
    if (found.outcome === 'duplicate') return found.kind === 'name' && !found.live ? null : found
    await clock.sleep(RETRY_MS)
  }
}
