/**
 * A simulated host: its machine, its disk, and the daemon that runs on it, which may die at any
 * moment and is started again. The daemon is the real one (`src/member.ts`), on simulated ports.
 */
import { bootstrap } from '../../src/agent/bootstrap.ts'
import { createLedger, type Ledger } from '../../src/agent/ledger.ts'
import type { RunHistory } from '../../src/agent/run-history.ts'
import { createKeyring } from '../../src/api/accounts/keyring.ts'
import type { ApiParts } from '../../src/api/action.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { type Config, configSchema } from '../../src/config.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import type { Records } from '../../src/engines.ts'
import type { Log } from '../../src/lib/log.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { type Member, startMember } from '../../src/member.ts'
import { messageOf, unavailable } from '../../src/model/errors.ts'
import { type HostName, newIds, parseHostName } from '../../src/model/ids.ts'
import type { WarmSetting } from '../../src/model/warm-instance.ts'
import type { HostService, Pass } from '../../src/services/service.ts'
import { hostRuntimeSettings } from '../../src/settings.ts'
import { openInBackground } from '../../src/store/background.ts'
import { notingEvents } from '../../src/store/cloud-events.ts'
import { createRowWatch } from '../../src/store/records/rows.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Schema } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { requireUniqueHost } from '../../src/unique-host.ts'
import { createWorkloadMeters } from '../../src/workloads/step-runner.ts'
import { createWarmKeeper, type WarmKeeper } from '../../src/workloads/warm.ts'
import { createWorkloads } from '../../src/workloads/workloads.ts'
import type { BusWorld } from './bus.ts'
import { createSimulatedDriver, createSimulatedImages, type EngineTroubles } from './driver.ts'
import type { DatabaseNode } from './galera-node.ts'
import { createMachine, type Machine, type MachineWatch } from './machine.ts'
import type { Network } from './network.ts'
import { type Stream, streamOf } from './random.ts'
import { openSimulatedStore } from './records.ts'
import { createHostClock, type HostClock, type VirtualTime } from './time.ts'

/** Capacity of each host: so little that launches compete for it. */
const CAPACITY = { vcpus: 4, memoryMiB: 8_192, diskGiB: null }
const DISK_MS = 8
const GATE_MS = 20

/** What watches that nothing wrong happens. */
interface HostWatch extends MachineWatch {
  /** A pass is applied on the host. */
  applied(host: HostName, pass: Pass): void
  /** A step of the instance failed, as the engine's troubles wanted. */
  failedStep(instance: string): void
  /** The daemon has ended by itself, or met a bug. */
  failed(host: HostName, what: string): void
}

/** What can be put in front of parts of a daemon, to plant a bug. */
export interface Wraps {
  readonly store?: (store: Store, host: HostName) => Store
  readonly ledger?: (ledger: Ledger) => Ledger
  readonly bus?: (bus: Bus, host: HostName) => Bus
  /** The nouns of the records. */
  readonly schema?: Schema
}

interface HostParts {
  readonly seed: number
  readonly number: number
  readonly time: VirtualTime
  readonly network: Network
  readonly bus: BusWorld
  readonly nodes: readonly DatabaseNode[]
  readonly watch: HostWatch
  readonly log: (host: string) => Log
  readonly wraps: Wraps
  /** What daemons that start from now on keep waiting for launches. */
  readonly warm: { settings: readonly WarmSetting[] }
}

/** A host. */
export interface SimulatedHost {
  readonly name: HostName
  readonly machine: Machine
  readonly engine: EngineTroubles
  readonly gate: { failing: number }
  /** What actions need; null while no daemon runs. */
  api(): ApiParts | null
  member(): Member | null
  /** Starts the daemon, if none runs. */
  start(): void
  /** Ends it at once, between any two steps. */
  kill(): void
  /** Ends the daemon and everything that runs. */
  losePower(): void
  jumpClock(ms: number): void
}

/** What a machine keeps. */
interface Disk {
  ledger: string | null
  runs: string[] | null
  /** In memory: the last run since the machine was started. */
  lastRun: string | null
  readonly wall: { offsetMs: number }
}

/** What ends with its process. */
interface Process {
  isOver: boolean
  readonly clock: HostClock
  leave: () => void
  member: Member | null
}

