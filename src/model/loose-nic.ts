/** NICs whose links lead into no instance. Types only. */
import type { DriverName } from './driver.ts'
import type { InstanceId } from './ids.ts'
import type { NicWant } from './want.ts'

/**
 * A wanted NIC whose link is there, while nobody has its other end. That is so until its instance
 * has started. Of an instance that runs, somebody has deleted it, moved it or set it down.
 */
export interface LooseNic {
  readonly instance: InstanceId
  readonly driver: DriverName
  readonly nic: NicWant
}
