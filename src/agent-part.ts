/**
 * The agent of one host: records, bus, machine, the passes over it, consoles, and the operator's
 * interface. It creates every part in order; closing goes in reverse order.
 */
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import type { Agent } from './agent/agent.ts'
import { hostHealth } from './agent/health.ts'
import type { Lease } from './agent/lease.ts'
import { createLedger } from './agent/ledger.ts'
import { startStorageReturn } from './agent/storage-return.ts'
import type { ApiParts } from './api/action.ts'
import { type Admin, createAdmin } from './api/admin.ts'
import { createConsoleLocator } from './api/console/locate.ts'
import { type ConsoleServer, createConsoleServer } from './api/console/server.ts'
import { createTracer } from './api/trace.ts'
import { type ApiDoor, openApiDoor } from './api-door.ts'
import { apiCell, isRestored, placeDatabase } from './api-hand-over.ts'
import { type ApiListener, openApiListener } from './api-listener.ts'
import type { Bus } from './bus/bus.ts'
import type { CommandQueue } from './bus/command-queue.ts'
import type { Config, Environment } from './config.ts'
import { createDrivers, type Drivers, type OpenDriverFunction } from './drivers.ts'
import type { Records } from './engines.ts'
import { openFence } from './fencing.ts'
import type { Host } from './host/host.ts'
import { createLinuxHost } from './host/linux.ts'
import type { SharedStorage } from './host/shared-storage.ts'
import { createHostServices, createHostVpcs, hostFiles } from './host-services.ts'
import { type Identity, openIdentity } from './identity.ts'
import { createS3, readS3Settings } from './images/source-s3.ts'
import type { Clock } from './lib/clock.ts'
import { createDiskWatch } from './lib/disk-space.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { readSecret } from './lib/secret.ts'
import { machineRecord, memoryForInstances } from './machine-record.ts'
import { connect, type Machine, type Member, type MemberContext, startMember } from './member.ts'
import type { HealthCondition } from './model/health.ts'
import { KIB } from './model/sizes.ts'
import { adminSocketFile } from './operator/admin-client.ts'
import type { ChildPart } from './parts/children.ts'
import {
  createHostMonitors,
  type HostMonitors,
  lockDirectories,
  requireFreeAddresses,
} from './preconditions.ts'
import { counterRooms } from './services/firewall/counters.ts'
import { createSink } from './services/flow-logs/sinks.ts'
import { createFlowLogWriter } from './services/flow-logs/writer.ts'
import { createTracing } from './services/tracing.ts'
import { type KeepChild, type Serving, serveElsewhere, serveHere } from './serving.ts'
import { flowLogSettings, surroundingsOf } from './settings.ts'
import { openSharedStorage, refuseLost } from './shared-storage.ts'
import type { Store } from './store/store.ts'
import { openRunHistory } from './unique-host.ts'

const CONSOLE_LIMIT_BYTES = 64 * KIB
const ANY_ADDRESS = '0.0.0.0'
const LOOPBACK = '127.0.0.1'

/** What the parts of a daemon are given by their process. */
export interface DaemonSeams {
  readonly config: Config
  readonly environment: Environment
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  /**
   * Other parts of the daemon are processes of their own. Absent: they are in this process.
   */
  readonly processes?: {
    /** Keeps one running that is not managed. */
    readonly keep: KeepChild
    /** Those that a service manager keeps running. */
    readonly managed: readonly ChildPart[]
    /** Ends what an earlier daemon has left of one that it kept running itself. */
    endLeft(part: ChildPart): Promise<void>
    /**
     * Ends a part, whoever keeps it running. A managed one is started again, and goes on when this
     * agent has handed over what it needs.
     */
    end(part: 'api' | 'fence'): Promise<void>
  }
  /** What tests put in front of the daemon's ports, or in their place. */
  readonly ports?: DaemonPorts
}

type Processes = NonNullable<DaemonSeams['processes']>

interface DaemonPorts {
  readonly host?: (host: Host) => Host
  readonly store?: (store: Store) => Store
  /** Instead of the usual drivers. */
  readonly drivers?: readonly OpenDriverFunction[]
}

/** A running agent. What it was given to close it ends it; instances keep running. */
export interface AgentPart {
  readonly agent: Agent
  /**
   * Rejects with `DuplicateHostError` when another machine runs under this host's name. Never
   * resolves.
   */
  readonly duplicate: Promise<never>
  readonly identity: Identity
  /** What actions need. */
  readonly calls: ApiParts
  /** Clients' commands. Null when clients cannot reach the bus, or other processes answer them. */
  readonly commands: CommandQueue | null
  readonly consoles: ConsoleServer
  /** The conditions of `/healthz`. */
  readonly health: () => readonly HealthCondition[]
  /** Answers the operator from now on. */
  listen(): Promise<void>
}

/** Whether other processes answer clients. */
export function hasApiProcesses({
  config,
  processes,
}: Pick<DaemonSeams, 'config' | 'processes'>): boolean {
  return processes !== undefined && config.api.workers > 0
}

