/**
 * Drivers: their names in the records, and what each declares. Pure.
 *
 * Three terms are easily confused. The *driver* (`docker`, `qemu`) runs an instance. The *link
 * type* (`veth`, `tap`) is how its NICs are connected to the host. The *scheme* of a location
 * (`docker://`, `file://`) says where an image is.
 */
import type { Branded } from './ids.ts'

/** The name of a driver, as the rows of its instances and images have it. */
export type DriverName = Branded<'DriverName'>

/** The shape of a driver's name. */
export const DRIVER_NAME = /^[a-z][a-z0-9-]{0,31}$/

/** The driver's name in a text that comes from outside; undefined when it is none. */
export function parseDriverName(text: string): DriverName | undefined {
  return DRIVER_NAME.test(text) ? (text as DriverName) : undefined
}

/**
 * The two drivers of the versions that wrote no driver into the records. By these words the
 * locations of images that were made of instances name them.
 */
export const FIRST_DRIVERS = {
  container: 'docker' as DriverName,
  machine: 'qemu' as DriverName,
} as const

/**
 * How a NIC is connected to its host: `veth`, a pair of which one end is moved into the guest's
 * network namespace; `tap`, a device that the guest's process holds open.
 */
export type LinkType = 'veth' | 'tap'

/** What the rest of a host, and the API, must know of a driver. */
export interface DriverDeclaration {
  readonly name: DriverName
  /** What its instances are called in the logs, in the plural: `containers`. */
  readonly service: string
  readonly linkType: LinkType
  /**
   * Whether an instance's root disk is a volume: of a size that a launch may choose, and kept when
   * it is asked for.
   */
  readonly rootVolume: boolean
  /** Whether a stopped instance may be given another type. */
  readonly changesType: boolean
  /** Whether it runs the image at a location that a client registers. */
  readonly takes: (location: string) => boolean
}

/**
 * The driver of an image that is registered from this location: of several, the first. Undefined
 * when none takes it.
 */
export function driverFor(
  location: string,
  drivers: readonly DriverDeclaration[],
): DriverDeclaration | undefined {
  return drivers.find((driver) => driver.takes(location))
}
