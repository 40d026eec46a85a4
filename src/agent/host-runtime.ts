/** What a host runs: the agent and the lease, connected so that each wakes the other. */
import { ringConcerned } from '../bus/ring.ts'
import type { HostName } from '../model/ids.ts'
import type { WarmPool, WarmReport, WarmSetting } from '../model/warm-instance.ts'
import type { ArrivalRecords, HostService } from '../services/service.ts'
import { announcing } from '../store/announce.ts'
import type { Store } from '../store/store.ts'
import { type Agent, type AgentParts, type AgentSettings, startAgent } from './agent.ts'
import { type Lease, type LeaseParts, type LeaseSettings, startLease } from './lease.ts'
import { createLevers } from './levers.ts'
import { recordArrival, recordStandstill } from './moves.ts'
import { createNatCarriers, type NatCarrierSettings } from './nat-carriers.ts'
import { type RecoveryFence, type RecoveryGate, startRecovery } from './recovery.ts'
import { createUsage, type UsageSettings } from './usage.ts'
import { createWarmInstances } from './warm-instances.ts'

interface HostRuntimeParts
  extends Omit<AgentParts, 'services'>,
    Omit<LeaseParts, 'hosts' | 'fenceLevel'> {
  /** Makes the services, in the order in which they are applied. */
  readonly services: (
    /** Asks for a pass. */
    wake: () => void,
    /** Whether this host has a live lease. */
    isLeaseHeld: () => boolean,
    /** Says when instances that others may start again may be started. */
    gate: RecoveryGate,
    /** Where running instances are taken over. */
    arrivals: ArrivalRecords,
  ) => readonly HostService[]
  /** The process `fence` of this host. Null or absent: there is none. */
  readonly fence?: RecoveryFence | null | undefined
  /** What waits for launches on this host. Null or absent: nothing does. */
  readonly warm?: WarmPool | null | undefined
}

/** The host's identity, the interval of its passes, and the terms of its lease. */
export interface HostRuntimeSettings
  extends Omit<AgentSettings, 'host' | 'identity'>,
    Omit<LeaseSettings, 'onHeld'>,
    Partial<Pick<LeaseSettings, 'onHeld'>> {
  /** How long before a stop or a termination by a tag it is announced. */
  readonly leverNoticeMs: number
  readonly usage: UsageSettings
  readonly natCarriers: NatCarrierSettings
  /** What is to be kept waiting for launches. */
  readonly warmInstances: readonly WarmSetting[]
}

/** A running host. */
export interface HostRuntime {
  readonly agent: Agent
  readonly lease: Lease
  /** What is kept waiting for launches. */
  warm(): readonly WarmReport[]
  /** Ends the lease's renewal, then the loop and every service. Instances, links and rules stay. */
  close(): Promise<void>
}

/**
 * The store, ringing the hosts that a change concerns, except this host: its pass goes on anyway.
 */
function ringing({ store, bus }: Pick<HostRuntimeParts, 'store' | 'bus'>, self: HostName): Store {
  return announcing(store, (scopes) =>
    ringConcerned(
      bus,
      scopes.filter((scope) => scope.kind !== 'host' || scope.host !== self),
    ),
  )
}

/** Starts both; the first pass and the first renewal begin at once. */
export function startHostRuntime(
  { services, warm = null, ...given }: HostRuntimeParts,
  settings: HostRuntimeSettings,
): HostRuntime {
  const parts = { ...given, store: ringing(given, settings.self.name) }
  // The services exist before the agent that they wake.
  const waker: { agent?: Agent; lease?: Lease } = {}
  const wake = () => waker.agent?.wake()
  const wakeSoon = () => waker.agent?.wakeSoon()
  const { leverNoticeMs: noticeMs, usage } = settings
  const own = { ...parts, host: settings.self.name }
  const isLeaseHeld = () => waker.lease?.held() === true
  const { name: self } = settings.self
  const arrivals: ArrivalRecords = {
    take: (arrived) => recordArrival(parts, self, arrived),
    wentOn: (arrived, ms) => recordStandstill(parts, self, arrived, ms),
    wake,
  }
  const isSettled = () => waker.lease?.settled() === true
  const recovery = startRecovery({ ...parts, wake, isSettled }, settings.self)
  const waiting =
    warm === null
      ? null
      : createWarmInstances({ ...own, pool: warm, settings: settings.warmInstances })
  const duties = [
    ...recovery.duties,
    createLevers({ ...own, noticeMs, wake }),
    createUsage({ ...own, ...usage }),
    createNatCarriers({ ...own, ...settings.natCarriers, intervalMs: settings.renewMs, isSettled }),
    ...(waiting === null ? [] : [waiting]),
  ]
  const agent = startAgent(
    {
      ...parts,
      services: [...recovery.services, ...services(wakeSoon, isLeaseHeld, recovery.gate, arrivals)],
      duties,
    },
    { ...settings, host: settings.self.name, ...settings.self },
  )
  waker.agent = agent
  const onHeld = () => {
    wake()
    settings.onHeld?.()
  }
  const { fenceLevel } = recovery
  const lease = startLease(
    { ...parts, fenceLevel, hosts: () => agent.hosts() },
    { ...settings, onHeld },
  )
  waker.lease = lease
  return {
    agent,
    lease,
    warm: () => waiting?.reports() ?? [],
    async close() {
      await recovery.close()
      await lease.close()
      await agent.close()
    },
  }
}
