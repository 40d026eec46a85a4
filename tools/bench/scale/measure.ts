/** Measures a cluster of simulated hosts, idle and under load. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { administer, PASSWORD, USER } from '../../kit/mariadb.ts'
import { eventually } from '../../kit/netns.ts'
import { RABBIT_PASSWORD, RABBIT_USER } from '../../kit/rabbit.ts'
import type { Engines } from './engines.ts'
import { type ScaleEnvironment, SECRETS } from './host.ts'
import type { Launched } from './launches.ts'
import type { Figures } from './worker.ts'
import { startWorker, type Worker } from './worker-client.ts'

/** Hosts that answer the API, in turn. */
export const API_HOSTS = 4
/** Hosts in one process, except the witness, which has its own. */
const PROCESS_HOSTS = 250
export const STORM_LAUNCHES = 300
export const STORM_WIDTH = 32
/** Launches before the measurement, while connections are opened. */
const WARM_UP_LAUNCHES = 32
export const STREAM_PER_SECOND = 5
export const STREAM_SECONDS = 30
export const IDLE_SECONDS = 30
/** Longer than a reader looks back for changes. */
const SETTLE_MS = 15_000
/** How long a measurement waits for launched instances. Then it continues and reports the rest. */
const RUNNING_TIMEOUT_MS = 90_000
/**
 * A memory file system if there is one, because the ledgers of a thousand hosts would compete for
 * one disk.
 */
const MEMORY_DIRECTORY = '/dev/shm'

/** What one host costs the engines in a minute, and the witness itself. */
export interface Cost {
  readonly statements: number
  readonly published: number
  readonly delivered: number
  /** Processor time in percent of one core. */
  readonly witnessCpuPercent: number
  readonly mariadbCpuPercent: number
}

/** The results for one size. */
export interface Measured extends Size {
  readonly upSeconds: number
  readonly idle: Cost
  readonly load: Cost
  readonly launchesPerSecond: number
  readonly launchMs: readonly number[]
  /** From the last answer until all instances run. */
  readonly runningSeconds: number
  readonly rollbacks: number
  readonly failures: readonly string[]
  /** Attempts that clients repeated. */
  readonly repeats: number
  /**
   * Memory of a process with one host after a garbage collection: idle without instances, and after
   * the load.
   */
  readonly witnessRssMB: readonly [idle: number, full: number]
  readonly witnessHeapMB: readonly [idle: number, full: number]
  /** Hosts without a lease after the load. */
  readonly lapsed: number
  readonly warnings: Readonly<Record<string, number>>
  /** Launches that failed but created an instance. */
  readonly unanswered: number
  /** Instances that did not start. */
  readonly pending: number
  /** Addresses that two instances have. */
  readonly doubled: number
}

interface Cluster {
  readonly engines: Engines
  readonly environment: ScaleEnvironment
  readonly size: number
  readonly vpcs: number
  readonly api: Worker
  readonly witness: Worker
  readonly workers: readonly Worker[]
  readonly progress: (line: string) => void
  /** Milliseconds until this size must be finished. */
  readonly leftMs: () => number
}

/** The size of a cluster. */
export interface Size {
  readonly hosts: number
  /** VPCs of the instances. 1: the default one. */
  readonly vpcs: number
  /** Time limit of its measurement, in minutes. */
  readonly minutes: number
}

/**
 * Starts this many hosts with their own database, measures and stops them. Rejects when that takes
 * too long.
 */
