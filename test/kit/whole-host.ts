/**
 * A whole host inside the test process: records on disk, the real kernel in a namespace of its own,
 * a real Docker Engine, every service and the agent, put together as in `daemon.ts`. In addition
 * each port can be made to fail, and waits are shorter.
 */

import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap } from '../../src/agent/bootstrap.ts'
import { startHostRuntime } from '../../src/agent/host-runtime.ts'
import { createLedger } from '../../src/agent/ledger.ts'
import { createRecordsReader } from '../../src/agent/reader.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { createKeyGeneration } from '../../src/api/key-generation.ts'
import { createCatalogue } from '../../src/api/launch/catalogue.ts'
import { answerWithFallback } from '../../src/api/replica-fallback.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { createDockerDriver } from '../../src/containers/docker.ts'
import { createDockerImages } from '../../src/containers/images.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicDifferences, nicSpec } from '../../src/host/network/nic.ts'
import { readTables } from '../../src/host/processes/tables.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { Log } from '../../src/lib/log.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { cidr } from '../../src/model/addr.ts'
import { type InstanceId, parseHostName } from '../../src/model/ids.ts'
import type { Instance } from '../../src/model/records.ts'
import { wantFor } from '../../src/plan/want.ts'
import { createDhcp } from '../../src/services/dhcp/dhcp.ts'
import { createDns } from '../../src/services/dns/dns.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createLinks } from '../../src/services/links.ts'
import { createMetadata } from '../../src/services/metadata/metadata.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { createRowWatch } from '../../src/store/records/rows.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenDriver, WorkloadDriver } from '../../src/workloads/driver.ts'
import { createWorkloadMeters } from '../../src/workloads/step-runner.ts'
import { createWorkloads } from '../../src/workloads/workloads.ts'
import { startDocker } from '../../tools/kit/docker.ts'
import { LONE_FIREWALL, NO_FABRIC } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'
import { ruleLinks } from '../../tools/kit/rule-links.ts'
import { LIMITS } from './api-cloud.ts'
import { newBudget } from './budget.ts'
import { fastClock } from './fast-clock.ts'

const ZONE = 'atoll-1a'
const DNS_ZONE = 'atoll.internal'
const MTU = 1500
/**
 * Passes and pauses come this much faster than on a real host. Not more: how long a service may
 * take shrinks with it, and a real nft needs its time.
 */
const SPEEDUP = 6

/** What a driver that is added may use of the host. */
interface DriverContext {
  readonly config: { readonly stateDir: string }
  readonly mtuBytes: number
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
}

/**
 * What stands between the parts and their ports, each the identity unless given; and drivers beside
 * Docker's.
 */
export interface Breakers {
  readonly drivers?: readonly ((context: DriverContext) => OpenDriver)[]
  /** How much faster time runs where it is only waited for; 6 unless given. */
  readonly speedup?: number
  readonly host?: (host: Host) => Host
  readonly driver?: (driver: WorkloadDriver) => WorkloadDriver
  readonly store?: (store: Store) => Store
}

export interface WholeHost {
  readonly netns: Netns
  /** The records, not broken. */
  readonly store: Store
  /** Runs an EC2 action, on the records as they may be broken unless told otherwise. */
  act(
    action: string,
    input: object,
    options?: { readonly unbroken?: boolean },
  ): Promise<Record<string, unknown>>
  instance(id: InstanceId): Promise<Instance | undefined>
  /**
   * How records, kernel and engine differ from each other and from what the records want, in words;
   * empty when they agree.
   */
  differences(): Promise<readonly string[]>
  /** Everything on this machine that belongs to an instance. */
  leftovers(): Promise<readonly string[]>
  close(): Promise<void>
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a value that the test needs is not there')
  return value
}

