/** The declaration of the Docker driver. Pure. */
import { type DriverDeclaration, FIRST_DRIVERS } from '../model/driver.ts'
import { parseImageLocation } from '../model/image-location.ts'

/** Containers: each has veths and no volume, and keeps the limits that it was created with. */
export const DOCKER: DriverDeclaration = {
  name: FIRST_DRIVERS.container,
  service: 'containers',
  linkType: 'veth',
  rootVolume: false,
  moves: true,
  changesType: false,
  attachesTo: () => true,
  takes: (location) => ['docker', 'file'].includes(parseImageLocation(location)?.kind ?? ''),
}
