/** Creates the driver of the Docker Engine and its images from the configuration. */
import { keepConsoles } from '../consoles/kept.ts'
import type { Host } from '../host/host.ts'
import { readTables } from '../host/processes/tables.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { systemRunner } from '../lib/runner.ts'
import { GIB } from '../model/sizes.ts'
import type { OpenDriver } from '../workloads/driver.ts'
import { DOCKER } from './declaration.ts'
import { createDockerDriver } from './docker.ts'
import { openDocker } from './engine.ts'
import { createDockerImages } from './images.ts'
import { loginFor } from './logins.ts'

/** What the driver needs of the host, and its part of the configuration. */
interface ContainersContext {
  readonly config: {
    readonly stateDir: string
    readonly dns: { readonly zone: string }
    readonly docker: {
      readonly socket: string
      readonly loginsFile: string | null
      readonly stopSeconds: number
    }
    readonly images: {
      readonly directories: readonly string[]
      readonly maxGiB: number
      readonly registries: readonly string[]
      readonly local: readonly string[]
    }
  }
  /** MTU of instances' NICs, in bytes. */
  readonly mtuBytes: number
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
}

const BUSYBOX = '/bin/busybox'

/** Does not connect to the engine before it is needed. */
export async function openContainers(context: ContainersContext): Promise<OpenDriver> {
  const { config, mtuBytes, host, clock, log } = context
  const { stateDir, docker: engine } = config
  const docker = openDocker(engine.socket)
  const { directories, maxGiB, registries, local } = config.images
  const logins = { file: engine.loginsFile, run: systemRunner, log }
  const images = createDockerImages({
    docker,
    sources: { registries, local },
    login: (registry) => loginFor(registry, logins),
    directories,
    maxBytes: maxGiB * GIB,
    clock,
    log,
  })
  const settings = {
    engineSocket: engine.socket,
    stateDir,
    zone: config.dns.zone,
    stopSeconds: engine.stopSeconds,
    mtuBytes,
    busyboxPath: BUSYBOX,
    tables: readTables(),
  }
  const parts = { docker, images, host, settings, run: systemRunner, clock, log }
  const driver = keepConsoles(createDockerDriver(parts), { stateDir, clock, log })
  return { declaration: DOCKER, driver, images }
}
