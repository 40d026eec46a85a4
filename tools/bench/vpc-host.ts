/**
 * A host with many VPCs, each in a network namespace of its own: a member of a cloud as the daemon
 * is one (`src/member.ts`), in this process, in a network namespace that stands for the machine.
 * Only drivers are missing, so instances have NICs and rules, and run no program.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLedger } from '../../src/agent/ledger.ts'
import type { ApiParts } from '../../src/api/action.ts'
import { type Config, configSchema } from '../../src/config.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { createHostServices, createHostVpcs, hostFiles } from '../../src/host-services.ts'
import { readCloudSecret } from '../../src/identity.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { Log } from '../../src/lib/log.ts'
import { createMetrics, type Gauge, type Metrics } from '../../src/lib/metrics.ts'
import { createRoom } from '../../src/lib/room.ts'
import { memoryForInstances } from '../../src/machine-record.ts'
import { connect, type Member, startMember } from '../../src/member.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createHostMonitors } from '../../src/preconditions.ts'
import { counterRooms } from '../../src/services/firewall/counters.ts'
import type { HostService, WatchedNamespaces } from '../../src/services/service.ts'
import { serveHere } from '../../src/serving.ts'
import { silentLog } from '../kit/log.ts'
import { createNetns, eventually, type Netns } from '../kit/netns.ts'
import { makeVpcs, registerSample, storm } from './scale/launches.ts'

const WIDTH = 8
const READY_MS = 600_000
const SERVED_LOOK_MS = 100
const DHCP_SOCKETS = 'atoll_dhcp_sockets'
/** RFC 5737, TEST-NET-2: the machine outside, and the host's link to it. */
export const OUTSIDE = '198.51.100.2'

/** A part of the want that a service has applied. */
interface Applied {
  readonly service: string
  readonly want: HostWant
}

export interface VpcHost {
  readonly machine: Netns
  /** A machine on the uplink of this one. */
  readonly outside: Netns
  /** What API actions need. */
  api(): ApiParts
  readonly image: string
  /** Of the VPCs, in the order in which they were made. */
  readonly subnets: readonly string[]
  /** The port to the machine of the daemon that runs. */
  host(): Host
  /** Asks for a pass; `resync`: one that reads everything back. */
  wake(options?: { readonly resync: boolean }): void
  /** Resolves when `fits` is true of what a service has just applied. */
  untilApplied(fits: (applied: Applied) => boolean): Promise<void>
  /** Ends the daemon. What it has made stays. */
  stopDaemon(): Promise<void>
  /** Starts another one, which remembers nothing. */
  startDaemon(): Promise<void>
  /** Resolves when DHCP answers so many instances. */
  untilServed(instances: number): Promise<void>
  /** Times (`performance.now()`) at which DNS began to listen since the last start. */
  listeningAt(): readonly number[]
  /** Ends the daemon, and moves the calling thread back. These machines are ended with the host. */
  stop(guests: readonly Netns[]): Promise<void>
  /** Ends and removes everything. May be repeated. */
  destroy(): Promise<void>
}

