/**
 * What a host does when the records have gone back behind its ledger: when a cluster lost its last
 * commits, or when the records were restored from a backup.
 *
 * A ledger never goes back to an older generation, because a node that lags must not undo anything.
 * Without this, a host would keep the want of its ledger until its generation had advanced as far
 * again, and not see what it is given meanwhile. So if no node has anything newer, the host
 * advances its generation beyond that of its ledger, and follows the records again.
 */
import type { Log } from '../lib/log.ts'
import type { LocalWant } from '../model/want.ts'
import type { Store } from '../store/store.ts'

/**
 * Call it when a reading was older than the ledger. Returns whether this host follows the records
 * from the next reading on; false if only the node that was read lags. Errors: the store's.
 */
export async function overtakeLedger(
  { store, log }: { readonly store: Store; readonly log: Log },
  { host, generation }: Pick<LocalWant, 'host' | 'generation'>,
): Promise<boolean> {
  const [newest] = await store.read((tx) => tx.peerHosts([host]), { sees: 'latest' })
  if (newest === undefined || newest.generation >= generation) return false
  const outcome = await store.change((tx) => tx.overtakeGeneration(host, generation))
  if (outcome !== 'done') return false
  log.warn(
    { host, ledger: generation, records: newest.generation },
    'the records have gone back behind the ledger: they lost commits, or were restored from a backup; this host follows them',
  )
  return true
}
