/**
 * Waiting for a gate, but not for long: its program may hang, and DHCP, DNS and metadata do not
 * need it (`HostService.passesGates`).
 *
 * What it is still at goes on, and is not asked for a second time meanwhile; its end asks for
 * another pass.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { unavailable } from '../model/errors.ts'
import type { HostService } from '../services/service.ts'

/** Thousands of NICs at once take half of it. */
const PATIENCE_MS = 1_000

export interface Gates {
  /**
   * The service, whose `apply` rejects with `unavailable` when it has not come to an end within a
   * second.
   */
  patient(service: HostService): Pick<HostService, 'apply'>
}

/** `wake` asks for a pass. */
export function createGates(clock: Pick<Clock, 'after'>, wake: () => void): Gates {
  const late = new Set<string>()
  return {
    patient: (service) => ({
      async apply(pass) {
        const { name, engine = name } = service
        if (!late.has(name)) {
          const applying = service.apply(pass)
          const facts = await inTime(clock, PATIENCE_MS, applying)
          if (facts !== null) return facts
          late.add(name)
          const end = () => {
            late.delete(name)
            wake()
          }
          applying.then(end, end)
        }
        throw unavailable(`${engine} does not answer; it is waited for`)
      },
    }),
  }
}
