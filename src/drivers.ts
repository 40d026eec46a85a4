/**
 * What runs instances on this machine: containers on the Docker Engine, virtual machines on QEMU.
 */
import { readFile } from 'node:fs/promises'
import { type Config, type Environment, instanceMtuBytes } from './config.ts'
import { keepConsoles } from './consoles/kept.ts'
import { createDockerDriver } from './containers/docker.ts'
import { openDocker } from './containers/engine.ts'
import { createDockerImages } from './containers/images.ts'
import { loginFor } from './containers/logins.ts'
import type { Host } from './host/host.ts'
import { createAccelerator } from './host/kvm/kvm.ts'
import { makeRoom, readTables } from './host/processes/tables.ts'
import { createKeptImages } from './images/created-images.ts'
import { createMachineImages } from './images/machine-images.ts'
import { createOutbound, type Outbound } from './images/outbound.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { below } from './lib/paths.ts'
import { systemRunner } from './lib/runner.ts'
import type { Screen, Terminal } from './lib/terminal.ts'
import { createMachineFiles } from './machines/files.ts'
import { createQemuDriver } from './machines/qemu.ts'
import { refused } from './model/errors.ts'
import type { InstanceId } from './model/ids.ts'
import type { WorkloadKind } from './model/image-location.ts'
import { IMAGE_CACHE_DIRECTORY } from './model/names.ts'
import { GIB } from './model/sizes.ts'
import type { HostService } from './services/service.ts'
import { outboundSettings } from './settings.ts'
import type { Images, WorkloadDriver } from './workloads/driver.ts'
import { createWorkloadMeters } from './workloads/step-runner.ts'
import { createWorkloads } from './workloads/workloads.ts'

/** One kind of workload: what runs it and where its images come from. */
interface Kind {
  readonly kind: WorkloadKind
  readonly driver: WorkloadDriver
  readonly images: Images
}

export interface Drivers {
  /** What they fetch images through, and one service for each kind. */
  services(wake: () => void): readonly HostService[]
  /** Directories on whose file systems instances are kept. */
  storage(): Promise<readonly string[]>
  /**
   * The end of an instance's console, at most so many bytes; empty when nothing of it is here.
   * Errors: `unavailable`.
   */
  console(instance: InstanceId, limitBytes: number): Promise<Buffer>
  /** Whether anything of an instance is here, running or not. Errors: `unavailable`. */
  holds(instance: InstanceId): Promise<boolean>
  /** See `WorkloadDriver.attach`; an instance that is not here is `refused`. */
  attach(instance: InstanceId, screen: Screen | null): Promise<Terminal>
  close(): Promise<void>
}

interface Ground {
  readonly config: Config
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** What images are fetched through. */
  readonly outbound: Outbound
}

const BUSYBOX = '/bin/busybox'

/** Builds both kinds; nothing is started or asked before it is needed. */
export async function createDrivers(
  base: Omit<Ground, 'outbound'>,
  environment: Environment,
): Promise<Drivers> {
  const ground = { ...base, outbound: createOutbound(outboundSettings(base.config, environment)) }
  const { clock, log, metrics, outbound } = ground
  await makeRoom(log)
  const kinds = [await machines(ground), containers(ground)]
  return {
    services(wake) {
      const meters = createWorkloadMeters(metrics)
      const workloads = kinds.map((kind) => createWorkloads({ ...kind, wake, clock, log, meters }))
      // Before anything is fetched, the gate knows what is the cloud's own.
      return [outbound.service, ...workloads]
    },
    storage: async () => (await Promise.all(kinds.map(({ driver }) => driver.storage()))).flat(),
    async console(instance, limitBytes) {
      for (const { driver } of kinds) {
        const output = await driver.console(instance, limitBytes)
        if (output !== null) return output
      }
      return Buffer.alloc(0)
    },
    async holds(instance) {
      for (const { driver } of kinds) if (await driver.holds(instance)) return true
      return false
    },
    async attach(instance, screen) {
      for (const { driver } of kinds) {
        const terminal = await driver.attach(instance, screen)
        if (terminal !== null) return terminal
      }
      throw refused('IncorrectInstanceState', `${instance} is not here any more`)
    },
    async close() {
      for (const { driver, images } of kinds) {
        await driver.close()
        await images.close()
      }
    },
  }
}

function containers({ config, log, clock, host }: Ground): Kind {
  const docker = openDocker(config.docker.socket)
  const { directories, maxGiB, registries, local } = config.images
  const sources = { registries, local }
  const maxBytes = maxGiB * GIB
  const logins = { file: config.docker.loginsFile, run: systemRunner, log }
  const login = (registry: string) => loginFor(registry, logins)
  const images = createDockerImages({ docker, sources, login, directories, maxBytes, clock, log })
  const settings = {
    engineSocket: config.docker.socket,
    stateDir: config.stateDir,
    zone: config.dns.zone,
    stopSeconds: config.docker.stopSeconds,
    mtuBytes: instanceMtuBytes(config),
    busyboxPath: BUSYBOX,
    tables: readTables(),
  }
  const driver = createDockerDriver({
    ...{ docker, images, host, settings, run: systemRunner, clock, log },
  })
  return {
    kind: 'container',
    driver: keepConsoles(driver, { stateDir: config.stateDir, clock, log }),
    images,
  }
}

async function machines({ config, log, clock, host, metrics, outbound }: Ground): Promise<Kind> {
  const { stateDir, runtimeDir, qemu } = config
  const { directories, maxGiB, cacheGiB } = config.images
  const files = createMachineFiles(stateDir)
  const kept = createKeptImages(stateDir)
  const images = createMachineImages({
    cacheDir: below(stateDir, IMAGE_CACHE_DIRECTORY),
    directories,
    maxBytes: maxGiB * GIB,
    cacheBytes: cacheGiB * GIB,
    inUse: () => files.origins(),
    s3: await imageStore(config),
    clock,
    log,
    metrics,
    kept,
    outbound,
  })
  const maxBytes = maxGiB * GIB
  const settings = { stateDir, runtimeDir, maxBytes, mtuBytes: instanceMtuBytes(config), ...qemu }
  const driver = createQemuDriver({
    images,
    kept,
    host,
    accelerator: createAccelerator(qemu.accel, { run: systemRunner, log }),
    run: systemRunner,
    settings,
    clock,
    log,
  })
  return { kind: 'machine', driver: keepConsoles(driver, { stateDir, clock, log }), images }
}

/** The S3 service of the configuration, or null. */
async function imageStore({ images }: Config) {
  const { endpoints, region, accessKeyId, secretFile } = images.s3
  if (accessKeyId === null || secretFile === null || endpoints.length === 0) return null
  const secretAccessKey = (await readFile(secretFile, 'utf8')).trim()
  return { endpoints, region, accessKeyId, secretAccessKey }
}
