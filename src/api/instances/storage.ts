/** Launches of instances with a disk on a storage that several hosts reach. */
import { refused } from '../../model/errors.ts'
import type { Host } from '../../model/records.ts'
import { isOfKind, STORAGE_TAG, type StorageKind } from '../../model/storage.ts'

const SETTINGS = { shared: 'storage.shared.path', ceph: 'storage.ceph.pool' } as const

/** Those that reach one of this kind now. Errors: `refused` when none does. */
export function hostsWithStorage(hosts: readonly Host[], kind: StorageKind): readonly Host[] {
  const able = hosts.filter(({ storage }) => isOfKind(storage ?? '', kind))
  if (able.length > 0) return able
  throw refused(
    'UnsupportedOperation',
    `No host that takes instances reaches a storage of the kind '${kind}' now (${SETTINGS[kind]}), so leave the tag '${STORAGE_TAG}' out; ` +
      '`atoll doctor` on a host says what is missing',
  )
}
