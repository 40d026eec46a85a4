/**
 * Limits how long a pass waits for a gate. The gate's program may hang, and DHCP, DNS and metadata
 * do not need it (`HostService.passesGates`).
 *
 * An `apply` that takes longer goes on, and is not started a second time meanwhile. When it ends,
 * it asks for another pass.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { unavailable } from '../model/errors.ts'
import type { HostService } from '../services/service.ts'

/** Rules for thousands of NICs take half of it. */
const DEADLINE_MS = 1_000

export interface Gates {
  /** The service with an `apply` that rejects with `unavailable` after a second. */
  withDeadline(service: HostService): Pick<HostService, 'apply'>
}

/** `wake` asks for a pass. */
export function createGates(clock: Pick<Clock, 'after'>, wake: () => void): Gates {
  const late = new Set<string>()
  return {
    withDeadline: (service) => ({
      async apply(pass) {
        const { name, engine = name } = service
        if (!late.has(name)) {
          const applying = service.apply(pass)
          const facts = await inTime(clock, DEADLINE_MS, applying)
          if (facts !== null) return facts
          late.add(name)
          const end = () => {
            late.delete(name)
            wake()
          }
          applying.then(end, end)
        }
        throw unavailable(`${engine} does not answer; retrying`)
      },
    }),
  }
}

/** The services in their order. Neighbours that each need an engine form a group. */
export function parallelGroups(
  services: readonly HostService[],
): readonly (readonly HostService[])[] {
  const groups: HostService[][] = []
  for (const service of services) {
    const last = groups.at(-1)
    if (service.engine !== undefined && last?.[0]?.engine !== undefined) last.push(service)
    else groups.push([service])
  }
  return groups
}
