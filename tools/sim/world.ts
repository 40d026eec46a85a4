/** One simulation: a whole cloud, from its beginning until it has recovered from all troubles. */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import type { Log } from '../../src/lib/log.ts'
import { messageOf } from '../../src/model/errors.ts'
import type { ImageId } from '../../src/model/ids.ts'
import type { WarmSetting } from '../../src/model/warm-instance.ts'
import { type BusWorld, createBusWorld } from './bus.ts'
import { type Clients, createClients, LAUNCHED_TYPE } from './clients.ts'
import { createDatabaseCluster, type DatabaseCluster } from './galera.ts'
import { createSimulatedHost, RESYNC_SECONDS, type SimulatedHost, type Wraps } from './host.ts'
import { checkCommit, createWatch, differences, rowsOf, Violation } from './invariants.ts'
import { createNetwork, type Network } from './network.ts'
import { streamOf } from './random.ts'
import type { Fault, Scenario } from './scenario.ts'
import { createVirtualTime, type VirtualTime } from './time.ts'

/** How long a new cloud may take until it can be used, and a healed one until it is as wanted. */
const SETUP_MS = 60_000
const RECOVERY_MS = 100_000
const LOOK_MS = 1_000
/** How long it must stay so. */
const STABLE_MS = 11_000
const LONGEST_LAG_MS = 400

/** How a simulation ended. */
export interface Outcome {
  /** What was wrong first; null: nothing. */
  readonly violation: Violation | null
  /** Of everything that happened. */
  readonly hash: string
  readonly events: number
  readonly commits: number
  readonly virtualMs: number
}

/** What a simulation may be given besides its scenario. */
export interface SimulationOptions {
  /** A new cloud's records (`makeTemplate`). */
  readonly image: Uint8Array
  /** Is told of everything that happens. */
  readonly told?: (line: string) => void
  /** A planted bug. */
  readonly wraps?: Wraps
  /** How many instances each host keeps waiting for launches. Absent: none. */
  readonly warm?: number
}

/** Runs the scenario. */
export async function simulate(scenario: Scenario, options: SimulationOptions): Promise<Outcome> {
  const world = createWorld(scenario, options)
  const { time } = world
  const bugs = (error: unknown) => world.violated(new Violation('bug', messageOf(error)))
  process.on('unhandledRejection', bugs)
  try {
    await runWorld(world, scenario, options.warm ?? 0)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    world.violated(error)
  } finally {
    process.off('unhandledRejection', bugs)
    for (const host of world.hosts) host.kill()
    world.cluster.close()
    time.clear()
  }
  return {
    violation: world.violation(),
    hash: world.hash(),
    events: time.events(),
    commits: world.cluster.committed(),
    virtualMs: Math.round(time.nowMs()),
  }
}

interface World {
  readonly time: VirtualTime
  readonly network: Network
  readonly bus: BusWorld
  readonly cluster: DatabaseCluster
  readonly hosts: readonly SimulatedHost[]
  readonly clients: Clients
  readonly trace: (line: string) => void
  readonly violated: (violation: Violation) => void
  readonly violation: () => Violation | null
  readonly hash: () => string
  /** Whether commits have been lost: then some promises cannot be kept. */
  readonly loss: { happened: boolean }
  /** What hosts that start from now on keep waiting. */
  readonly warm: { settings: readonly WarmSetting[] }
}

