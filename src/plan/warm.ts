/**
 * Plans which instances a host keeps waiting for launches (`model/warm-instance.ts`). Pure.
 */
import type { DriverName } from '../model/driver.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { driverOf, keptBy } from '../model/image-location.ts'
import type { Image, InstanceType } from '../model/records.ts'
import type { InstanceWant } from '../model/want.ts'
import {
  isSameKind,
  kindOf,
  type WarmInstance,
  type WarmSetting,
  type WarmWant,
} from '../model/warm-instance.ts'

/** What becomes of those that wait. */
export interface WarmPlan {
  /** They go on waiting. All others are to be removed. */
  readonly keep: ReadonlySet<InstanceId>
  /** What there are too few of, in the order of the settings. */
  readonly lacking: readonly WarmWant[]
}

/** Keeps as many of each kind as are wanted. */
export function planWarm(wants: readonly WarmWant[], waiting: readonly WarmInstance[]): WarmPlan {
  const kept = wants.map((want) =>
    waiting.filter((one) => isSameKind(one, kindOf(want))).slice(0, want.count),
  )
  return {
    keep: new Set(kept.flat().map(({ id }) => id)),
    lacking: wants.filter(({ count }, at) => (kept[at]?.length ?? 0) < count),
  }
}

/** The records that the settings are about. */
interface WarmRecords {
  /** Those that the settings name. */
  readonly images: readonly Image[]
  readonly types: readonly InstanceType[]
}

/**
 * What a setting comes to. Otherwise why nothing can wait for it, for people: there is no such
 * image or type, its content is not pinned yet, or this host or driver cannot have it.
 */
export function warmWantOf(
  { image: imageId, type: typeName, count }: WarmSetting,
  { images, types }: WarmRecords,
  { host, driver }: { readonly host: HostName; readonly driver: DriverName },
): WarmWant | string {
  const image = images.find(({ id }) => id === imageId)
  const type = types.find(({ name }) => name === typeName)
  if (image === undefined) return `there is no image ${imageId}`
  if (type === undefined) return `there is no instance type ${typeName}`
  if (image.state !== 'available') return `the image ${imageId} is ${image.state}`
  const { id, location, digest, repositoryDigest, account } = image
  const only = keptBy(location)
  if (driverOf(image, { location, hasVolume: false }) !== driver)
    return `instances of ${imageId} are no containers`
  if (only !== null && only !== host) return `only the host ${only} has the image ${imageId}`
  if (digest === null)
    return `the content of ${imageId} is not known before its first launch: launch an instance of it`
  const wanted = { id, location, driver, digest, repositoryDigest, account }
  return { image: wanted, type, count }
}

/** What a driver knows of one that it started before it was asked for. */
interface Warmth {
  readonly warm?: 'ready' | 'spoilt'
  readonly takenBy?: string
}

/**
 * Whether what was started before it was asked for is not, and cannot become, this instance: it was
 * spoilt, or taken by another launch, whose commit the records have lost. Of an instance that ran,
 * it is the instance.
 */
export function isNothingOf(
  want: Pick<InstanceWant, 'ran' | 'run' | 'reservation'>,
  { warm, takenBy }: Warmth,
): boolean {
  if (want.ran) return false
  if (warm !== undefined) return warm === 'spoilt' || want.run !== 'run'
  return takenBy !== undefined && takenBy !== want.reservation
}
