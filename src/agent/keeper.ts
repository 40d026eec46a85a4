/** What keeps a host as the records want it: the agent and the lease, which wake each other, put together once for whoever runs a host. */
import type { HostService } from '../services/service.ts'
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

/** Starts both; the first pass and the first renewal begin at once. */
export function startKeeper({ services, ...parts }: KeeperParts, settings: KeeperSettings): Keeper {
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
