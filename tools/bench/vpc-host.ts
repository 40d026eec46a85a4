/**
 * A host with many VPCs, each in a network namespace of its own: the daemon's API, records, agent
 * and services in this process, in a network namespace that stands for the machine. Only drivers
 * are missing, so instances have NICs and rules, and run no program.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HostRuntime, startHostRuntime } from '../../src/agent/host-runtime.ts'
import { createLedger } from '../../src/agent/ledger.ts'
import type { ApiParts } from '../../src/api/action.ts'
import { createKeyGeneration } from '../../src/api/key-generation.ts'
import { createCatalogue } from '../../src/api/launch/catalogue.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { type Config, configSchema } from '../../src/config.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { openRecords, type Records } from '../../src/engines.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { createHostServices, createHostVpcs } from '../../src/host-services.ts'
import { readCloudSecret } from '../../src/identity.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Log } from '../../src/lib/log.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { memoryForInstances } from '../../src/machine-record.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createHostMonitors } from '../../src/preconditions.ts'
import { counterRooms } from '../../src/services/firewall/counters.ts'
import type { HostService } from '../../src/services/service.ts'
import { apiSettings, hostFiles, hostRuntimeSettings } from '../../src/settings.ts'
import { silentLog } from '../kit/log.ts'
import { createNetns, eventually, type Netns } from '../kit/netns.ts'
import { makeVpcs, registerSample, storm } from './scale/launches.ts'

const WIDTH = 8
const READY_MS = 600_000
const SERVED_LOOK_MS = 100
const DHCP_SOCKETS = /^atoll_dhcp_sockets (\d+)$/m
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
  readonly api: ApiParts
  readonly image: string
  /** Of the VPCs, in the order in which they were made. */
  readonly subnets: readonly string[]
  /** The port to the machine of the daemon that runs. */
  host(): Host
  runtime(): HostRuntime
  /** Resolves when `fits` is true of what a service has just applied. */
  untilApplied(fits: (applied: Applied) => boolean): Promise<void>
  /** Ends the daemon. What it has made stays. */
  stopDaemon(): Promise<void>
  /** Starts another one, which remembers nothing. */
  startDaemon(): void
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
  const identity = { secret: await readCloudSecret(config) }
  const context = { config, clock: systemClock, log: silentLog, identity }
  const records = await openRecords(context, createMetrics())
  const bus = createLocalBus(systemClock)
  let daemon = startDaemon(config, records, bus)
  const api = apiOf(config, records, bus)
  await eventually('the host is known', async () => daemon.runtime.lease.held(), READY_MS)
  const image = await registerSample(api)
  const subnets = await makeVpcs(api, vpcs)
  const { failures } = await storm([api], { image, subnets }, vpcs, WIDTH)
  if (failures[0] !== undefined) throw new Error(`a launch failed: ${failures[0]}`)
  await daemon.untilServed(vpcs)
  const guests: Netns[] = []
  let [isStopped, isGone] = [false, false]
  const stop = async (plugged: readonly Netns[]) => {
    isStopped = true
    guests.push(...plugged)
    await daemon.runtime.close()
    leave()
  }
  return {
    ...{ machine, outside, api, image, subnets },
    host: () => daemon.host,
    runtime: () => daemon.runtime,
    untilApplied: (fits) => daemon.untilApplied(fits),
    untilServed: (instances) => daemon.untilServed(instances),
    listeningAt: () => daemon.listeningAt,
    async stopDaemon() {
      await daemon.runtime.close()
      await daemon.host.close()
    },
    startDaemon() {
      daemon = startDaemon(config, records, bus)
    },
    stop,
    async destroy() {
      if (isGone) return
      isGone = true
      if (!isStopped) await stop([])
      for (const network of await daemon.host.vpcs.list()) await daemon.host.vpcs.remove(network)
      await daemon.host.close()
      await records.close()
      for (const one of [...guests, outside, machine]) await one.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function apiOf(config: Config, records: Records, bus: Bus): ApiParts {
  return {
    store: records.informed,
    bus,
    catalogue: createCatalogue(systemClock),
    clock: systemClock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    settings: apiSettings(config, [DOCKER]),
  }
}

/** What a daemon does beside its API, as in `daemon.ts`. */
function startDaemon(config: Config, records: Records, bus: Bus) {
  const metrics = createMetrics()
  const listeningAt: number[] = []
  const log = createListeningLog(() => listeningAt.push(performance.now()))
  const host = createLinuxHost({ log, ...hostFiles(config) })
  const parts = {
    ...{ config, log, metrics, clock: systemClock, host, metadataKey: randomBytes(32) },
    monitors: createHostMonitors(config, host, systemClock),
    drivers: { declarations: [DOCKER], services: () => [] },
    instanceMemoryMiB: memoryForInstances(config),
    rooms: counterRooms(config.metrics),
    writeFlowLogs: async () => undefined,
  }
  const vpcs = createHostVpcs(parts)
  const waiting = new Set<{ fits(applied: Applied): boolean; resolve(): void }>()
  const noted = (service: HostService): HostService => ({
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
  })
  const runtime = startHostRuntime(
    {
      ...{ store: records.store, rows: records.rows, bus, log, metrics, clock: systemClock },
      ledger: createLedger({ file: join(config.stateDir, 'ledger.json'), clock: systemClock, log }),
      services: (wake) => createHostServices(parts, vpcs, wake).map(noted),
      watchKernel: (heard) => vpcs.watchKernel(heard),
      onRecordsChanged: () => undefined,
      random: Math.random,
      shortage: async () => null,
    },
    hostRuntimeSettings(config, {
      ...{ identity: config.host.name, version: 'bench' },
      ...{ vcpus: 65_536, memoryMiB: 67_108_864, diskGiB: null },
    }),
  )
  return {
    ...{ host, runtime, listeningAt },
    untilApplied: (fits: (applied: Applied) => boolean): Promise<void> =>
      new Promise((resolve) => waiting.add({ fits, resolve })),
    /** Each NIC has a DHCP socket, which is opened last. */
    untilServed: (nics: number) =>
      eventually(
        'all VPCs are served',
        async () => {
          const sockets = DHCP_SOCKETS.exec(await metrics.render())?.[1]
          return Number(sockets ?? 0) >= nics
        },
        READY_MS,
        SERVED_LOOK_MS,
      ),
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
