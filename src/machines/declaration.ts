/** The declaration of the QEMU driver. Pure. */
import { type DriverDeclaration, FIRST_DRIVERS } from '../model/driver.ts'
import { parseImageLocation } from '../model/image-location.ts'

/**
 * Virtual machines: each has taps and a disk that is a volume, and may be started with any type.
 */
export const QEMU: DriverDeclaration = {
  name: FIRST_DRIVERS.machine,
  service: 'machines',
  linkType: 'tap',
  rootVolume: true,
  changesType: true,
  takes: (location) => ['disk', 'kernel'].includes(parseImageLocation(location)?.kind ?? ''),
}
