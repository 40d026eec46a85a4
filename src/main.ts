/**
 * The daemon: creates every part, in order, and closes them in reverse order.
 *
 * Exit codes: 0 asked to stop, 1 could not start or met a bug, 2 bad configuration or usage, 3 must
 * not run on this machine.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import type { Agent } from './agent/agent.ts'
import { hostHealth, servesClients } from './agent/health.ts'
import type { HostRuntimeSettings } from './agent/host-runtime.ts'
import { type HostRuntime, startHostRuntime } from './agent/host-runtime.ts'
import type { Lease } from './agent/lease.ts'
import { createLedger, type Ledger } from './agent/ledger.ts'
import type { ApiParts } from './api/action.ts'
import { allActions } from './api/actions/all.ts'
import { createAdmin } from './api/admin.ts'
import { serveCommands } from './api/commands/serve.ts'
import { createConsoleLocator } from './api/console/locate.ts'
import { createConsoleServer, type Upgrader } from './api/console/server.ts'
import { type Api, createApi } from './api/http/server.ts'
import { createKeyGeneration } from './api/key-generation.ts'
import { createCatalogue } from './api/launch/catalogue.ts'
import type { Bus } from './bus/bus.ts'
import { type Config, DEFAULT_CONFIG_FILE, instanceMtuBytes, readEnvironment } from './config.ts'
import { ConfigError, loadConfig, printConfig } from './config-file.ts'
import { createDrivers, type Drivers } from './drivers.ts'
import { openBus, openRecords, type Records } from './engines.ts'
import type { Host } from './host/host.ts'
import { createLinuxHost } from './host/linux.ts'
import { createServiceManager } from './host/sockets/service-manager.ts'
import { type Identity, openIdentity } from './identity.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createDiskWatch } from './lib/disk-space.ts'
import { createLog, type Log, type ProcessLog } from './lib/log.ts'
import { createMetrics, type Metrics } from './lib/metrics.ts'
import { readSecret } from './lib/secret.ts'
import { createTurns } from './lib/turns.ts'
import { machineRecord, memoryForInstances } from './machine-record.ts'
import { ec2Architecture } from './model/architecture.ts'
import { explain } from './model/errors.ts'
import type { HealthCondition } from './model/health.ts'
import { KIB } from './model/sizes.ts'
import { adminSocketFile } from './operator/admin-client.ts'
import {
  createHostMonitors,
  type HostMonitors,
  lockDirectories,
  requireFreeAddresses,
} from './preconditions.ts'
import { createDhcp } from './services/dhcp/dhcp.ts'
import { createDns } from './services/dns/dns.ts'
import { createFirewall } from './services/firewall/firewall.ts'
import { createLinks } from './services/links.ts'
import { createMetadata } from './services/metadata/metadata.ts'
import type { HostService } from './services/service.ts'
import { createVolumes } from './services/volumes.ts'
import {
  apiEndpoint,
  apiSettings,
  firewallSettings,
  forwardingFile,
  hostRuntimeSettings,
  surroundingsOf,
} from './settings.ts'
import { DuplicateHostError, openRunHistory, requireUniqueHost } from './unique-host.ts'

const CONSOLE_LIMIT_BYTES = 64 * KIB
/** A pass that takes longer is stuck: the time limits of all engines together are shorter. */
const STUCK_MS = 15 * 60_000
const ANY_ADDRESS = '0.0.0.0'
const LOOPBACK = '127.0.0.1'

/** What the parts below share. */
interface DaemonContext {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: typeof systemClock
  readonly host: Host
  readonly identity: Identity
  readonly monitors: HostMonitors
  readonly ledger: Ledger
}

/**
 * Everything that a pass applies, in this order: nothing is on the network before its rules are in.
 */