/** A host whose daemon does not run yet. */
export function createSimulatedHost(parts: HostParts): SimulatedHost {
  const { seed, number, time, watch } = parts
  const name = nameOf(number)
  const random = streamOf(seed, `machine ${name}`)
  const rate = 1 + random.between(-0.01, 0.01)
  const disk: Disk = {
    ...{ ledger: null, runs: null, lastRun: null },
    wall: { offsetMs: random.between(-500, 500) },
  }
  const machine = createMachine(name, watch)
  const engine: EngineTroubles = { failing: 0, slowerMs: 0 }
  const gate = { failing: 0 }
  let running: Process | null = null
  let runs = 0

  function kill(): void {
    if (running === null) return
    running.isOver = true
    running.clock.end()
    running.leave()
    running = null
  }

  return {
    ...{ name, machine, engine, gate },
    api: () => running?.member?.calls ?? null,
    member: () => running?.member ?? null,
    start() {
      if (running !== null) return
      const one: Process = {
        isOver: false,
        clock: createHostClock(time, rate, disk.wall),
        leave: () => undefined,
        member: null,
      }
      running = one
      const stream = streamOf(seed, `daemon ${name} ${runs++}`)
      startDaemon({ ...parts, name, disk, machine, engine, gate, random: stream }, one).catch(
        (error: unknown) => {
          if (!one.isOver) watch.failed(name, messageOf(error))
        },
      )
    },
    kill,
    losePower() {
      kill()
      disk.lastRun = null
      machine.losePower()
    },
    jumpClock(ms) {
      disk.wall.offsetMs += ms
    },
  }
}

function nameOf(number: number): HostName {
  const name = parseHostName(`h${number}`)
  if (name === undefined) throw new RangeError('the name of a host is malformed')
  return name
}

interface DaemonParts extends HostParts {
  readonly name: HostName
  readonly disk: Disk
  readonly machine: Machine
  readonly engine: EngineTroubles
  readonly gate: { failing: number }
  readonly random: Stream
}

/** Starts the daemon, as `daemon.ts` does. Whatever it waits for never comes after its end. */
async function startDaemon(parts: DaemonParts, process: Process): Promise<void> {
  const { name, random, disk, bus: busWorld, wraps, number } = parts
  const { clock } = process
  const log = parts.log(name)
  const metrics = createMetrics()
  const config = configOf(name, number)
  const scope = new AsyncDisposableStack()
  const records = openRecords(parts, process, config, log)
  const joined = busWorld.join(name, clock, () => count.hosts())
  process.leave = joined.leave
  const count = { hosts: () => 1 }
  const history = historyOf(disk, process, random)
  const machine = { identity: `machine-${name}`, version: '0.4.0', ...CAPACITY }
  const runtime = hostRuntimeSettings(config, { ...machine, run: history.current })
  const driver = simulatedDriver(parts, process)
  const warm =
    parts.warm.settings.length === 0 ? null : createWarmKeeper(driver, newIds(random.bytes))
  const settings = {
    ...runtime,
    warmInstances: parts.warm.settings,
    usage: { ...runtime.usage, machineUptimeMs: () => clock.monotonic() },
  }
  const unique = await requireUniqueHost(config, history, records.store, settings, clock)
  unique.found.catch((error: unknown) => {
    if (!process.isOver) parts.watch.failed(name, messageOf(error))
  })
  const ledger = createLedger({ file: 'ledger', disk: diskOf(disk, process, random), clock, log })
  const bus = wraps.bus?.(joined.bus, name) ?? joined.bus
  process.member = startMember(
    {
      ...{ config, clock, log, metrics },
      ...{ random: random.number, randomBytes: random.bytes },
      identity: { secret: Buffer.alloc(32) },
      ledger: wraps.ledger?.(ledger) ?? ledger,
    },
    { records, bus: { bus, commands: null, health: () => [] }, unique, settings, count },
    {
      drivers: [DOCKER],
      services: (wake) => servicesOf(parts, process, { ...driver, warm, wake, log, metrics }),
      warm,
      watchKernel: () => () => undefined,
      shortage: async () => null,
    },
    scope,
  )
}