export async function measureCluster(
  engines: Engines,
  { hosts: size, vpcs, minutes }: Size,
  progress: (line: string) => void,
): Promise<Measured> {
  await using made = new AsyncDisposableStack()
  const environment = await makeEnvironment(engines, made)
  const untilMs = performance.now() + minutes * 60_000
  const leftMs = () => Math.max(0, untilMs - performance.now())
  const start = () => {
    const one = startWorker()
    // A request to a process that has ended rejects.
    const limit = setTimeout(() => void one.end(), leftMs())
    made.defer(async () => {
      clearTimeout(limit)
      await one.end()
    })
    return one
  }
  const rest = size - API_HOSTS - 1
  const workers = Array.from({ length: Math.ceil(rest / PROCESS_HOSTS) }, () => start())
  const processes = { api: start(), witness: start(), workers }
  const cluster = { engines, environment, size, vpcs, ...processes, progress, leftMs }
  const began = performance.now()
  await startHosts(cluster)
  await eventually(
    'all hosts are up',
    // There is nothing to count until the first host has created the tables.
    async () => (await count(cluster, LIVE).catch(() => 0)) === size,
    leftMs(),
  )
  const upSeconds = (performance.now() - began) / 1000
  progress(`${size} hosts are up after ${upSeconds.toFixed(0)} s`)
  return { hosts: size, vpcs, minutes, upSeconds, ...(await measurePhases(cluster)) }
}

const LIVE = 'select count(*) as n from hosts where leaseUntilMs > unix_timestamp(now(3)) * 1000'
const PENDING = "select count(*) as n from instances where state = 'pending'"
const ALL = 'select count(*) as n from instances'
const DOUBLED = 'select count(*) - count(distinct ip) as n from nics'

async function makeEnvironment(
  engines: Engines,
  made: AsyncDisposableStack,
): Promise<ScaleEnvironment> {
  const home = await mkdir(MEMORY_DIRECTORY, { recursive: true }).then(
    () => MEMORY_DIRECTORY,
    () => tmpdir(),
  )
  const directory = await mkdtemp(join(home, 'atoll-scale-'))
  made.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const secrets = { cluster: 'a secret', mariadb: PASSWORD, rabbit: RABBIT_PASSWORD }
  for (const key of ['cluster', 'mariadb', 'rabbit'] as const)
    await writeFile(join(directory, SECRETS[key]), secrets[key])
  const database = await engines.mariadb.freshDatabase()
  made.defer(() => engines.mariadb.dropDatabase(database))
  return {
    directory,
    mariadb: engines.mariadb.node,
    database,
    mariadbUser: USER,
    rabbit: engines.rabbit.address,
    rabbitUser: RABBIT_USER,
  }
}

async function startHosts({ environment, size, api, witness, workers }: Cluster): Promise<void> {
  // The first hosts create the tables and the account that the others find.
  await api.ask('start', { environment, from: 1, count: API_HOSTS })
  await witness.ask('start', { environment, from: API_HOSTS + 1, count: 1 })
  let from = API_HOSTS + 2
  for (const worker of workers) {
    const count = Math.min(PROCESS_HOSTS, size + 1 - from)
    await worker.ask('start', { environment, from, count })
    from += count
  }
}