function buildServices(
  context: DaemonContext,
  drivers: Drivers,
  key: Uint8Array,
  wake: () => void,
): readonly HostService[] {
  const { config, log, metrics, clock, host } = context
  const { zone } = config.dns
  const mtu = instanceMtuBytes(config)
  const { region } = config.host
  const architecture = ec2Architecture(process.arch)
  return [
    createFirewall({
      host,
      metrics,
      settings: firewallSettings(config),
      instanceMemoryMiB: memoryForInstances(config),
    }),
    createLinks({ host, metrics, mtu, fabric: config.fabric, drivers: drivers.declarations }),
    ...context.monitors.services,
    createDhcp({
      host,
      settings: { leaseSeconds: config.dhcp.leaseSeconds, mtu, zone },
      clock,
      metrics,
      log,
    }),
    createDns({ settings: config.dns, metrics, log, clock }),
    createMetadata({ settings: { zone, region, architecture }, key, clock, metrics, log }),
    ...drivers.services(wake),
    createVolumes({ stateDir: config.stateDir, metrics }),
  ]
}

/** What actions need, whether they are called over HTTP or the bus. */
function buildParts(
  context: DaemonContext,
  records: Records,
  bus: Bus,
  drivers: Drivers,
): ApiParts {
  const { config, clock } = context
  return {
    store: records.informed,
    bus,
    catalogue: createCatalogue(clock),
    clock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    settings: apiSettings(config, drivers.declarations),
    keys: records.keys.ring,
  }
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
  const { config, clock, log, metrics } = context
  const { attach, holds } = drivers
  const door = createConsoleServer({ attach, clock, random: randomBytes, log, metrics })
  const { listen: address, port } = config.api
  const consoleLocator = createConsoleLocator({
    host: config.host.name,
    door,
    holds,
    store: records.informed,
    bus,
    reachedAt: {
      address: address === ANY_ADDRESS ? (config.fabric.address ?? LOOPBACK) : address,
      port,
    },
  })
  return { door, consoleLocator }
}

/** Starts agent and lease. */
async function startHost(
  context: DaemonContext,
  parts: AsyncDisposableStack,
  records: Records,
  bus: Bus,
  drivers: Drivers,
  settings: HostRuntimeSettings,
): Promise<HostRuntime> {
  const { config, log, metrics, clock } = context
  const key = await readSecret(join(config.stateDir, 'metadata.key'))
  const watchDisk = createDiskWatch(config.capacity.reserveDiskMiB)
  const keeper = startHostRuntime(
    {
      store: records.store,
      rows: records.rows,
      bus,
      ledger: context.ledger,
      services: (wake) => buildServices(context, drivers, key, wake),
      watchKernel: (heard) => context.host.watchKernel(heard),
      onRecordsChanged: records.changed,
      clock,
      log,
      metrics,
      random: Math.random,
      shortage: async () => watchDisk(await drivers.storage()),
    },
    settings,
  )
  parts.defer(() => keeper.close())
  bus.onAsk('console', async ({ instance }) => ({
    output: (await drivers.console(instance, CONSOLE_LIMIT_BYTES)).toString('base64'),
    at: new Date(clock.now()).toISOString(),
  }))
  return keeper
}

/**
 * Counts lines that are lost, writes what waits when the process ends, and has Node's warnings take
 * the same way.
 */
function watchLog(log: ProcessLog, metrics: Metrics): void {
  const dropped = metrics.counter(
    'atoll_log_lines_dropped_total',
    'Log lines that were dropped because they could not be written',
  )
  log.onDropped((lines) => dropped.inc(lines))
  process.once('exit', () => log.flush())
  process.removeAllListeners('warning')
  process.on('warning', (error) => log.warn({ error }, 'Node warns'))
}

/**
 * Whether passes come to an end: one that does not for so long never will, however slow an engine
 * is.
 */
function agentLives(agent: Agent, clock: Clock): () => boolean {
  let passes = -1
  let sinceMs = clock.monotonic()
  return () => {
    const now = agent.status().passes
    if (now !== passes) sinceMs = clock.monotonic()
    passes = now
    return clock.monotonic() - sinceMs < STUCK_MS
  }
}

/**
 * Tells who started the daemon that it is up, and from now on that it lives. Gives what ends that.
 */