/** Starts it; the calling thread is in its namespace until `close`. */
export async function startWholeHost(breakers: Breakers = {}): Promise<WholeHost> {
  const log = silentLog
  const fast = fastClock(breakers.speedup ?? SPEEDUP)
  const dir = await mkdtemp(join(tmpdir(), 'atoll-whole-'))
  const netns = await createNetns('whole')
  const leave = netns.enter()
  const engine = await startDocker({ pid: netns.pid })
  await engine.makeSampleImages()
  const { docker } = engine

  const store = await openSqliteStore({ file: join(dir, 'atoll.db'), log })
  await store.migrate()
  const network = { vpc: cidr('172.31.0.0/16'), subnet: cidr('172.31.0.0/20') }
  const key = known((await bootstrap(store, { ...network, zone: ZONE }, randomBytes)) ?? undefined)
  const bus = createLocalBus()
  const name = known(parseHostName('whole'))
  const metrics = createMetrics()
  const linux = createLinuxHost({ log })
  const host = breakers.host?.(linux) ?? linux
  const images = createDockerImages({
    docker,
    sources: { registries: [], local: ['*'] },
    directories: [dir],
    maxBytes: 64 * 1024 * 1024,
    clock: systemClock,
    log,
  })
  const dockerDriver = createDockerDriver({
    docker,
    images,
    host,
    settings: {
      engineSocket: join(dir, 'docker.sock'),
      stateDir: dir,
      zone: DNS_ZONE,
      stopSeconds: 0,
      mtuBytes: MTU,
      busyboxPath: '/bin/busybox',
      tables: readTables(),
    },
    run: systemRunner,
    clock: systemClock,
    log,
  })
  const driver = breakers.driver?.(dockerDriver) ?? dockerDriver
  const context = { config: { stateDir: dir }, mtuBytes: MTU, host, clock: systemClock, log }
  const drivers: readonly OpenDriver[] = [
    { declaration: DOCKER, driver, images },
    ...(breakers.drivers ?? []).map((open) => open(context)),
  ]
  const declarations = drivers.map(({ declaration }) => declaration)
  const records = breakers.store?.(store) ?? store
  const dns = {
    zone: DNS_ZONE,
    forwarders: [],
    timeoutMs: 100,
    ttlSeconds: 30,
    cacheEntries: 10,
    maxOutstanding: 10,
    forwardLocal: true,
  }
  const workloads = (wake: () => void) => {
    const meters = createWorkloadMeters(metrics)
    return drivers.map((one) => createWorkloads({ ...one, wake, clock: fast, log, meters }))
  }
  const keeper = startHostRuntime(
    {
      store: records,
      rows: createRowWatch({ log, metrics, monotonic: () => systemClock.monotonic() }),
      bus,
      ledger: createLedger({ file: join(dir, 'ledger.json'), clock: systemClock, log }),
      services: (wake) => [
        createFirewall({
          host,
          metrics,
          settings: LONE_FIREWALL,
          instanceMemoryMiB: 2048,
        }),
        createLinks({ host, metrics, mtu: MTU, fabric: NO_FABRIC, drivers: declarations }),
        createDhcp({
          host,
          settings: { leaseSeconds: 3600, mtu: MTU, zone: DNS_ZONE },
          clock: systemClock,
          metrics,
          log,
        }),
        createDns({ settings: dns, metrics, log, clock: systemClock }),
        createMetadata({
          settings: { zone: DNS_ZONE, region: 'atoll-1', architecture: 'x86_64' },
          key: randomBytes(32),
          clock: systemClock,
          metrics,
          log,
        }),
        ...workloads(wake),
      ],
      watchKernel: (heard) => linux.watchKernel(heard),
      onRecordsChanged: () => undefined,
      clock: fast,
      log,
      metrics,
      random: Math.random,
      shortage: async () => null,
    },
    {
      self: {
        name,
        identity: name,
        zone: ZONE,
        version: '0',
        vcpus: 64,
        memoryMiB: 65_536,
        diskGiB: 1000,
        fabricAddress: null,
      },
      intervalMs: 2_000,
      resyncMs: 120_000,
      leaseMs: 60_000,
      renewMs: 2_000,
    },
  )
  const parts = {
    store: withoutReplica(records),
    bus,
    catalogue: createCatalogue(systemClock),
    clock: systemClock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    settings: {
      host: name,
      region: 'atoll-1',
      dnsZone: DNS_ZONE,
      endpoint: null,
      drivers: declarations,
      maxInstancesPerLaunch: 10,
      ...LIMITS,
    },
  }

  async function leftovers(): Promise<readonly string[]> {
    const links = (await netns.must(['ip', '-o', 'link'])).match(/at-[hg][0-9a-f]+/g) ?? []
    const routes = (await netns.must(['ip', 'route', 'show', 'proto', '167']))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('unreachable'))
    const rules = ruleLinks(await netns.must(['nft', 'list', 'ruleset']))
    const containers = await docker.listContainers({ all: true })
    const directories = await readdir(join(dir, 'instances')).catch(() => [])
    return [
      ...links.map((link) => `link ${link}`),
      ...routes.map((route) => `route ${route}`),
      ...rules.map((link) => `rule for ${link}`),
      ...containers.flatMap(({ Names }) => Names),
      ...directories.map((each) => `directory ${each}`),
    ]
  }

  /** Of the instances that the records know, each against the kernel and the engine. */
  async function differences(): Promise<readonly string[]> {
    const want = wantFor(
      name,
      await createRecordsReader(store, name, systemClock).read({ fresh: true }),
    )
    if (want === null) return ['the records do not know the host']
    const have = new Map((await linux.nics()).map((nic) => [nic.hostLink, nic]))
    const found: string[] = []
    for (const one of want.local.instances) {
      const record = await instance(one.id)
      const { State } = await docker.getContainer(`atoll-${one.id}`).inspect()
      if (State.Running !== (one.run === 'run')) found.push(`${one.id} runs: ${State.Running}`)
      const state = one.run === 'run' ? 'running' : 'stopped'
      if (record?.state !== state) found.push(`${one.id} is ${record?.state} in the records`)
      if (one.run === 'run' && record?.bootSeen !== one.bootCount)
        found.push(`${one.id} has its boot ${record?.bootSeen} and not ${one.bootCount}`)
      for (const nic of one.nics) {
        const spec = nicSpec(nic, MTU, 'veth')
        found.push(...nicDifferences(spec, have.get(spec.hostLink)))
        have.delete(spec.hostLink)
        if (one.run === 'run') {
          const pinged = await netns.run(['ping', '-c', '1', '-W', '0.2', nic.ip])
          if (pinged.exitCode !== 0) found.push(`${one.id} does not answer`)
        }
      }
    }
    return [...found, ...[...have.keys()].map((link) => `link ${link}`)]
  }

  async function instance(id: InstanceId): Promise<Instance | undefined> {
    return (await store.read((tx) => tx.instances({ ids: [id] })))[0]
  }

  return {
    netns,
    store,
    instance,
    leftovers,
    differences,
    async act(action, input, { unbroken = false } = {}) {
      const found = known(allActions.find((one) => one.name === action))
      const { output } = await answerWithFallback(found, {
        input: { ...input },
        caller: { account: key.account, user: key.user, accessKey: key.id },
        parts: unbroken ? { ...parts, store: withoutReplica(store) } : parts,
        budget: newBudget(),
        signal: AbortSignal.timeout(30_000),
      })
      return output as Record<string, unknown>
    },
    async close() {
      await keeper.close()
      for (const one of drivers) {
        await one.driver.close()
        await one.images.close()
      }
      await linux.close()
      await bus.close()
      await store.close()
      await engine.close()
      leave()
      await netns.destroy()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