/** The records, opened in the background as in `engines.ts`, without a replica. */
function openRecords(
  { name, random, nodes, network, wraps }: DaemonParts,
  process: Process,
  config: Config,
  log: Log,
): Records {
  const { clock } = process
  const rows = createRowWatch({ log, monotonic: clock.monotonic })
  const order = random.chance(0.5) ? nodes : nodes.toReversed()
  const open = async () => {
    const store = await openSimulatedStore({
      ...{ host: name, nodes: order, network, clock, random, log, rows },
      lives: () => !process.isOver,
      ...(wraps.schema === undefined ? {} : { schema: wraps.schema }),
    })
    await bootstrap(store, { ...config.network, zone: config.host.zone }, random.bytes)
    return wraps.store?.(store, name) ?? store
  }
  const background = openInBackground({ open, clock, log })
  const events: { heard: () => void } = { heard: () => undefined }
  const store = notingEvents(background, name, () => events.heard())
  const informed = withoutReplica(store)
  return {
    rows,
    store,
    informed,
    keys: {
      ring: createKeyring({
        ...{ store: informed, clock, log, sealer: null },
        replicaMs: Number.POSITIVE_INFINITY,
      }),
      orders: {
        random: random.bytes,
        self: name,
        keep: async (_tx, key) => key,
        changed: async () => undefined,
      },
      messages: null,
    },
    changed: () => undefined,
    onEvents(heard) {
      events.heard = heard
    },
    close: () => store.close(),
  }
}

/** The runs of the daemon, as `agent/run-history.ts` keeps them. */
function historyOf(disk: Disk, process: Process, random: Stream): RunHistory {
  const own = Buffer.from(random.bytes(16)).toString('hex')
  const known = disk.runs
  const proven = disk.lastRun !== null && known?.includes(disk.lastRun) ? disk.lastRun : null
  disk.runs = [...(known ?? []), own]
  return {
    current: { own, proven, known },
    file: 'host.lives',
    refused: null,
    async confirmed() {
      if (!process.isOver) disk.lastRun = own
    },
    rememberDuplicate: async () => undefined,
  }
}

function diskOf(disk: Disk, { clock }: Process, random: Stream) {
  return {
    async read() {
      await clock.sleep(random.between(0, DISK_MS))
      return disk.ledger
    },
    async replace(text: string) {
      await clock.sleep(random.between(0, DISK_MS))
      disk.ledger = text
      await clock.sleep(random.between(0, DISK_MS))
    },
    async setAside() {
      disk.ledger = null
      return 'ledger.damaged'
    },
  }
}

/** What runs instances on a simulated machine. */
function simulatedDriver({ machine, engine, random, watch }: DaemonParts, { clock }: Process) {
  const failed = (instance: string) => watch.failedStep(instance)
  return {
    driver: createSimulatedDriver({ machine, troubles: engine, clock, random, failed }),
    images: createSimulatedImages(clock, random),
    declaration: DOCKER,
  }
}

/** A gate in the place of the firewall, and the real workloads on a simulated engine. */
function servicesOf(
  { name, gate, random, watch }: DaemonParts,
  { clock }: Process,
  {
    metrics,
    ...parts
  }: ReturnType<typeof simulatedDriver> & {
    readonly warm: WarmKeeper | null
    readonly wake: () => void
    readonly log: Log
    readonly metrics: ReturnType<typeof createMetrics>
  },
): readonly HostService[] {
  const firewall: HostService = {
    name: 'firewall',
    gate: true,
    async apply(pass) {
      watch.applied(name, pass)
      await clock.sleep(random.between(0, GATE_MS))
      if (random.chance(gate.failing)) throw unavailable('the gate fails')
      return []
    },
    close: async () => undefined,
  }
  const workloads = createWorkloads({ ...parts, clock, meters: createWorkloadMeters(metrics) })
  return [firewall, workloads]
}

/**
 * How often a host reads everything again. A healed cloud has to be as wanted before that, unless
 * the records have lost commits.
 */
export const RESYNC_SECONDS = 150

const CONFIG = configSchema.parse({
  host: { name: 'h1' },
  cluster: { secretFile: '/nowhere/secret' },
  store: { kind: 'mariadb', nodes: ['127.0.0.1:1'], tls: { mode: 'off' } },
  bus: { kind: 'rabbitmq', nodes: ['127.0.0.1:1'], tls: { mode: 'off' } },
  fabric: { address: '10.64.0.1' },
  agent: { resyncSeconds: RESYNC_SECONDS },
  // So few addresses that launches compete for them.
  network: { subnet: '172.31.0.0/28' },
})

function configOf(name: HostName, number: number): Config {
  const address = configSchema.shape.fabric.parse({ address: `10.64.0.${number}` })
  return { ...CONFIG, host: { ...CONFIG.host, name }, fabric: address }
}
