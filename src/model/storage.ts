/**
 * Where the root disks of virtual machines are: on their host, or on a storage that several hosts
 * reach. Pure.
 *
 * A storage is known by its id alone. Where a host finds it is that host's matter, and what has
 * another id is another storage, even in the same place.
 */
import type { VolumeId } from './ids.ts'

/** The key of a volume's tag that asks for such a storage when the volume is made. */
export const STORAGE_TAG = 'atoll:storage'
/** Its value: a storage that several hosts reach. */
const SHARED = 'shared'

/** The form of a storage's id. */
export const STORAGE_ID = /^st-[0-9a-f]{16}$/

/** Of the record of a volume. */
export interface Stored {
  /**
   * The storage that has the disk. Null or absent: the volume's host has it alone. Of a volume on a
   * storage without an instance, that host is the one that removes it.
   */
  readonly storage?: string | null | undefined
}

/** Of the record of a host. */
export interface ReachingStorage {
  /** The storage beside its own disks that it reaches now. Null or absent: none. */
  readonly storage?: string | null | undefined
}

/** Of a disk in the want. */
export interface StoredWant {
  /** The storage that has it. Absent: this host. */
  readonly storage?: string | undefined
}

/** A disk on a storage. */
export interface StoragePlace {
  readonly storage: string
  readonly volume: VolumeId
}

/** Whether a tag with this key says where a disk is. */
export function isStorageTag(key: string): boolean {
  return key === STORAGE_TAG
}

/** What is wrong with the value of the tag, and what would be right; null: nothing. */
export function problemOfStorage(value: string): string | null {
  if (value === SHARED) return null
  return `The value '${value}' of the tag '${STORAGE_TAG}' names no kind of storage. Set '${SHARED}', or leave the tag out for a disk on the instance's host`
}

/** The storage of an instance's disks. Null: they are on its host, or it has none. */
export function storageOf(volumes: readonly Stored[]): string | null {
  return volumes.find(({ storage }) => (storage ?? null) !== null)?.storage ?? null
}

/** Whether the host reaches the storage; null: any does. */
export function reachesStorage(
  { storage: reached }: ReachingStorage,
  storage: string | null,
): boolean {
  return storage === null || reached === storage
}
