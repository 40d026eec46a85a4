/** Refuses what a host with an older version would not do. */
import { refused } from '../model/errors.ts'
import { olderThan, type Version } from '../model/version.ts'
import type { ReadTx } from '../store/store.ts'
import type { ApiSettings } from './action.ts'

/**
 * Errors: `OperationNotPermitted` while a host has an older version than `least`, which knows no
 * `what`.
 */
export async function refuseOlderHosts(
  tx: ReadTx,
  { host }: Pick<ApiSettings, 'host'>,
  least: Version,
  what: string,
): Promise<void> {
  const [older] = olderThan(least, await tx.hosts(), host)
  if (older !== undefined)
    throw refused(
      'OperationNotPermitted',
      `The host ${older} has an older version, which knows no ${what}: upgrade it, or forget it if it is gone`,
    )
}
