/**
 * The process `fence` of this host, as the agent uses it: kept running where `fence.enabled`. Where
 * it is not, what an earlier daemon had it guard is ended before anything else, because other hosts
 * may start it.
 */
import { existsSync } from 'node:fs'
import type { RecoveryFence } from './agent/recovery.ts'
import type { Config } from './config.ts'
import { openFenceFiles } from './fence/files.ts'
import { loadStopper } from './fence/stopper.ts'
import { loadBootClock } from './host/boot-clock.ts'
import type { Identity } from './identity.ts'
import { type Clock, startingClock } from './lib/clock.ts'
import { deriveKey } from './lib/key-derivation.ts'
import type { Log } from './lib/log.ts'
import { removeTree } from './lib/paths.ts'
import { systemUuid } from './lib/random.ts'
import { type Backoff, retry } from './lib/retry.ts'
import { unavailable } from './model/errors.ts'
import { isAtLeast } from './model/fence-levels.ts'
import { FENCE_DIRECTORY } from './model/names.ts'
import type { Child, ChildPart, ChildSpec } from './parts/children.ts'
import { FenceLink } from './parts/fence-link.ts'
import { fenceDirectory } from './parts/fence-places.ts'
import { fenceProcesses } from './parts/managed.ts'
import { buildName } from './parts/services-build.ts'
import { FAILOVER_SETTINGS, failoverTimes } from './plan/failover/times.ts'

interface FencingParts {
  readonly config: Pick<Config, 'host' | 'fabric' | 'fence' | 'qemu' | 'runtimeDir'>
  readonly identity: Pick<Identity, 'secret'>
  readonly clock: Clock
  readonly log: Log
  /** Absent: no part is a process of its own. */
  readonly processes?: {
    readonly keep: (spec: ChildSpec) => Child
    /** Those that a service manager keeps running. */
    readonly managed: readonly ChildPart[]
    end(part: 'fence'): Promise<void>
  }
}

const KEY_BYTES = 32
const TIMES = failoverTimes(FAILOVER_SETTINGS)
/**
 * Before all others that are no real-time processes, until it is one itself: the next process goes
 * on with a permission that lasts some seconds, and on a busy machine loading its code takes as
 * many. As in atolld-fence.service.
 */
const NICENESS = -20
/** Between looks at what has been killed. */
const REAP_MS = 20
/** How long a process has to end, and the process `fence` to answer. */
const END_MS = 10_000
const ASK: Backoff = { firstMs: 20, lastMs: 200 }

/**
 * Keeps the process, which goes on after this one: it is there for when this one does not live.
 * Null: there is none. Errors: `unavailable` when something runs that others may start, and does
 * not end.
 */
export async function openFence(
  parts: FencingParts,
  closing: AsyncDisposableStack,
): Promise<RecoveryFence | null> {
  const { config, identity, log, processes } = parts
  const { fence: settings, host, fabric } = config
  const { address } = fabric
  if (!settings.enabled || address === null || processes === undefined) {
    await endFence({ ...parts, clock: startingClock })
    return null
  }
  const directory = fenceDirectory(config.runtimeDir)
  const { link: fence } = openLink(parts, directory, {
    host: host.name,
    key: deriveKey(identity.secret, 'failover', KEY_BYTES).toString('base64'),
    ...{ address, port: settings.port, watchdog: settings.watchdog },
  })
  closing.defer(() => fence.close())
  log.info({ port: settings.port, watchdog: settings.watchdog }, 'this host has a process fence')
  return {
    ...{ fence, members: fence, firstUser: config.qemu.firstUser, newId: systemUuid },
    isSure: () => isAtLeast(fence.level() ?? 'none', settings.level),
  }
}

/** Keeps the process running, and connects to it. */
function openLink(
  { config, clock, log, processes }: FencingParts,
  directory: string,
  orders: Omit<ConstructorParameters<typeof FenceLink>[0]['orders'], 'build' | 'settings'>,
): { readonly link: FenceLink; readonly end: (clock: Clock) => Promise<void> } {
  const kept: { child: Child | null } = { child: null }
  const link = new FenceLink({
    ...{ directory, clock, log, times: TIMES, nowMs: loadBootClock() },
    orders: { ...orders, build: buildName(), settings: FAILOVER_SETTINGS },
    lost: () => kept.child?.look(),
    kill: () => fenceProcesses(config.runtimeDir).forEach(killOne),
  })
  // In a directory that the link has made. The unit of systemd waits for orders there.
  if (processes?.managed.includes('fence') === false)
    kept.child = processes.keep({ part: 'fence', directory, niceness: NICENESS })
  link.begin()
  return {
    link,
    end: async (waiting) => {
      link.close()
      await kept.child?.end(waiting)
    },
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** Ends the process, and before that what it guards. `clock` keeps this process alive. */
async function endFence(parts: FencingParts): Promise<void> {
  const { config, clock, log, processes } = parts
  const directory = fenceDirectory(config.runtimeDir)
  const files = openFenceFiles(directory)
  const guarded = files.readGuarded()
  if (guarded === null)
    throw unavailable(
      `${directory}/guarded.json cannot be read, so it is not known what other hosts may have started: set fence.enabled, or stop all instances of this host (bin/atolld --down removes them)`,
    )
  if (guarded.length > 0) {
    const instances = guarded.map(({ instance }) => instance)
    log.warn({ instances }, 'instances that other hosts may start are stopped: no fence.enabled')
    await stop(guarded, clock)
    const orders = files.readOrders()
    if (orders !== null && processes !== undefined) await empty(parts, directory, orders)
  }
  await processes?.end('fence')
  // The next one is to know nothing of these hosts.
  if (existsSync(directory)) await removeTree(config.runtimeDir, FENCE_DIRECTORY)
}

async function stop(
  guarded: Parameters<ReturnType<typeof loadStopper>['kill']>[0],
  clock: Clock,
): Promise<void> {
  const stopper = loadStopper()
  const giveUpMs = clock.monotonic() + END_MS
  while (stopper.kill(guarded) > 0) {
    if (clock.monotonic() > giveUpMs)
      throw unavailable(
        'instances that other hosts may have started do not end: reset this machine',
      )
    await clock.sleep(REAP_MS)
  }
}

/** Has the process open its gates for good, and disarm its watchdog. */
async function empty(
  parts: FencingParts,
  directory: string,
  orders: Parameters<typeof openLink>[2],
): Promise<void> {
  const { clock, log } = parts
  const { link, end } = openLink(parts, directory, orders)
  const giveUpMs = clock.monotonic() + END_MS
  const again = () => clock.monotonic() < giveUpMs
  try {
    await retry({ clock, backoff: ASK, again }, () => link.guard([]))
  } catch (error) {
    log.error(
      { error },
      'the process fence does not answer: instances that had the tag atoll:recover may stay without network until the machine is restarted',
    )
  } finally {
    await end(clock)
  }
}