function tellServiceManager(agent: Agent, clock: Clock): () => void {
  const { notifySocket: socket, watchdogMs } = readEnvironment()
  const manager = createServiceManager({ socket, watchdogMs })
  manager.ready()
  return manager.watch(agentLives(agent, clock))
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

async function runDaemon(config: Config): Promise<void> {
  const log = createLog(config.log)
  await using parts = new AsyncDisposableStack()
  // Every file's mode is said where it is made; a stricter one would keep guests' own users out of
  // their entry script.
  process.umask(0o022)
  parts.defer(await lockDirectories(config))
  const clock = systemClock
  const metrics = createMetrics({ process: true })
  watchLog(log, metrics)
  const identity = parts.adopt(await openIdentity({ config, clock, log }), (one) => one.close())
  const ledger = createLedger({ file: join(config.stateDir, 'ledger.json'), clock, log })
  await requireFreeAddresses(config, ledger)
  const runs = await openRunHistory(config)
  const engines = { config, clock, log, identity }
  const records = await openRecords(engines, metrics)
  parts.defer(() => records.close())
  const keeping = hostRuntimeSettings(config, {
    ...(await machineRecord(config)),
    ...(runs === null ? {} : { run: runs.current }),
  })
  const unique = await requireUniqueHost(config, runs, records.store, keeping)
  // The bus is opened before the agent exists, and asks it later for the number of hosts.
  const count = { hosts: () => 1 }
  const { bus, door, health: busHealth } = await openBus(engines, metrics, () => count.hosts())
  parts.defer(() => bus.close())
  const host = createLinuxHost({ log, forwardingFile: forwardingFile(config) })
  parts.defer(() => host.close())
  const monitors = createHostMonitors(config, host, clock)
  const context: DaemonContext = { config, log, metrics, clock, host, identity, monitors, ledger }
  const drivers = await createDrivers(context, readEnvironment())
  parts.defer(() => drivers.close())
  const { agent, lease } = await startHost(context, parts, records, bus, drivers, {
    ...keeping,
    ...unique.settings,
  })
  count.hosts = () => agent.hosts()
  const consoles = openConsoles(context, records, bus, drivers)

  const calls = buildParts(context, records, bus, drivers)
  const health = () => healthOf(context, agent, lease, busHealth)
  const api = buildApi(context, calls, consoles.door, health)
  parts.defer(() => api.close())
  // Before what they came in by: a server does not close before they have ended.
  parts.defer(() => consoles.door.close())
  await api.listen()
  if (door !== null)
    parts.defer(serveCommands({ door, parts: calls, actions: allActions, log, metrics }))
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
    upgrader: consoles.door,
    consoleLocator: consoles.consoleLocator,
    keys: records.keys.orders,
    socketFile: adminSocketFile(config.runtimeDir),
    ...config.metrics,
  })
  parts.defer(() => admin.close())
  parts.defer(() => consoles.door.close())
  await admin.listen()
  parts.defer(tellServiceManager(agent, clock))
  const { version } = packageJson
  log.info({ host: config.host.name, version, endpoint: apiEndpoint(config) }, 'atolld is up')
  const signal = await Promise.race([untilStopped(), unique.found])
  log.info({ host: config.host.name, signal }, 'atolld stops; instances keep running')
}

/** Resolves with the first signal that asks the daemon to end. */
function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

/** Reads the command line. Exits with code 2 when it is invalid. */
function readCommandLine() {
  const program = new Command('atolld')
    .description('The Atoll daemon: this host of the cloud.')
    .version(packageJson.version)
    .option('--config <file>', `configuration (default ${DEFAULT_CONFIG_FILE})`)
    .option('--check-config', 'report every problem of the configuration and exit')
    .option('--print-config', 'print the whole configuration with defaults and exit')
    .allowExcessArguments(false)
    .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2))
  return program.parse().opts<{ config?: string; checkConfig?: boolean; printConfig?: boolean }>()
}

try {
  const {
    config: named = readEnvironment().configFile,
    checkConfig,
    printConfig: print,
  } = readCommandLine()
  const config = loadConfig(named ?? DEFAULT_CONFIG_FILE, { required: named !== undefined })
  if (print === true) process.stdout.write(printConfig(config))
  else if (checkConfig === true) process.stdout.write('Configuration OK.\n')
  else await runDaemon(config)
  process.exit(0)
} catch (error) {
  process.stderr.write(`atolld: ${explain(error)}\n`)
  process.exit(error instanceof ConfigError ? 2 : error instanceof DuplicateHostError ? 3 : 1)
}
