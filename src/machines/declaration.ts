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
  hasSerialLine: true,
  moves: true,
  movesLive: true,
  changesType: true,
  attachesTo: (location) => location === null || !isMicrovm(location),
  takes: (location) => ['disk', 'kernel'].includes(parseImageLocation(location)?.kind ?? ''),
}

/** A microvm has no PCI, so nothing can be attached to it while it runs. */
function isMicrovm(location: string): boolean {
  const image = parseImageLocation(location)
  return (image?.kind === 'disk' || image?.kind === 'kernel') && image.options.machine === 'microvm'
}
