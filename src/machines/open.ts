/** Creates the driver of QEMU and its images from the configuration. */
import { keepConsoles } from '../consoles/kept.ts'
import type { Host } from '../host/host.ts'
import { createAccelerator } from '../host/kvm/kvm.ts'
import type { SharedStorage } from '../host/shared-storage.ts'
import { createMachineImages } from '../images/machine-images.ts'
import type { Outbound } from '../images/outbound.ts'
import { readS3Settings, type S3Config } from '../images/source-s3.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { below } from '../lib/paths.ts'
import { systemRunner } from '../lib/runner.ts'
import { IMAGE_CACHE_DIRECTORY } from '../model/names.ts'
import { GIB } from '../model/sizes.ts'
import type { OpenDriver } from '../workloads/driver.ts'
import { createKeptImages } from './created-images.ts'
import { QEMU } from './declaration.ts'
import { createMachineFiles } from './files.ts'
import { createQemuDriver } from './qemu.ts'
import type { QemuSettings } from './steps.ts'

/** What the driver needs of the host, and its part of the configuration. */
interface MachinesContext {
  readonly config: {
    readonly stateDir: string
    readonly runtimeDir: string
    readonly qemu: {
      readonly stopSeconds: number
      readonly accel: Parameters<typeof createAccelerator>[0]
      readonly firstUser: number
    }
    readonly network: { readonly interfaces: QemuSettings['nicLimits'] }
    readonly images: {
      readonly directories: readonly string[]
      readonly maxGiB: number
      readonly cacheGiB: number
      readonly s3: S3Config
    }
  }
  /** MTU of instances' NICs, in bytes. */
  readonly mtuBytes: number
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** For fetching images. */
  readonly outbound: Outbound
  /** The storage that this host shares with others. Null: none. */
  readonly shared: SharedStorage | null
}

/**
 * Reads the state of no machine before it is needed. Errors: those of reading the file with the S3
 * service's secret.
 */
export async function openMachines(context: MachinesContext): Promise<OpenDriver> {
  const { config, mtuBytes, host, clock, log, metrics, outbound, shared } = context
  const { stateDir, runtimeDir, qemu } = config
  const { directories, maxGiB, cacheGiB, s3 } = config.images
  const files = createMachineFiles(stateDir)
  const kept = createKeptImages(stateDir)
  const maxBytes = maxGiB * GIB
  const images = createMachineImages({
    cacheDir: below(stateDir, IMAGE_CACHE_DIRECTORY),
    directories,
    maxBytes,
    cacheBytes: cacheGiB * GIB,
    inUse: () => files.origins(),
    s3: await readS3Settings(s3),
    clock,
    log,
    metrics,
    kept,
    outbound,
  })
  const driver = createQemuDriver({
    images,
    kept,
    host,
    accelerator: createAccelerator(qemu.accel, { run: systemRunner, log }),
    run: systemRunner,
    shared,
    settings: {
      ...{ stateDir, runtimeDir, maxBytes, mtuBytes, ...qemu },
      nicLimits: config.network.interfaces,
    },
    clock,
    log,
  })
  return { declaration: QEMU, driver: keepConsoles(driver, { stateDir, clock, log }), images }
}
