/**
 * The process of the daemon: its command line, its log, its signals and its exit code (`main.ts`).
 * It starts DHCP, DNS and metadata as a process of their own, and ends that when it is asked to
 * stop. With `--part agent` a service manager does both.
 */
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import type { Agent } from './agent/agent.ts'
import { type Config, DEFAULT_CONFIG_FILE, type Environment, readEnvironment } from './config.ts'
import { ConfigError, loadConfig, printConfig } from './config-file.ts'
import { startDaemon } from './daemon.ts'
import { createServiceManager } from './host/sockets/service-manager.ts'
import { type Clock, startingClock, systemClock } from './lib/clock.ts'
import { createLog, type ProcessLog } from './lib/log.ts'
import { createMetrics, type Metrics } from './lib/metrics.ts'
import { systemRandom, systemRandomBytes } from './lib/random.ts'
import { createSourcePositions } from './lib/source-positions.ts'
import { explain } from './model/errors.ts'
import { type Child, keepChild } from './parts/children.ts'
import type { KeepChild } from './serving.ts'
import { apiEndpoint } from './settings.ts'
import { DuplicateHostError } from './unique-host.ts'

/** A pass that takes longer is stuck: the time limits of all engines together are shorter. */
const STUCK_MS = 15 * 60_000

/**
 * Counts dropped lines, writes pending ones at exit, sends Node's warnings to the log, and names
 * the sources in the stack of an error that nobody catches.
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
  const toSources = createSourcePositions()
  process.on('uncaughtExceptionMonitor', (error) => {
    if (error instanceof Error && error.stack !== undefined) error.stack = toSources(error.stack)
  })
}

/** Whether the agent's passes still end. */
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
 * Tells the service manager that the daemon is up, and then at intervals that it is alive. Returns
 * what ends that.
 */
function tellServiceManager(
  agent: Agent,
  clock: Clock,
  { notifySocket: socket, watchdogMs }: Environment,
): () => void {
  const manager = createServiceManager({ socket, watchdogMs })
  manager.ready()
  return manager.watch(agentLives(agent, clock))
}

/** Runs the daemon until a signal ends it. Rejects when it cannot start or must not go on. */
async function runDaemon(
  config: Config,
  configFile: string,
  others: 'children' | 'managed',
): Promise<void> {
  const log = await createLog(config.log)
  // Files are made with an explicit mode. A stricter umask would hide a guest's entry script from
  // the guest's own users.
  process.umask(0o022)
  const clock = systemClock
  const metrics = createMetrics({ process: true })
  const environment = readEnvironment()
  watchLog(log, metrics)
  await using parts = new AsyncDisposableStack()
  const random = { random: systemRandom, randomBytes: systemRandomBytes }
  const children: Child[] = []
  const keep: KeepChild = (spec) => {
    const { runtimeDir } = config
    const child = keepChild({ runtimeDir, configFile, clock, log }, spec)
    children.push(child)
    return child
  }
  const seams = {
    ...{ config, environment, log, metrics, clock, ...random },
    processes: { keep: others === 'children' ? keep : null },
  }
  const daemon = parts.use(await startDaemon(seams))
  parts.defer(tellServiceManager(daemon.agent, clock, environment))
  const { version } = packageJson
  log.info({ host: config.host.name, version, endpoint: apiEndpoint(config) }, 'atolld is up')
  const signal = await Promise.race([untilStopped(), daemon.duplicate])
  log.info({ host: config.host.name, signal }, 'atolld stops; instances keep running')
  // After the agent, which would otherwise start them again.
  await parts.disposeAsync()
  await Promise.all(children.map((child) => child.end(startingClock)))
}

/** Resolves with the first signal that asks the daemon to stop. */
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
    .addOption(
      new Option(
        '--part <part>',
        'run one part of the daemon only; a service manager runs the others',
      ).choices(['agent', 'services']),
    )
    .option('--check-config', 'report every problem of the configuration and exit')
    .option('--print-config', 'print the whole configuration with defaults and exit')
    .allowExcessArguments(false)
    .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2))
  return program.parse().opts<{
    config?: string
    part?: string
    checkConfig?: boolean
    printConfig?: boolean
  }>()
}

/** The process, from its command line to its exit code. */
export async function runProcess(): Promise<void> {
  try {
    const {
      config: named = readEnvironment().configFile,
      part,
      checkConfig,
      printConfig: print,
    } = readCommandLine()
    const file = named ?? DEFAULT_CONFIG_FILE
    const config = loadConfig(file, { required: named !== undefined })
    if (print === true) process.stdout.write(printConfig(config))
    else if (checkConfig === true) process.stdout.write('Configuration OK.\n')
    else await runDaemon(config, resolve(file), part === 'agent' ? 'managed' : 'children')
    process.exit(0)
  } catch (error) {
    process.stderr.write(`atolld: ${explain(error)}\n`)
    process.exit(error instanceof ConfigError ? 2 : error instanceof DuplicateHostError ? 3 : 1)
  }
}
