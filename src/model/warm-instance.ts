/**
 * Warm instances: started before anybody asks for them, and waiting without a NIC for the launch
 * that takes one. Pure.
 *
 * Whatever goes wrong with one costs only its head start: the launch that has taken its id is then
 * a launch like any other.
 */
import type { DriverName } from './driver.ts'
import type { HostName, ImageId, InstanceId } from './ids.ts'
import type { InstanceType } from './records.ts'
import type { ImageWant } from './want.ts'

/** How many of one image and type a host keeps waiting (the setting `warmInstances`). */
export interface WarmSetting {
  readonly image: ImageId
  readonly type: string
  readonly count: number
}

/** What the operator reads of one such setting. */
export interface WarmReport extends WarmSetting {
  /** How many wait now. */
  readonly waiting: number
  /** Why none can. Null: they can. */
  readonly problem: string | null
}

/** The most that a host keeps waiting, of all images and types together. */
export const WARM_MAX = 64
/** What each costs in the machine's memory: its shim, its init and our shell. */
export const WARM_MEMORY_MIB = 16

/** What a host keeps waiting, as the records describe it. */
export interface WarmWant {
  /** Its content is pinned. */
  readonly image: ImageWant & { readonly digest: string }
  readonly type: InstanceType
  readonly count: number
}

/** What a launch must ask for to take one. */
export interface WarmKind {
  readonly image: ImageId
  readonly digest: string
  /** The name of the instance type. */
  readonly type: string
}

/** One that waits. A launch that takes it gets its id. */
export interface WarmInstance extends WarmKind {
  readonly id: InstanceId
}

/** One that its host offers to launches, in the records. Whoever deletes the row has it. */
export interface OfferedInstance extends WarmInstance {
  readonly host: HostName
}

/** Those of a host, between its driver, which has them, and the records, which offer them. */
export interface WarmPool {
  /** Of this driver's images. */
  readonly driver: DriverName
  /** Says what to keep waiting from now on. */
  keep(wants: readonly WarmWant[]): void
  /** Those that wait. Each was started by this run of the daemon, and nothing has run in it. */
  waiting(): readonly WarmInstance[]
  /** Never waits again: it is removed, unless a launch has taken it. */
  discard(id: InstanceId): void
}

/** Whether both are of the same image, content and type. */
export function isSameKind(one: WarmKind, other: WarmKind): boolean {
  return one.image === other.image && one.digest === other.digest && one.type === other.type
}

/** What the instances of a want are. */
export function kindOf({ image, type }: Pick<WarmWant, 'image' | 'type'>): WarmKind {
  return { image: image.id, digest: image.digest, type: type.name }
}