/** What the parts below share. */
interface AgentContext extends DaemonSeams, MemberContext {
  readonly host: Host
  readonly identity: Identity
  readonly monitors: HostMonitors
}

/** Access to consoles on this host and on others. */
function openConsoles(context: AgentContext, records: Records, bus: Bus, drivers: Drivers) {
  const { config, clock, log, metrics, randomBytes: random } = context
  const { attach, holds } = drivers
  const server = createConsoleServer({ attach, clock, random, log, metrics })
  const { listen: address, port } = config.api
  const consoleLocator = createConsoleLocator({
    host: config.host.name,
    server,
    holds,
    store: records.informed,
    bus,
    reachedAt: {
      address: address === ANY_ADDRESS ? (config.fabric.address ?? LOOPBACK) : address,
      port,
    },
  })
  return { server, consoleLocator }
}

/** This machine, for the agent and the lease. */
async function openMachine(
  context: AgentContext,
  { drivers, shared }: { readonly drivers: Drivers; readonly shared: SharedStorage | null },
  { keys: { messages: tokens } }: Pick<Records, 'keys'>,
  parts: AsyncDisposableStack,
): Promise<Machine & { readonly serving: Serving }> {
  const { config, clock, log, metrics } = context
  const metadataKey = await readSecret(join(config.stateDir, 'metadata.key'), { guards: null })
  const s3Settings = await readS3Settings(config.images.s3)
  const s3 = s3Settings === null ? null : createS3(s3Settings)
  parts.defer(() => s3?.close())
  const flowLogs = createFlowLogWriter({
    ...{ clock, log, metrics: metrics.share(), region: config.host.region },
    sink: createSink(flowLogSettings(config), s3 === null ? null : s3.put, clock),
  })
  parts.defer(() => flowLogs.close())
  const { processes } = context
  const serving =
    processes === undefined
      ? serveHere({ config, clock, log, metadataKey })
      : serveElsewhere({ ...context, metadataKey }, metrics, keeperOf('services', processes))
  const hostParts = {
    ...{
      ...context,
      drivers,
      shared,
      serving,
      tokens,
      rooms: counterRooms(config.metrics),
      networks: new Map(),
      flowLogs,
    },
    instanceMemoryMiB: memoryForInstances(config),
  }
  const vpcs = createHostVpcs(hostParts)
  const watchDisk = createDiskWatch(config.capacity.reserveDiskMiB)
  return {
    serving,
    drivers: drivers.declarations,
    warm: drivers.warm,
    services: (wake, isLeaseHeld, gate, arrivals) =>
      createHostServices({ ...hostParts, arrivals }, vpcs, wake, isLeaseHeld, gate),
    watchKernel: (heard) => vpcs.watchKernel(heard),
    shortage: async () => watchDisk(await drivers.storage()),
    ...(shared === null ? {} : { storage: () => shared.storage() }),
    ...(shared?.kind === 'ceph' ? { storageAddress: () => shared.address() } : {}),
  }
}

/** What keeps a part running. Null: a service manager does. */
function keeperOf(
  part: ChildPart,
  { keep, managed }: Pick<Processes, 'keep' | 'managed'>,
): KeepChild | null {
  return managed.includes(part) ? null : keep
}

/** Keeps the processes of the API running, unless a service manager does. */
async function keepApi(
  { config, host, log, processes }: AgentContext,
  parts: AsyncDisposableStack,
): Promise<void> {
  const keep = processes === undefined ? null : keeperOf('api', processes)
  if (processes === undefined || keep === null) return
  const { endLeft } = processes
  const open = () => openApiListener(config, host, log)
  let listener: ApiListener
  try {
    listener = open()
  } catch {
    // Those of another setting may be in the way: one address, and all of them.
    await endLeft('api')
    listener = open()
  }
  const { inherit, close } = listener
  parts.defer(close)
  const through = apiCell(config)
  for (let worker = 1; worker <= config.api.workers; worker += 1)
    keep({ part: 'api', worker, through, inherit })
}

/** The conditions of `/healthz`. */
function healthOf(
  { config, clock, monitors }: AgentContext,
  agent: Agent,
  lease: Lease,
  busHealth: () => readonly HealthCondition[],
): readonly HealthCondition[] {
  return [
    ...hostHealth({
      status: agent.status(),
      now: clock.now(),
      intervalMs: config.agent.intervalSeconds * 1000,
      lease: config.store.kind === 'sqlite' ? null : lease,
      ...monitors.found(),
    }),
    ...busHealth(),
  ]
}

/** Answers other hosts' questions for the output of consoles from now on. */
function answerConsoles(bus: Bus, drivers: Drivers, clock: Clock): void {
  bus.onAsk('console', async ({ instance }) => ({
    output: (await drivers.console(instance, CONSOLE_LIMIT_BYTES)).toString('base64'),
    at: new Date(clock.now()).toISOString(),
  }))
}

