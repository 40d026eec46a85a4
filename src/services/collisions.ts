/**
 * Finds address ranges that both the host's own network and the cloud use. They may appear at any
 * time, for example when a VPN starts or Docker creates a network. It changes nothing. `/healthz`
 * and the log report what it finds.
 */
import type { Clock } from '../lib/clock.ts'
import { createIntervalCheck } from '../lib/throttle.ts'
import {
  type CloudNetwork,
  type Collision,
  findCollisions,
  networkOf,
  type OwnNetwork,
} from '../model/collisions.ts'
import { TRANSIT_PREFIX } from '../model/transit.ts'
import { wantedFloatingIps } from '../plan/floating.ts'
import type { HostService } from './service.ts'

/** Shortest time between two checks. */
const LOOK_MS = 5_000

/** The service, and its last findings. */
export interface CollisionWatch extends HostService {
  found(): readonly Collision[]
}

/** `read` returns the host's own network. */
export function createCollisionWatch(options: {
  readonly read: () => Promise<OwnNetwork>
  readonly cloud: Omit<CloudNetwork, 'vpcs' | 'transits' | 'floatingIps'>
  readonly clock: Pick<Clock, 'monotonic'>
}): CollisionWatch {
  const { read, cloud, clock } = options
  let found: readonly Collision[] = []
  const isTime = createIntervalCheck(clock, LOOK_MS)
  return {
    name: 'collisions',
    gate: false,
    found: () => found,
    async apply({ want, log }) {
      if (!isTime()) return []
      const vpcs = want.shared.vpcs.map((vpc) => vpc.cidr)
      const transits = (want.transits ?? []).map(({ gateway }) =>
        networkOf(gateway, TRANSIT_PREFIX),
      )
      const before = new Set(found.map(({ what }) => what))
      const floatingIps = wantedFloatingIps(want)
      found = findCollisions(await read(), { ...cloud, vpcs, transits, floatingIps })
      for (const { what, fix } of found)
        if (!before.has(what))
          log.error({ what, fix }, 'the host and the cloud use the same addresses')
      return []
    },
    close: async () => {},
  }
}