async function measurePhases(cluster: Cluster): Promise<Omit<Measured, keyof Size | 'upSeconds'>> {
  const { engines, api, progress, vpcs } = cluster
  await delay(SETTLE_MS)
  const idle = await watch(cluster, () => delay(IDLE_SECONDS * 1000))
  const before = await figures(cluster)
  progress(`idle: ${idle.statements.toFixed(1)} statements per host and minute`)
  const image = await api.ask('register', null)
  await eventually(
    'the image is there',
    async () => (await count(cluster, AVAILABLE)) === 1,
    60_000,
  )
  const subnets = vpcs === 1 ? [] : await api.ask('vpcs', vpcs)
  const load = { image, subnets }
  const warmed = await api.ask('storm', { load, count: WARM_UP_LAUNCHES, width: API_HOSTS })
  await untilRunning(cluster)
  const start = await engines.sqlCounts()
  const stormed = await api.ask('storm', { load, count: STORM_LAUNCHES, width: STORM_WIDTH })
  const launchesPerSecond = stormed.ms.length / stormed.seconds
  progress(`${launchesPerSecond.toFixed(0)} launches a second, ${stormed.failures.length} failed`)
  const runningSeconds = await untilRunning(cluster)
  const { rollbacks } = await engines.sqlCounts()
  const flow = { load, perSecond: STREAM_PER_SECOND, seconds: STREAM_SECONDS }
  const streamed: Launched[] = []
  const cost = await watch(cluster, async () => streamed.push(await api.ask('stream', flow)))
  progress(`load: ${cost.statements.toFixed(1)} statements per host and minute`)
  const launched = [warmed, stormed, ...streamed]
  await untilRunning(cluster)
  const after = await figures(cluster)
  return {
    idle,
    load: cost,
    launchesPerSecond,
    launchMs: stormed.ms,
    runningSeconds,
    rollbacks: rollbacks - start.rollbacks,
    failures: launched.flatMap((some) => some.failures),
    repeats: launched.reduce((sum, some) => sum + some.repeats, 0),
    witnessRssMB: [before.witness.rssBytes / 1e6, after.witness.rssBytes / 1e6],
    witnessHeapMB: [before.witness.heapBytes / 1e6, after.witness.heapBytes / 1e6],
    lapsed: cluster.size - after.held,
    warnings: after.warnings,
    unanswered: (await count(cluster, ALL)) - launched.flatMap(({ ms }) => ms).length,
    pending: await count(cluster, PENDING),
    doubled: await count(cluster, DOUBLED),
  }
}

const AVAILABLE = "select count(*) as n from images where state = 'available'"

async function untilRunning(cluster: Cluster): Promise<number> {
  const began = performance.now()
  await eventually(
    'all instances run',
    async () => (await count(cluster, PENDING)) === 0,
    Math.min(RUNNING_TIMEOUT_MS, cluster.leftMs()),
  ).catch(() => cluster.progress('not all instances run'))
  return (performance.now() - began) / 1000
}

/** The cost of `work` for each host and minute. */
async function watch(cluster: Cluster, work: () => Promise<unknown>): Promise<Cost> {
  const { engines, witness, size } = cluster
  const take = async () => ({
    sql: await engines.sqlCounts(),
    own: await witness.ask('figures', null),
    toAll: engines.bellsToAll(),
  })
  const { bells } = await figures(cluster)
  const before = await take()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  const after = await take()
  const published = (await figures(cluster)).bells - bells
  const toAll = after.toAll - before.toAll
  const each = (difference: number) => (difference / size / ms) * 60_000
  const percent = (cpuMs: number) => (cpuMs / ms) * 100
  return {
    statements: each(after.sql.statements - before.sql.statements),
    published: each(published),
    // A bell that was not for all hosts was for one.
    delivered: each(toAll * size + Math.max(0, published - toAll)),
    witnessCpuPercent: percent(after.own.cpuMs - before.own.cpuMs),
    mariadbCpuPercent: percent(after.sql.cpuMs - before.sql.cpuMs),
  }
}

async function figures({ api, witness, workers }: Cluster): Promise<{
  readonly witness: Figures
  readonly bells: number
  readonly held: number
  readonly warnings: Readonly<Record<string, number>>
}> {
  const own = await witness.ask('figures', null)
  const others = await Promise.all(workers.map((worker) => worker.ask('figures', null)))
  const all = [own, await api.ask('figures', null), ...others]
  const warnings: Record<string, number> = {}
  for (const one of all)
    for (const [message, times] of Object.entries(one.warnings))
      warnings[message] = (warnings[message] ?? 0) + times
  return {
    witness: own,
    bells: all.reduce((sum, one) => sum + one.bells, 0),
    held: all.reduce((sum, one) => sum + one.held, 0),
    warnings,
  }
}

async function count({ engines, environment }: Cluster, sql: string): Promise<number> {
  const { database } = environment
  const qualified = sql.replaceAll(/from (\w+)/g, `from ${database}.$1`)
  const [row] = await administer(engines.mariadb.directory, qualified)
  return Number((row as { readonly n?: unknown } | undefined)?.n ?? Number.NaN)
}
