/** The daemon of one host: creates every part, in order, and closes them in reverse order. */
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import type { Agent } from './agent/agent.ts'
import { hostHealth, servesClients } from './agent/health.ts'
import type { Lease } from './agent/lease.ts'
import { createLedger } from './agent/ledger.ts'
import type { ApiParts } from './api/action.ts'
import { allActions } from './api/actions/all.ts'
import { createAdmin } from './api/admin.ts'
import { serveCommands } from './api/commands/serve.ts'
import { createConsoleLocator } from './api/console/locate.ts'
import { createConsoleServer, type Upgrader } from './api/console/server.ts'
import { type Api, createApi } from './api/http/server.ts'
import { createTracer } from './api/trace.ts'
import type { Bus } from './bus/bus.ts'
import type { Config, Environment } from './config.ts'
import { createDrivers, type Drivers, type OpenDriverFunction } from './drivers.ts'
import type { Records } from './engines.ts'
import type { Host } from './host/host.ts'
import { createLinuxHost } from './host/linux.ts'
import { createHostServices, createHostVpcs } from './host-services.ts'
import { type Identity, openIdentity } from './identity.ts'
import { createS3, readS3Settings } from './images/source-s3.ts'
import type { Clock } from './lib/clock.ts'
import { createDiskWatch } from './lib/disk-space.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { readSecret } from './lib/secret.ts'
import { machineRecord, memoryForInstances } from './machine-record.ts'
import { connect, type Machine, type MemberContext, startMember } from './member.ts'
import type { HealthCondition } from './model/health.ts'
import { KIB } from './model/sizes.ts'
import { adminSocketFile } from './operator/admin-client.ts'
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
import { flowLogSettings, hostFiles, surroundingsOf } from './settings.ts'
import type { Store } from './store/store.ts'
import { openRunHistory } from './unique-host.ts'

const CONSOLE_LIMIT_BYTES = 64 * KIB
const ANY_ADDRESS = '0.0.0.0'
const LOOPBACK = '127.0.0.1'

/** What the daemon is given by its process. */
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
  /** What tests put in front of the daemon's ports, or in their place. */
  readonly ports?: DaemonPorts
}

interface DaemonPorts {
  readonly host?: (host: Host) => Host
  readonly store?: (store: Store) => Store
  /** Instead of the usual drivers. */
  readonly drivers?: readonly OpenDriverFunction[]
}

/** A running daemon. Disposing of it stops the daemon; instances keep running. */
export interface Daemon extends AsyncDisposable {
  readonly agent: Agent
  /**
   * Rejects with `DuplicateHostError` when another machine runs under this host's name. Never
   * resolves.
   */
  readonly duplicate: Promise<never>
}

/** What the parts below share. */
interface DaemonContext extends DaemonSeams, MemberContext {
  readonly host: Host
  readonly identity: Identity
  readonly monitors: HostMonitors
}

function buildApi(
  { config, log, metrics, identity }: DaemonContext,
  parts: ApiParts,
  upgrader: Upgrader,
  health: () => readonly HealthCondition[],
): Api {
  const { bodyLimitKiB, requestsPerSecond, requestBurst } = config.api
  return createApi({
    parts,
    actions: allActions,
    listen: config.api.listen,
    port: config.api.port,
    limits: { bodyBytes: bodyLimitKiB * 1024, requestsPerSecond, requestBurst },
    log,
    metrics,
    upgrader,
    isHealthy: () => servesClients(health()),
    certificates: { ...identity, hostName: config.host.name },
  })
}

/** Access to consoles on this host and on others. */
function openConsoles(context: DaemonContext, records: Records, bus: Bus, drivers: Drivers) {
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
  context: DaemonContext,
  drivers: Drivers,
  { keys: { messages: tokens } }: Pick<Records, 'keys'>,
  parts: AsyncDisposableStack,
): Promise<Machine> {
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
  const hostParts = {
    ...{ ...context, drivers, metadataKey, tokens, rooms: counterRooms(config.metrics), flowLogs },
    instanceMemoryMiB: memoryForInstances(config),
  }
  const vpcs = createHostVpcs(hostParts)
  const watchDisk = createDiskWatch(config.capacity.reserveDiskMiB)
  return {
    drivers: drivers.declarations,
    services: (wake, isLeaseHeld) => createHostServices(hostParts, vpcs, wake, isLeaseHeld),
    watchKernel: (heard) => vpcs.watchKernel(heard),
    shortage: async () => watchDisk(await drivers.storage()),
  }
}

/** The conditions of `/healthz`. */
function healthOf(
  { config, clock, monitors }: DaemonContext,
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

/**
 * Starts the daemon. Returns when it answers clients. Errors: what keeps it from starting, among
 * them `DuplicateHostError`; then everything that had started is closed again.
 */
export async function startDaemon(seams: DaemonSeams): Promise<Daemon> {
  const { config, log, metrics, clock, ports = {} } = seams
  await using parts = new AsyncDisposableStack()
  parts.defer(await lockDirectories(config))
  const identity = parts.adopt(await openIdentity({ config, clock, log }), (one) => one.close())
  const ledger = createLedger({ file: join(config.stateDir, 'ledger.json'), clock, log })
  await requireFreeAddresses(config, ledger)
  const runs = await openRunHistory(config, seams.randomBytes)
  const member = { ...seams, identity, ledger, wrapStore: ports.store }
  const machine = {
    ...(await machineRecord(config)),
    ...(runs === null ? {} : { run: runs.current }),
  }
  const connection = await connect(member, machine, runs, parts)
  const { records, unique } = connection
  const { bus, commands, health: busHealth } = connection.bus
  const linux = createLinuxHost({ log, ...hostFiles(config) })
  parts.defer(() => linux.close())
  const host = ports.host?.(linux) ?? linux
  const monitors = createHostMonitors(config, host, clock)
  const context: DaemonContext = { ...member, host, monitors }
  const drivers = await createDrivers(context, seams.environment, ports.drivers)
  parts.defer(() => drivers.close())
  const { agent, lease, calls } = startMember(
    context,
    connection,
    await openMachine(context, drivers, records, parts),
    parts,
  )
  bus.onAsk('console', async ({ instance }) => ({
    output: (await drivers.console(instance, CONSOLE_LIMIT_BYTES)).toString('base64'),
    at: new Date(clock.now()).toISOString(),
  }))
  const consoles = openConsoles(context, records, bus, drivers)
  const health = () => healthOf(context, agent, lease, busHealth)
  const api = buildApi(context, calls, consoles.server, health)
  parts.defer(() => api.close())
  // Before what they came in by: a server does not close before they have ended.
  parts.defer(() => consoles.server.close())
  await api.listen()
  if (commands !== null)
    parts.defer(serveCommands({ commands, parts: calls, actions: allActions, log, metrics }))
  const admin = createAdmin({
    store: records.informed,
    bus,
    host: config.host.name,
    version: packageJson.version,
    clock,
    log,
    metrics,
    agentStatus: agent.status,
    unreadable: () => records.rows.list(),
    health,
    surroundings: () => surroundingsOf(config, host),
    trace: createTracer({
      ...{ ...calls, host: config.host.name },
      trace: createTracing({ host, clock, log }),
    }),
    upgrader: consoles.server,
    consoleLocator: consoles.consoleLocator,
    keys: records.keys.orders,
    calls,
    socketFile: adminSocketFile(config.runtimeDir),
    ...config.metrics,
  })
  parts.defer(() => admin.close())
  parts.defer(() => consoles.server.close())
  await admin.listen()
  const started = parts.move()
  return {
    agent,
    duplicate: unique.found,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
