/** Launches of instances with a disk on a storage that several hosts reach. */
import { refused } from '../../model/errors.ts'
import type { Host } from '../../model/records.ts'
import { STORAGE_TAG } from '../../model/storage.ts'

/** Those that reach one now. Errors: `refused` when none does. */
export function hostsWithStorage(hosts: readonly Host[]): readonly Host[] {
  const able = hosts.filter(({ storage = null }) => storage !== null)
  if (able.length > 0) return able
  throw refused(
    'UnsupportedOperation',
    `No host that takes instances reaches a shared storage now (storage.shared.path), so leave the tag '${STORAGE_TAG}' out; ` +
      '`atoll doctor` on a host says what is missing',
  )
}
