/** A storage that several hosts reach, of whichever kind. A host has one at most. */
import type { CephPool } from './ceph/pool.ts'
import type { SharedDirectory } from './files/shared-directory.ts'

export type SharedStorage = SharedDirectory | CephPool
