/**
 * A whole host inside the test process: the daemon, on the real kernel in a namespace of its own
 * and with a real Docker Engine. Each of its ports can be made to fail, and its waits are shorter.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import { createRecordsReader } from '../../src/agent/reader.ts'
import { configSchema, readEnvironment } from '../../src/config.ts'
import { openContainers } from '../../src/containers/open.ts'
import { startDaemon } from '../../src/daemon.ts'
import type { OpenDriverFunction } from '../../src/drivers.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicDifferences, nicSpec } from '../../src/host/network/nic.ts'
import { namespaceDirectory } from '../../src/host/network/vpc-namespaces.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRandomBytes } from '../../src/lib/random.ts'
import { type InstanceId, parseHostName } from '../../src/model/ids.ts'
import type { Instance } from '../../src/model/records.ts'
import { readCredentials } from '../../src/operator/credentials.ts'
import { wantFor } from '../../src/plan/want.ts'
import type { Store } from '../../src/store/store.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { clientOf } from '../../tools/kit/cloud.ts'
import { startDocker } from '../../tools/kit/docker.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { ruleLinks } from '../../tools/kit/rule-links.ts'
import { fastClock } from './fast-clock.ts'

const MTU = 1500
/**
 * Passes and pauses come this much faster than on a real host. Not more: how long a service may
 * take shrinks with it, and a real nft needs its time.
 */
const SPEEDUP = 6

/** What stands between the daemon and its ports, and drivers beside Docker's. */
export interface WholeHostOptions {
  readonly drivers?: readonly OpenDriverFunction[]
  /** How much faster time runs where it is only waited for; 6 unless given. */
  readonly speedup?: number
  readonly host?: (host: Host) => Host
  readonly driver?: (driver: WorkloadDriver) => WorkloadDriver
  readonly store?: (store: Store) => Store
  readonly clock?: (clock: Clock) => Clock
  /** Less than the configuration allows; null unless given. */
  readonly rebootHungAfterSeconds?: number
}

export interface WholeHost {
  readonly netns: Netns
  /** The records, behind what the options put in front of them. */
  readonly store: Store
  /** Calls an EC2 action over the API. */
  act(action: string, input: object): Promise<Record<string, unknown>>
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
export async function startWholeHost(options: WholeHostOptions = {}): Promise<WholeHost> {
  const dir = await mkdtemp(join(tmpdir(), 'atoll-whole-'))
  const netns = await createNetns('whole')
  const leave = netns.enter()
  const engine = await startDocker({ pid: netns.pid })
  await engine.makeSampleImages()
  const { docker } = engine
  const stateDir = join(dir, 'state')
  const name = known(parseHostName('whole'))
  const opened = Promise.withResolvers<Store>()
  const clock = fastClock(options.speedup ?? SPEEDUP)
  const daemon = await startDaemon({
    config: {
      ...configOf(dir, engine.socketPath),
      recovery: { rebootHungAfterSeconds: options.rebootHungAfterSeconds ?? null },
    },
    environment: readEnvironment(),
    log: silentLog,
    metrics: createMetrics(),
    clock: options.clock?.(clock) ?? clock,
    random: Math.random,
    randomBytes: systemRandomBytes,
    ports: {
      ...(options.host === undefined ? {} : { host: options.host }),
      store: (store) => {
        opened.resolve(store)
        return options.store?.(store) ?? store
      },
      drivers: [
        async (context) => {
          const containers = await openContainers(context)
          const driver = options.driver?.(containers.driver) ?? containers.driver
          return { ...containers, driver }
        },
        ...(options.drivers ?? []),
      ],
    },
  })
  const store = await opened.promise
  await eventually('it is in the records', async () => {
    const hosts = await store.read((tx) => tx.hosts([name]))
    return hosts.length === 1
  })
  const credentials = await readCredentials(stateDir)
  const client = clientOf(credentials, await readFile(join(dir, 'tls/ca.crt')))
  // Looks at the kernel only.
  const linux = createLinuxHost({ log: silentLog })

  async function leftovers(): Promise<readonly string[]> {
    const links = (await netns.must(['ip', '-o', 'link'])).match(/at-[hg][0-9a-f]+/g) ?? []
    const routes = (await netns.must(['ip', 'route', 'show', 'proto', '167']))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('unreachable'))
    const rules = ruleLinks(await netns.must(['nft', 'list', 'ruleset']))
    const containers = await docker.listContainers({ all: true })
    const directories = await readdir(join(stateDir, 'instances')).catch(() => [])
    // Each is mounted, and cannot be deleted before the daemon has let it go.
    const namespaces = await readdir(namespaceDirectory(join(dir, 'run'))).catch(() => [])
    return [
      ...namespaces.map((one) => `namespace ${one}`),
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
          const pinged = await netns.run(['ping', '-c', '1', '-W', '1', nic.ip])
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
    async act(action, input) {
      const Command = Reflect.get(ec2, `${action}Command`) as new (input: object) => never
      const send = client.send.bind(client) as (command: never) => Promise<Record<string, unknown>>
      const { $metadata: _, ...output } = await send(new Command(input))
      return output
    },
    async close() {
      client.destroy()
      await daemon[Symbol.asyncDispose]()
      await linux.close()
      await engine.close()
      leave()
      await netns.destroy()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function configOf(dir: string, socket: string) {
  const config = configSchema.parse({
    host: { name: 'whole' },
    stateDir: join(dir, 'state'),
    runtimeDir: join(dir, 'run'),
    tls: { directory: join(dir, 'tls') },
    docker: { socket },
    agent: { intervalSeconds: 0.6 },
    images: { directories: [join(dir, 'state/images')], local: ['*'] },
  })
  // The sample image does not end when it is asked to.
  return { ...config, docker: { ...config.docker, stopSeconds: 0 } }
}
