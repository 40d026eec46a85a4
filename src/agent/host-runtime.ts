/**
 * What keeps a host as the records want it: the agent and the lease, which wake each other, put
 * together once for whoever runs a host.
 */
import { ringConcerned } from '../bus/ring.ts'
import type { HostName } from '../model/ids.ts'
import type { HostService } from '../services/service.ts'
import { announcing } from '../store/announce.ts'
import type { Store } from '../store/store.ts'
import { type Agent, type AgentParts, type AgentSettings, startAgent } from './agent.ts'
import { type Lease, type LeaseParts, type LeaseSettings, startLease } from './lease.ts'

interface KeeperParts extends Omit<AgentParts, 'services'>, Omit<LeaseParts, 'hosts'> {
  /** Makes the services, in the order in which they are applied; `wake` asks for a pass. */
  readonly services: (wake: () => void) => readonly HostService[]
}

/** Who the host is, how often it looks at the records, and how it renews its lease. */
export interface KeeperSettings
  extends Omit<AgentSettings, 'host' | 'identity'>,
    Omit<LeaseSettings, 'onHeld'>,
    Partial<Pick<LeaseSettings, 'onHeld'>> {}

/** A host that is kept. */
export interface Keeper {
  readonly agent: Agent
  readonly lease: Lease
  /** Ends the lease's renewal, then the loop and every service; instances, links and rules stay. */
  close(): Promise<void>
}

/**
 * The records; whoever a change concerns is rung, but for this host itself: it looks again by
 * itself.
 */
function ringing({ store, bus }: Pick<KeeperParts, 'store' | 'bus'>, self: HostName): Store {
  return announcing(store, (scopes) =>
    ringConcerned(
      bus,
      scopes.filter((scope) => scope.kind !== 'host' || scope.host !== self),
    ),
  )
}

/** Starts both; the first pass and the first renewal begin at once. */
export function startKeeper({ services, ...given }: KeeperParts, settings: KeeperSettings): Keeper {
  const parts = { ...given, store: ringing(given, settings.self.name) }
  // The services are there before the agent that they wake.
  const waker: { agent?: Agent } = {}
  const wake = () => waker.agent?.wake()
  const agent = startAgent(
    { ...parts, services: services(wake) },
    { ...settings, host: settings.self.name, ...settings.self },
  )
  waker.agent = agent
  const onHeld = () => {
    wake()
    settings.onHeld?.()
  }
  const lease = startLease({ ...parts, hosts: () => agent.hosts() }, { ...settings, onHeld })
  return {
    agent,
    lease,
    async close() {
      await lease.close()
      await agent.close()
    },
  }
}
