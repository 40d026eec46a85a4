/**
 * Drivers: their names in the records, and what each declares. Pure.
 *
 * Three terms are easily confused. The *driver* (`docker`, `qemu`) runs an instance. The *link
 * type* (`veth`, `tap`) is how its NICs are connected to the host. The *scheme* of a location
 * (`docker://`, `file://`) says where an image is.
 */
import type { Branded } from './ids.ts'

/** The name of a driver, as in the records of its instances and images. */
export type DriverName = Branded<'DriverName'>

/** The format of a driver's name. */
export const DRIVER_NAME = /^[a-z][a-z0-9-]{0,31}$/

/** Parses the name of a driver. Undefined when it has another format. */
export function parseDriverName(text: string): DriverName | undefined {
  return DRIVER_NAME.test(text) ? (text as DriverName) : undefined
}

/**
 * The two drivers that older daemons had, which did not write a driver into the records. Locations
 * of images that were made from instances use these words for them.
 */
export const FIRST_DRIVERS = {
  container: 'docker' as DriverName,
  machine: 'qemu' as DriverName,
} as const

/**
 * How a NIC is connected to its host. `veth`: a pair, one end of which is moved into the guest's
 * network namespace. `tap`: a device that the guest's process opens.
 */
export type LinkType = 'veth' | 'tap'

/** What the rest of a host, and the API, must know about a driver. */
export interface DriverDeclaration {
  readonly name: DriverName
  /** The name of its instances in logs, in the plural, such as `containers`. */
  readonly service: string
  readonly linkType: LinkType
  /**
   * Whether an instance's root disk is a volume. Then a launch may choose its size, and it can be
   * kept after the instance.
   */
  readonly rootVolume: boolean
  /** Whether the console is a serial line, whose output a terminal shows. Absent: it is not. */
  readonly hasSerialLine?: true
  /** Whether a stopped instance can move to another host. Absent: it cannot. */
  readonly moves?: true
  /** Whether a running one can, without an end. Absent: it cannot. */
  readonly movesLive?: true
  /** Whether the type of a stopped instance may change. */
  readonly changesType: boolean
  /**
   * Whether a NIC can be attached to a running instance of the image at a location; null: the image
   * is gone. Absent: to none.
   */
  readonly attachesTo?: (location: string | null) => boolean
  /** Whether it can run the image at a location that a client registers. */
  readonly takes: (location: string) => boolean
}

/**
 * The driver for an image that is registered from this location: the first that takes it. Undefined
 * if none does.
 */
export function driverFor(
  location: string,
  drivers: readonly DriverDeclaration[],
): DriverDeclaration | undefined {
  return drivers.find((driver) => driver.takes(location))
}