function createWorld({ seed, hosts: count, nodes }: Scenario, options: SimulationOptions): World {
  const { image, told, wraps = {} } = options
  const time = createVirtualTime()
  const network = createNetwork(time, streamOf(seed, 'network'))
  const bus = createBusWorld(time, network, streamOf(seed, 'bus'))
  const random = streamOf(seed, 'nodes')
  const cluster = createDatabaseCluster({
    ...{ image, time },
    skewsMs: Array.from({ length: nodes }, () => random.between(-150, 150)),
    lagMs: () => random.number() ** 4 * LONGEST_LAG_MS,
  })
  const history = createHash('sha256')
  const trace = (line: string): void => {
    const whole = `${time.nowMs().toFixed(3)} ${line}`
    history.update(whole)
    told?.(whole)
  }
  let first: Violation | null = null
  const violated = (violation: Violation) => {
    if (first === null) trace(`VIOLATION ${violation.message}`)
    first ??= violation
  }
  const hosts: SimulatedHost[] = []
  const loss = { happened: false }
  const warm = { settings: [] }
  const watch = createWatch(() => cluster.truth, hosts)
  const guard = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      violated(error instanceof Violation ? error : new Violation('bug', messageOf(error)))
    }
  }
  cluster.onCommit((set) => {
    history.update(set.changes)
    trace(`commit ${[...set.keys].join(', ')}`)
    guard(() => checkCommit(cluster.truth, set))
  })
  const clientParts = { hosts, time, random: streamOf(seed, 'clients'), trace, violated }
  const clients = createClients({
    ...{ ...clientParts, truth: () => cluster.truth, committed: cluster.committed },
  })
  for (let number = 1; number <= count; number += 1)
    hosts.push(
      createSimulatedHost({
        ...{ seed, number, time, network, bus, nodes: cluster.nodes, wraps, warm },
        log: (host) => logOf(host, trace),
        watch: {
          started: (host, instance) => {
            trace(`${host} runs ${instance.id} boot ${instance.bootCount}`)
            if (!loss.happened) guard(() => watch.started(host, instance))
          },
          givenTwice: (host, { id }) =>
            violated(new Violation('given twice', `${id} on ${host} was another launch's`)),
          applied: (host, pass) => guard(() => watch.applied(host, pass)),
          failedStep: (instance) => clients.free(instance),
          failed: (host, what) => violated(new Violation('daemon ended', `${host}: ${what}`)),
        },
      }),
    )
  const found = { violation: () => first, hash: () => history.copy().digest('hex') }
  return { time, network, bus, cluster, hosts, clients, trace, violated, loss, warm, ...found }
}

/** Writes what a daemon logs into the history. */
function logOf(host: string, trace: (line: string) => void): Log {
  const line = (level: string) => (fields: object, message: string) =>
    trace(`${host} ${level} ${message} ${textOf(fields)}`)
  const log: Log = {
    ...{ debug: () => undefined, info: line('info'), warn: line('warn'), error: line('error') },
    child: () => log,
  }
  return log
}

function textOf(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => {
      if (value instanceof Error) return `${key}=${messageOf(value)}`
      return `${key}=${typeof value === 'object' ? inspect(value, { breakLength: 1000 }) : value}`
    })
    .join(' ')
}

async function runWorld(world: World, scenario: Scenario, waiting: number): Promise<void> {
  const { time, hosts, clients, violation } = world
  const isOver = () => violation() !== null
  for (const host of hosts) host.start()
  await setUp(world, isOver)
  if (waiting > 0) keepWaiting(world, waiting)
  const startMs = time.nowMs()
  const heals: (() => void)[] = []
  for (const [at, operation] of scenario.operations.entries())
    time.after(operation.atMs, () => {
      world.trace(`operation ${at} ${JSON.stringify(operation)}`)
      clients.carryOut(operation, at).catch((error: unknown) => {
        world.violated(error instanceof Violation ? error : new Violation('bug', messageOf(error)))
      })
    })
  for (const [at, fault] of scenario.faults.entries()) {
    let heal: (() => void) | null = null
    const end = () => {
      if (heal !== null) world.trace(`end of fault ${at}`)
      heal?.()
      heal = null
    }
    time.after(fault.atMs, () => {
      world.trace(`fault ${at} ${JSON.stringify(fault)}`)
      heal = begin(world, fault)
    })
    time.after(Math.min(fault.atMs + fault.forMs, scenario.lengthMs), end)
    heals.push(end)
  }
  await time.runUntil(startMs + scenario.lengthMs, isOver)
  for (const heal of heals) heal()
  if (isOver()) return
  await recover(world, isOver)
}

