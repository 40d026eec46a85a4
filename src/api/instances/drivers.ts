/** Finds the driver of an image or instance, for answers to clients. Pure. */
import type { DriverDeclaration } from '../../model/driver.ts'
import { driverOf } from '../../model/image-location.ts'
import type { Image, Instance } from '../../model/records.ts'

/** The declaration of an image's driver. Undefined when only another version of Atoll knows it. */
export function driverOfImage(
  image: Pick<Image, 'driver' | 'location'>,
  drivers: readonly DriverDeclaration[],
): DriverDeclaration | undefined {
  const name = driverOf(image, { location: image.location, hasVolume: false })
  return drivers.find((one) => one.name === name)
}

/**
 * The declaration of an instance's driver. `origin` is its image; undefined when it is no longer
 * known.
 */
export function driverOfInstance(
  { driver }: Pick<Instance, 'driver'>,
  origin: Pick<Image, 'driver' | 'location'> | undefined,
  drivers: readonly DriverDeclaration[],
): DriverDeclaration | undefined {
  const known = { driver: driver ?? origin?.driver ?? null, location: origin?.location ?? '' }
  return driverOfImage(known, drivers)
}