/** The operator's interface, which does not listen yet. */
function buildAdmin(
  { config, log, metrics, clock, host }: AgentContext,
  { rows, informed, keys }: Records,
  { calls, agent, warm }: Member,
  bus: Bus,
  consoles: ReturnType<typeof openConsoles>,
  health: AgentPart['health'],
): Admin {
  return createAdmin({
    store: informed,
    bus,
    host: config.host.name,
    version: packageJson.version,
    clock,
    log,
    metrics,
    agentStatus: agent.status,
    unreadable: () => rows.list(),
    warm,
    health,
    surroundings: () => surroundingsOf(config, host),
    trace: createTracer({
      ...{ ...calls, bus, host: config.host.name },
      trace: createTracing({ host, clock, log }),
    }),
    upgrader: consoles.server,
    consoleLocator: consoles.consoleLocator,
    keys: keys.orders,
    calls,
    socketFile: adminSocketFile(config.runtimeDir),
    ...config.metrics,
  })
}

/** Only of a storage that refuses by address. */
function settleFences(
  { config, clock, log }: AgentContext,
  {
    store,
    endStored: endUsers,
    isBack,
    shared,
  }: Pick<Records, 'store'> &
    Pick<Drivers, 'endStored'> & {
      readonly isBack: () => boolean
      readonly shared: SharedStorage | null
    },
  parts: AsyncDisposableStack,
): void {
  if (shared?.kind !== 'ceph') return
  const pool = { ...shared, refuseLost: () => refuseLost(shared) }
  const all = { ...pool, store, endUsers, isBack, clock, log }
  const settling = startStorageReturn(all, config.host.name)
  parts.defer(() => settling.close())
}

/**
 * Starts the agent, which `parts` ends. Errors: what keeps it from starting, among them
 * `DuplicateHostError`.
 */
export async function startAgentPart(
  seams: DaemonSeams,
  parts: AsyncDisposableStack,
): Promise<AgentPart> {
  const { config, log, clock, ports = {} } = seams
  parts.defer(await lockDirectories(config))
  for (const part of seams.processes?.managed ?? []) await seams.processes?.endLeft(part)
  const identity = parts.adopt(await openIdentity({ config, clock, log }), (one) => one.close())
  const fence = await openFence({ ...seams, identity }, parts)
  const ledger = createLedger({ file: join(config.stateDir, 'ledger.json'), clock, log })
  await requireFreeAddresses(config, ledger)
  const runs = await openRunHistory(config, seams.randomBytes)
  const member = { ...seams, identity, ledger, wrapStore: ports.store }
  const machine = {
    ...(await machineRecord(config)),
    ...(runs === null ? {} : { run: runs.current }),
  }
  // One of another setting would go on with the database where it was.
  const isAlone = config.store.kind === 'sqlite'
  if (!hasApiProcesses(seams) || (isAlone && (await isRestored(config))))
    await seams.processes?.end('api')
  if (isAlone) await placeDatabase(config, log)
  const connection = await connect(member, machine, runs, parts)
  const { records, unique } = connection
  let door: ApiDoor | null = null
  const changed = () => {
    records.changed()
    door?.tellChanged()
  }
  const { bus, commands, health: busHealth } = connection.bus
  const linux = createLinuxHost({ log, ...hostFiles(config) })
  parts.defer(() => linux.close())
  const host = ports.host?.(linux) ?? linux
  const monitors = createHostMonitors(config, host, clock)
  const context: AgentContext = { ...member, host, monitors }
  const shared = await openSharedStorage(config, identity.secret, { ...context, ...records })
  const drivers = await createDrivers({ ...context, shared }, seams.environment, ports.drivers)
  parts.defer(() => drivers.close())
  const { serving, ...forMember } = await openMachine(context, { drivers, shared }, records, parts)
  const told = { ...connection, records: { ...records, changed } }
  const running = startMember(context, told, { ...forMember, fence }, parts)
  // Before the agent: what it closes then is served on.
  parts.defer(() => serving.close())
  const { agent, lease, calls } = running
  settleFences(context, { ...records, ...drivers, isBack: lease.held, shared }, parts)
  answerConsoles(bus, drivers, clock)
  const consoles = openConsoles(context, records, bus, drivers)
  if (hasApiProcesses(seams)) {
    door = await openApiDoor(
      { ...context, ...running, bus, commands, consoles: consoles.server },
      parts,
    )
    await keepApi(context, parts)
  }
  const health = () => [
    ...healthOf(context, agent, lease, busHealth),
    ...(door === null ? [] : [door.health()]),
  ]
  const admin = buildAdmin(context, records, running, bus, consoles, health)
  return {
    ...{ agent, duplicate: unique.found, identity, calls, health },
    commands: door === null ? commands : null,
    consoles: consoles.server,
    async listen() {
      parts.defer(() => admin.close())
      // Before what they came in by: a server does not close before they have ended.
      parts.defer(() => consoles.server.close())
      await admin.listen()
    },
  }
}
