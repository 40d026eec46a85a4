/**
 * Where the root disks of virtual machines are: on their host, or on a storage that several hosts
 * reach. Pure.
 *
 * A storage is known by its id alone. Where a host finds it is that host's matter, and what has
 * another id is another storage, even in the same place.
 */
import type { HostName, VolumeId } from './ids.ts'

/** The key of a volume's tag that asks for such a storage when the volume is made. */
export const STORAGE_TAG = 'atoll:storage'
/**
 * Its values, the kinds of storage that several hosts reach: a directory that they mount, and a
 * pool of a Ceph cluster. The id of a storage says its kind.
 */
const PREFIXES = { shared: 'st', ceph: 'rbd' } as const
export type StorageKind = keyof typeof PREFIXES
const KINDS = Object.keys(PREFIXES).filter(isStorageKind)

/** The form of a storage's id. */
export const STORAGE_ID = /^(?:st|rbd)-[0-9a-f]{16}$/

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
  /** The address from which it last reached that, if it refuses by address. */
  readonly storageAddress?: string | null | undefined
}

/** Of a disk in the want. */
export interface StoredWant {
  /** The storage that has it. Absent: this host. */
  readonly storage?: string | undefined
}

/**
 * That the address of a lost host is to be refused by a storage, before others open what it had
 * open, and until it has ended that.
 */
export interface StorageFence {
  readonly storage: string
  readonly address: string
  /** Of the takeover. Each one is carried out. */
  readonly id: string
  /**
   * The host is back, and nothing runs there any more that had a disk on the storage. So nobody
   * carries it out any more, and the host has the refusal ended.
   */
  readonly isEnding: boolean
}

/** The form of an address that a storage can be told to refuse, as part of a fence's text. */
export const STORAGE_ADDRESS = /^[0-9a-f.:]{2,45}$/
const FENCE = /^((?:st|rbd)-[0-9a-f]{16})@([0-9a-f.:]{2,45})([#~])([\w.-]{1,64})$/

/** As it is in the record of the host. */
export function fenceText({ storage, address, id, isEnding }: StorageFence): string {
  return `${storage}@${address}${isEnding ? '~' : '#'}${id}`
}

/** Undefined: it is none. */
export function parseStorageFence(text: string): StorageFence | undefined {
  const [, storage = '', address = '', mark, id = ''] = FENCE.exec(text) ?? []
  return storage === '' ? undefined : { storage, address, id, isEnding: mark === '~' }
}

/** What is to be refused, and the host that had this address. */
export interface HostFence {
  readonly host: HostName
  readonly fence: StorageFence
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

/** Whether the value of the tag names a kind of storage. */
export function isStorageKind(value: string): value is StorageKind {
  return Object.hasOwn(PREFIXES, value)
}

/** Whether the storage with this id is of this kind. */
export function isOfKind(storage: string, kind: StorageKind): boolean {
  return storage.startsWith(`${PREFIXES[kind]}-`)
}

/** The id of a new storage, from 16 random hexadecimal digits. */
export function newStorageId(kind: StorageKind, random: string): string {
  return `${PREFIXES[kind]}-${random}`
}

/** What is wrong with the value of the tag, and what would be right; null: nothing. */
export function problemOfStorage(value: string): string | null {
  if (isStorageKind(value)) return null
  return `The value '${value}' of the tag '${STORAGE_TAG}' names no kind of storage. Set '${KINDS.join("' or '")}', or leave the tag out for a disk on the instance's host`
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
