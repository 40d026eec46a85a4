/**
 * Instances that are started again when their host is lost, as this host has part in it: its own
 * (`own-recovery.ts`), and those of lost hosts (`takeover.ts`). Without a process `fence`, it has
 * none: it starts nothing that others may start again, and takes nothing.
 */

import type { HostService } from '../services/service.ts'
import type { HostSelf } from '../store/records/host.ts'
import type { Duty } from './duty.ts'
import { type MemberOrders, startFailoverMembers } from './failover-members.ts'
import type { Fence } from './fence.ts'
import {
  createOwnRecovery,
  type OwnRecovery,
  type OwnRecoveryParts,
  WITHOUT_FENCE,
} from './own-recovery.ts'
import { startTakeovers, type TakeoverParts } from './takeover.ts'

/** Says when an instance may be started that others may start again. */
export type RecoveryGate = Pick<OwnRecovery, 'mayStart' | 'found' | 'permit'>

/** The process `fence`, and what else is known of this host. */
export interface RecoveryFence {
  readonly fence: Fence
  /** How it is told of the other hosts. */
  readonly members: MemberOrders
  /** The first user of virtual machines, which run as one each. */
  readonly firstUser: number
  /** Never the same twice. */
  readonly newId: () => string
  /** Whether its level is what the settings want. */
  readonly isSure: () => boolean
}

/** This host's part. */
export interface HostRecovery {
  /** Come before those of drivers. */
  readonly services: readonly HostService[]
  readonly duties: readonly Duty[]
  readonly gate: RecoveryGate
  /** As the lease announces it. */
  readonly fenceLevel: () => string | null
  close(): Promise<void>
}

type Parts = Omit<OwnRecoveryParts & TakeoverParts, 'fence' | 'newId'> & {
  readonly fence?: RecoveryFence | null | undefined
  /** Whether this host has had its lease for long. */
  readonly isSettled: () => boolean
}

/** Joins the members, and begins to look for lost hosts, if there is a `fence`. */
export function startRecovery(parts: Parts, self: HostSelf): HostRecovery {
  if (parts.fence === null || parts.fence === undefined)
    return {
      ...{ services: [], duties: [], gate: WITHOUT_FENCE, fenceLevel: () => null },
      close: async () => undefined,
    }
  const { fence, members, firstUser, newId, isSure } = parts.fence
  const own = createOwnRecovery({ ...parts, fence, newId }, { self, firstUser })
  const isOn = () => fence.nowMs() < fence.permission().untilMs
  const takeovers = startTakeovers({ ...parts, fence, newId }, self.name)
  const membership = startFailoverMembers({ ...parts, fence: members }, self)
  return {
    services: [own],
    duties: [own],
    gate: own,
    fenceLevel: () => (isOn() && isSure() ? fence.level() : null),
    async close() {
      await takeovers.close()
      await membership.close()
    },
  }
}
