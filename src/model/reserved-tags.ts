/** Tags that only Atoll sets: they tell a client how its instance is isolated. Pure. */

/** Keys that begin so are Atoll's. */
export const RESERVED_TAG_PREFIX = 'atoll:'

/**
 * `user-namespace`: a container whose root is nobody on the host. `shared-root`: one whose root is
 * the host's, with fewer rights. `machine`: a virtual machine whose process has namespaces of its
 * own. `machine-in-host`: one that an older version started, whose process sees the host's links
 * and files.
 */
export type Isolation = 'user-namespace' | 'shared-root' | 'machine' | 'machine-in-host'

/**
 * `own`: the instance has a disk of its own of fixed size. `quota`: the file system holds it to its
 * size. `watched`: the host looks at how much it has written, and stops it when that is more than
 * its limit.
 */
export type DiskBound = 'own' | 'quota' | 'watched'

/** One tag of ours. */
export interface ReservedTag {
  readonly key: string
  readonly value: string
}

/** The tags of an instance that is held so. */
export function reservedTags(isolation: Isolation, disk: DiskBound): readonly ReservedTag[] {
  return [
    { key: `${RESERVED_TAG_PREFIX}isolation`, value: isolation },
    { key: `${RESERVED_TAG_PREFIX}disk`, value: disk },
  ]
}

/** Whether a tag's key is one that only Atoll may set. */
export function isReservedKey(key: string): boolean {
  return key.toLowerCase().startsWith(RESERVED_TAG_PREFIX)
}