/** A host with so many VPCs, each with one instance. The calling thread is on it until `stop`. */
export async function createVpcHost(vpcs: number): Promise<VpcHost> {
  const [machine, outside] = [await createNetns('vpcs'), await createNetns('outside')]
  await machine.must([
    'sh',
    '-ec',
    `ip link add uplink type veth peer name eth0 netns ${outside.pid}
     ip addr add 198.51.100.1/24 dev uplink; ip link set uplink up`,
  ])
  await outside.must(['sh', '-ec', `ip addr add ${OUTSIDE}/24 dev eth0; ip link set eth0 up`])
  await machine.must(['ip', 'route', 'add', 'default', 'via', OUTSIDE])
  const directory = await mkdtemp(join(tmpdir(), 'atoll-vpcs-'))
  const config = configSchema.parse({
    host: { name: 'bench' },
    stateDir: join(directory, 'state'),
    runtimeDir: join(directory, 'run'),
  })
  await mkdir(config.stateDir, { mode: 0o700 })
  const leave = machine.enter()
  let daemon = await startDaemon(config)
  await eventually('the host is known', async () => daemon.member.lease.held(), READY_MS)
  const api = () => daemon.member.calls
  const image = await registerSample(api())
  const subnets = await makeVpcs(api(), vpcs)
  const { failures } = await storm([api()], { image, subnets }, vpcs, WIDTH)
  if (failures[0] !== undefined) throw new Error(`a launch failed: ${failures[0]}`)
  await daemon.untilServed(vpcs)
  const guests: Netns[] = []
  let [isStopped, isGone] = [false, false]
  const stop = async (plugged: readonly Netns[]) => {
    isStopped = true
    guests.push(...plugged)
    await daemon.stop()
    leave()
  }
  return {
    ...{ machine, outside, api, image, subnets },
    host: () => daemon.host,
    wake: ({ resync } = { resync: false }) => {
      if (resync) daemon.pass(config.agent.resyncSeconds * 1000)
      daemon.member.agent.wake()
    },
    untilApplied: (fits) => daemon.untilApplied(fits),
    untilServed: (instances) => daemon.untilServed(instances),
    listeningAt: () => daemon.listeningAt,
    async stopDaemon() {
      await daemon.stop()
      await daemon.host.close()
    },
    async startDaemon() {
      daemon = await startDaemon(config)
    },
    stop,
    async destroy() {
      if (isGone) return
      isGone = true
      if (!isStopped) await stop([])
      for (const network of await daemon.host.vpcs.list()) await daemon.host.vpcs.remove(network)
      await daemon.host.close()
      for (const one of [...guests, outside, machine]) await one.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** What a part of the daemon that is one of its services has just applied, for those who wait. */
function createApplied() {
  const waiting = new Set<{ fits(applied: Applied): boolean; resolve(): void }>()
  return {
    noted: (service: HostService): HostService => ({
      ...service,
      async apply(pass) {
        const facts = await service.apply(pass)
        for (const one of waiting)
          if (one.fits({ service: service.name, want: pass.want })) {
            waiting.delete(one)
            one.resolve()
          }
        return facts
      },
    }),
    until: (fits: (applied: Applied) => boolean): Promise<void> =>
      new Promise((resolve) => waiting.add({ fits, resolve })),
  }
}

/** The member of the cloud on this machine, and what a benchmark asks of it. */
interface Running {
  readonly host: Host
  readonly member: Member
  readonly listeningAt: readonly number[]
  untilApplied(fits: (applied: Applied) => boolean): Promise<void>
  untilServed(nics: number): Promise<void>
  /** Lets its clock go on by so much. */
  pass(ms: number): void
  stop(): Promise<void>
}

/** A daemon without drivers and servers, as in `daemon.ts`. */
async function startDaemon(config: Config): Promise<Running> {
  const { metrics, sockets } = createCountedMetrics()
  const listeningAt: number[] = []
  const log = createListeningLog(() => listeningAt.push(performance.now()))
  const host = createLinuxHost({ log, ...hostFiles(config) })
  let passedMs = 0
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs }
  const context = {
    ...{ config, log, metrics, clock, random: Math.random, randomBytes },
    identity: { secret: await readCloudSecret(config) },
    ledger: createLedger({ file: join(config.stateDir, 'ledger.json'), clock, log }),
  }
  const hostParts = {
    ...{ ...context, host },
    serving: serveHere({ config, clock, log, metadataKey: randomBytes(32) }),
    monitors: createHostMonitors(config, host, clock),
    drivers: { declarations: [DOCKER], services: () => [], foundLoose: () => undefined },
    shared: null,
    instanceMemoryMiB: memoryForInstances(config),
    rooms: counterRooms(config.metrics),
    networks: new Map(),
    flowLogs: { take: () => undefined, room: createRoom(0) },
  }
  const announced = {
    ...{ identity: config.host.name, version: 'bench' },
    ...{ vcpus: 65_536, memoryMiB: 67_108_864, diskGiB: null },
  }
  const parts = new AsyncDisposableStack()
  const connection = await connect(context, announced, null, parts)
  const vpcs = createHostVpcs(hostParts)
  const applied = createApplied()
  const machine = {
    drivers: [DOCKER],
    services: (wake: () => void) =>
      createHostServices(hostParts, vpcs, wake, () => true).map(applied.noted),
    watchKernel: (heard: (where: WatchedNamespaces) => void) => vpcs.watchKernel(heard),
    shortage: async () => null,
  }
  const member = startMember(context, connection, machine, parts)
  return {
    ...{ host, member, listeningAt },
    pass: (ms) => {
      passedMs += ms
    },
    untilApplied: applied.until,
    /** Each NIC has a DHCP socket, which is opened last. */
    untilServed: (nics: number) =>
      eventually(
        'all VPCs are served',
        async () => (await sockets()) >= nics,
        READY_MS,
        SERVED_LOOK_MS,
      ),
    stop: () => parts.disposeAsync(),
  }
}

/**
 * Metrics, and the number of sockets of DHCP. Rendering all metrics reads the counters of every
 * namespace.
 */
function createCountedMetrics(): { readonly metrics: Metrics; sockets(): Promise<number> } {
  const gauges: Gauge[] = []
  const noted = <M extends Metrics>(metrics: M): M => ({
    ...metrics,
    gauge(name, help, labels) {
      const gauge = metrics.gauge(name, help, labels)
      if (name === DHCP_SOCKETS) gauges.push(gauge as Gauge)
      return gauge
    },
    share: () => noted(metrics.share()),
  })
  return {
    metrics: noted(createMetrics()),
    async sockets() {
      const values = (await Promise.all(gauges.map((one) => one.get()))).flatMap(
        (one) => one.values,
      )
      return values.reduce((sum, { value }) => sum + value, 0)
    },
  }
}

/** A log that only notices when DNS begins to listen. */
function createListeningLog(heard: () => void): Log {
  const log: Log = {
    ...silentLog,
    info: (_fields, message) => {
      if (message === 'listening') heard()
    },
    child: () => log,
  }
  return log
}
