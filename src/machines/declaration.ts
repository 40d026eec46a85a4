/** What Atoll must know of the QEMU driver. Pure. */
import { type DriverDeclaration, FIRST_DRIVERS } from '../model/driver.ts'
import { parseImageLocation } from '../model/image-location.ts'

/**
 * Virtual machines: a tap each, a disk that is a volume, and whatever type they are started with.
 */
export const QEMU: DriverDeclaration = {
  name: FIRST_DRIVERS.machine,
  service: 'machines',
  linkType: 'tap',
  rootVolume: true,
  changesType: true,
  takes: (location) => ['disk', 'kernel'].includes(parseImageLocation(location)?.kind ?? ''),
}
