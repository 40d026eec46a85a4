/**
 * A host as a member of its cloud: its records, its bus, and the agent and lease that run over what
 * the machine offers. `daemon.ts` adds the machine and the servers; the scale benchmark a simulated
 * machine.
 */
import type { AgentParts } from './agent/agent.ts'
import { startEventPublisher } from './agent/events.ts'
import {
  type HostRuntime,
  type HostRuntimeSettings,
  startHostRuntime,
} from './agent/host-runtime.ts'
import type { LeaseParts } from './agent/lease.ts'
import type { Ledger } from './agent/ledger.ts'
import type { RunHistory } from './agent/run-history.ts'
import type { ApiParts } from './api/action.ts'
import { openAudit } from './api/audit/audit.ts'
import { callsOf } from './api-calls.ts'
import {
  type EngineContext,
  type OpenedBus,
  openBus,
  openRecords,
  type Records,
} from './engines.ts'
import type { Metrics } from './lib/metrics.ts'
import type { DriverDeclaration } from './model/driver.ts'
import { auditSettings, hostRuntimeSettings } from './settings.ts'
import { requireUniqueHost, type UniqueHost } from './unique-host.ts'

/** What joining needs. */
export interface MemberContext extends EngineContext {
  readonly metrics: Metrics
  readonly ledger: Ledger
}

/** Records and bus of a host whose agent has not started yet. */
export interface Connection {
  readonly records: Records
  readonly bus: OpenedBus
  readonly unique: UniqueHost
  readonly settings: HostRuntimeSettings
  /** The bus asks it for the number of hosts. */
  readonly count: { hosts: () => number }
}

/** What the agent works on. */
export interface Machine
  extends Pick<LeaseParts, 'shortage' | 'storage' | 'storageAddress'>,
    Pick<AgentParts, 'watchKernel'> {
  readonly drivers: readonly DriverDeclaration[]
  /** As of the host's parts. */
  readonly services: Parameters<typeof startHostRuntime>[0]['services']
  /** The process `fence` of this host. Null or absent: there is none. */
  readonly fence?: Parameters<typeof startHostRuntime>[0]['fence']
  /** What waits for launches. Null or absent: nothing does. */
  readonly warm?: Parameters<typeof startHostRuntime>[0]['warm']
}

/** A running member. */
export interface Member extends HostRuntime {
  /** What actions need, whether they are called over HTTP or the bus. */
  readonly calls: ApiParts
  /** Call when another process has noted events in the records. */
  readonly onEvents: () => void
}

/**
 * Opens the records and the bus; `parts` closes them. `machine` is what the host's row says of this
 * machine, `runs` its runs where others share the records. Errors: `DuplicateHostError`.
 */
export async function connect(
  context: MemberContext,
  machine: Parameters<typeof hostRuntimeSettings>[1],
  runs: RunHistory | null,
  parts: AsyncDisposableStack,
): Promise<Connection> {
  const { config, metrics } = context
  const records = await openRecords(context, metrics)
  parts.defer(() => records.close())
  const settings = hostRuntimeSettings(config, machine)
  const unique = await requireUniqueHost(config, runs, records.store, settings)
  const count = { hosts: () => 1 }
  const bus = await openBus(context, metrics, () => count.hosts())
  parts.defer(() => bus.bus.close())
  return { records, bus, unique, settings, count }
}

/** Starts agent and lease; `parts` ends them. */
export function startMember(
  context: MemberContext,
  { records, bus: { bus }, unique, settings, count }: Connection,
  machine: Machine,
  parts: AsyncDisposableStack,
): Member {
  const { config, clock, log, metrics, random, randomBytes, ledger } = context
  const { drivers, ...works } = machine
  const runtime = startHostRuntime(
    {
      store: records.store,
      rows: records.rows,
      onRecordsChanged: records.changed,
      ...{ bus, ledger, clock, log, metrics, random },
      ...works,
    },
    { ...settings, ...unique.settings },
  )
  parts.defer(() => runtime.close())
  count.hosts = () => runtime.agent.hosts()
  const events = startEventPublisher(
    {
      ...{ store: records.store, bus, clock, log, metrics, random, hosts: count.hosts },
      isLeaseHeld: () => runtime.lease.held(),
    },
    { host: config.host.name, region: config.host.region },
  )
  parts.defer(() => events.close())
  records.onEvents(() => events.wake())
  const audit = openAudit(
    { store: records.informed, clock, log, metrics, random: randomBytes, hosts: count.hosts },
    auditSettings(config),
    config.host,
  )
  parts.defer(() => audit.close())
  return {
    ...runtime,
    onEvents: () => events.wake(),
    calls: callsOf({ ...context, bus, audit, drivers }, records),
  }
}
