/**
 * The process of the daemon: its log, its signals and its parts (`main.ts`). It starts DHCP, DNS
 * and metadata as a process of their own, and the API where a setting says so, and ends them when
 * it is asked to stop. With `--part agent` a service manager does both (`scripts/atolld*.service`).
 */
import packageJson from '../package.json' with { type: 'json' }
import type { Agent } from './agent/agent.ts'
import { runCommand, untilStopped, watchLog } from './command-line.ts'
import { type Config, type Environment, readEnvironment } from './config.ts'
import { startDaemon } from './daemon.ts'
import { createServiceManager } from './host/sockets/service-manager.ts'
import { type Clock, startingClock, systemClock } from './lib/clock.ts'
import { createLog } from './lib/log.ts'
import { createMetrics } from './lib/metrics.ts'
import { systemRandom, systemRandomBytes } from './lib/random.ts'
import { type Child, type ChildPart, endChildren, keepChild } from './parts/children.ts'
import { endManaged } from './parts/managed.ts'
import type { KeepChild } from './serving.ts'
import { apiEndpoint } from './settings.ts'

/** What the units of systemd start beside the agent. */
const UNITS: readonly ChildPart[] = ['services', 'api', 'fence']
/** A pass that takes longer is stuck: the time limits of all engines together are shorter. */
const STUCK_MS = 15 * 60_000

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
  managed: readonly ChildPart[],
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
    // It goes on without the agent: that is what it is for.
    if (spec.part !== 'fence') children.push(child)
    return child
  }
  const seams = {
    ...{ config, environment, log, metrics, clock, ...random },
    processes: {
      ...{ keep, managed },
      endLeft: async (part: ChildPart) => {
        await endChildren(config.runtimeDir, startingClock, [part])
      },
      end: async (part: 'api' | 'fence') => {
        await endChildren(config.runtimeDir, startingClock, [part])
        if (managed.includes(part)) await endManaged(config.runtimeDir, startingClock, part)
      },
    },
  }
  const daemon = parts.use(
    await startDaemon(seams).catch(async (error: unknown) => {
      // Those that were there before serve instances, with or without an agent.
      const begun = children.filter((child) => child.isNew())
      await Promise.all(begun.map((child) => child.end(startingClock)))
      throw error
    }),
  )
  parts.defer(tellServiceManager(daemon.agent, clock, environment))
  const { version } = packageJson
  log.info({ host: config.host.name, version, endpoint: apiEndpoint(config) }, 'atolld is up')
  const signal = await Promise.race([untilStopped(), daemon.duplicate])
  log.info({ host: config.host.name, signal }, 'atolld stops; instances keep running')
  // After the agent, which would otherwise start them again.
  await parts.disposeAsync()
  await Promise.all(children.map((child) => child.end(startingClock)))
}

/** The process, from its command line to its exit code. */
export async function runProcess(): Promise<void> {
  await runCommand(async ({ config, file, part }) => {
    await runDaemon(config, file, part === 'agent' ? UNITS : [])
  })
}