/** Waits until every host is there and instances can be launched. */
async function setUp({ time, clients, cluster, hosts }: World, isOver: () => boolean) {
  const registered = { done: false }
  const register = async (): Promise<void> => {
    while (!(await clients.registerImage())) await time.sleep(LOOK_MS)
    registered.done = true
  }
  time.after(LOOK_MS, () => void register())
  const isReady = () => {
    const [images] = rowsOf<{ n: number }>(
      cluster.truth,
      "select count(*) as n from images where state = 'available'",
    )
    const [live] = rowsOf<{ n: number }>(cluster.truth, 'select count(*) as n from hosts')
    return images?.n === 1 && live?.n === hosts.length
  }
  while (!registered.done || !isReady()) {
    if (isOver()) return
    if (time.nowMs() > SETUP_MS) throw new Violation('no beginning', 'the cloud does not come up')
    await time.runUntil(time.nowMs() + LOOK_MS / 4, isOver)
  }
}

/** Starts each daemon with the setting that so many instances wait for launches. */
function keepWaiting({ cluster, hosts, warm }: World, count: number): void {
  const images = rowsOf<{ id: ImageId }>(cluster.truth, 'select id from images')
  warm.settings = images.map(({ id }) => ({ image: id, type: LAUNCHED_TYPE, count }))
  for (const host of hosts) {
    host.kill()
    host.start()
  }
}

/** Waits until everything is as wanted, and looks whether it stays so. */
async function recover({ time, clients, cluster, hosts, loss }: World, isOver: () => boolean) {
  // Generations that were lost may come once more. Then hosts see it when they read everything.
  const untilMs = time.nowMs() + RECOVERY_MS + (loss.happened ? RESYNC_SECONDS * 1000 : 0)
  let goodSinceMs = Number.POSITIVE_INFINITY
  while (time.nowMs() < goodSinceMs + STABLE_MS) {
    await time.runUntil(time.nowMs() + LOOK_MS, isOver)
    if (isOver()) return
    const [difference, ...others] = differences(cluster.truth, hosts)
    if (difference === undefined) goodSinceMs = Math.min(goodSinceMs, time.nowMs())
    else if (time.nowMs() > untilMs)
      throw new Violation('not as wanted', [difference, ...others].join('; '))
    else goodSinceMs = Number.POSITIVE_INFINITY
  }
  clients.check()
}

/** Begins a fault, and returns what ends it. */
function begin(world: World, fault: Fault): () => void {
  const { network, bus, cluster, hosts, clients } = world
  const nothing = () => undefined
  const host = 'host' in fault ? hosts[fault.host % hosts.length] : undefined
  const nodes =
    'node' in fault
      ? cluster.nodes.filter((_node, at) => fault.node === 'all' || at === fault.node)
      : []
  switch (fault.kind) {
    case 'kill':
      host?.kill()
      return () => host?.start()
    case 'power':
      host?.losePower()
      return () => host?.start()
    case 'cut-store':
      for (const node of nodes) network.cut(host?.name ?? '', node.name)
      return () => {
        for (const node of nodes) network.heal(host?.name ?? '', node.name)
      }
    case 'cut-hosts': {
      const other = hosts[fault.other % hosts.length]?.name ?? ''
      network.cut(host?.name ?? '', other)
      return () => network.heal(host?.name ?? '', other)
    }
    case 'node':
      for (const node of nodes) node.kill()
      return () => {
        for (const node of nodes) node.start()
      }
    case 'lost-commits':
      cluster.losePower(fault.commits)
      world.loss.happened = true
      clients.lost(cluster.committed())
      return nothing
    case 'clock':
      host?.jumpClock(fault.ms)
      return nothing
    case 'engine':
      if (host !== undefined)
        Object.assign(host.engine, { failing: fault.share, slowerMs: fault.share * 3_000 })
      return () => {
        if (host !== undefined) Object.assign(host.engine, { failing: 0, slowerMs: 0 })
      }
    case 'gate':
      if (host !== undefined) host.gate.failing = fault.share
      return () => {
        if (host !== undefined) host.gate.failing = 0
      }
    case 'guest': {
      const [one] = host?.machine.workloads.values() ?? []
      if (one === undefined) return nothing
      if (fault.by === 'itself') clients.free(one.id)
      host?.machine.end(one.id, fault.by)
      return nothing
    }
    case 'bus': {
      const { lost, repeated, late } = fault
      Object.assign(bus.troubles, { lost, repeated, late, refused: lost })
      return () => void Object.assign(bus.troubles, { lost: 0, repeated: 0, late: 0, refused: 0 })
    }
    case 'slow':
      network.slow(fault.ms)
      return () => network.slow(0)
  }
}
