/**
 * Watches for what the host's own network and the cloud's have in common, which may come at any time: a VPN goes up, Docker makes a network.
 * Makes nothing; what it finds is told by `/healthz` and the log.
 */
import type { Clock } from '../lib/clock.ts'
import {
  type CloudNetwork,
  type Collision,
  findCollisions,
  type OwnNetwork,
} from '../model/collisions.ts'
import type { HostService } from './service.ts'

/** How often it is looked at, at most. */
const LOOK_MS = 5_000

/** The service, and what it found last. */
export interface CollisionWatch extends HostService {
  found(): readonly Collision[]
}

/** `read` gives the host's own network. */
export function createCollisionWatch(options: {
  readonly read: () => Promise<OwnNetwork>
  readonly cloud: Omit<CloudNetwork, 'vpcs'>
  readonly clock: Pick<Clock, 'monotonic'>
}): CollisionWatch {
  const { read, cloud, clock } = options
  let found: readonly Collision[] = []
  let lookedAtMs = Number.NEGATIVE_INFINITY
  return {
    name: 'collisions',
    gate: false,
    found: () => found,
    async apply({ want, log }) {
      if (clock.monotonic() - lookedAtMs < LOOK_MS) return []
      lookedAtMs = clock.monotonic()
      const vpcs = want.shared.vpcs.map((vpc) => vpc.cidr)
      const before = new Set(found.map(({ what }) => what))
      found = findCollisions(await read(), { ...cloud, vpcs })
      for (const { what, fix } of found)
        if (!before.has(what))
          log.error({ what, fix }, 'the host and the cloud use the same addresses')
      return []
    },
    close: async () => {},
  }
}
