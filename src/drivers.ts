/** The drivers of this daemon. A driver is a room and one line here. */
import { type Config, type Environment, instanceMtuBytes } from './config.ts'
import { openContainers } from './containers/open.ts'
import { CONTAINERS_TEARDOWN } from './containers/teardown.ts'
import type { Host } from './host/host.ts'
import { enlargeTables } from './host/processes/tables.ts'
import type { SharedStorage } from './host/shared-storage.ts'
import { createOutbound, type Outbound } from './images/outbound.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import type { Screen, Terminal } from './lib/terminal.ts'
import { openMachines } from './machines/open.ts'
import { MACHINES_TEARDOWN } from './machines/teardown.ts'
import type { DriverDeclaration } from './model/driver.ts'
import { refused } from './model/errors.ts'
import { type InstanceId, newIds } from './model/ids.ts'
import type { LooseNic } from './model/loose-nic.ts'
import type { WarmPool } from './model/warm-instance.ts'
import type { HostService } from './services/service.ts'
import { outboundSettings } from './settings.ts'
import { createChecks } from './workloads/checks.ts'
import type { DriverTeardown, OpenDriver, StartGate } from './workloads/driver.ts'
import { createMoves, type MovesSettings } from './workloads/moves/moves.ts'
import { createWorkloadMeters } from './workloads/step-runner.ts'
import { createWarmKeeper } from './workloads/warm.ts'
import { createWorkloads, type Workloads } from './workloads/workloads.ts'

export interface Drivers {
  /** The declarations, in the order in which drivers are asked whether they take an image. */
  readonly declarations: readonly DriverDeclaration[]
  /**
   * The filter for fetching images, one service for each driver, the one that moves instances, and
   * the one that asks them; `moving` null: there are no other hosts.
   */
  services(wake: () => void, moving: MovesSettings | null, gate?: StartGate): readonly HostService[]
  /** The instances that wait for launches. Null: no driver starts any before it is asked for. */
  readonly warm: WarmPool | null
  /** Tells the services of NICs that lead into no instance. Returns at once. */
  foundLoose(nics: readonly LooseNic[]): void
  /** Directories of instances, for checks of their file systems. */
  storage(): Promise<readonly string[]>
  /**
   * The last part of an instance's console output, at most this many bytes. Empty if it is not
   * here. Errors: `unavailable`.
   */
  console(instance: InstanceId, limitBytes: number): Promise<Buffer>
  /** See `WorkloadDriver.endStored`. */
  endStored(storage: string): Promise<void>
  /** Whether anything of an instance is here, running or not. Errors: `unavailable`. */
  holds(instance: InstanceId): Promise<boolean>
  /** See `WorkloadDriver.attach`. An instance that is not here is `refused`. */
  attach(instance: InstanceId, screen: Screen | null): Promise<Terminal>
  close(): Promise<void>
}

interface DriverContext {
  readonly config: Config
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

/** Opens a driver. Nothing is started or read before it is needed. */
export type OpenDriverFunction = (context: DriverContext) => Promise<OpenDriver>

interface Driver {
  readonly open: OpenDriverFunction
  readonly teardown: DriverTeardown<Config>
}

/** All drivers, one line each. If several take an image, the first gets it. */
const DRIVERS: readonly Driver[] = [
  { open: openMachines, teardown: MACHINES_TEARDOWN },
  { open: openContainers, teardown: CONTAINERS_TEARDOWN },
]

/** How to remove what each driver created. */
export const DRIVER_TEARDOWNS: readonly DriverTeardown<Config>[] = DRIVERS.map(
  ({ teardown }) => teardown,
)

/** Opens all drivers, or those that are given. */
export async function createDrivers(
  base: Omit<DriverContext, 'outbound' | 'mtuBytes'> & {
    /** Cryptographically random bytes. */
    readonly randomBytes: (bytes: number) => Uint8Array
  },
  environment: Environment,
  given: readonly OpenDriverFunction[] = DRIVERS.map(({ open }) => open),
): Promise<Drivers> {
  const { config, clock, log, metrics } = base
  const outbound = createOutbound(outboundSettings(config, environment))
  const context = { ...base, outbound, mtuBytes: instanceMtuBytes(config) }
  let workloads: readonly Workloads[] = []
  await enlargeTables(log)
  const drivers = await Promise.all(given.map((open) => open(context)))
  const newId = newIds(base.randomBytes)
  const warm = drivers.map((one) => createWarmKeeper(one, newId))
  return {
    warm: warm.find((keeper) => keeper !== null) ?? null,
    declarations: drivers.map(({ declaration }) => declaration),
    services(wake, moving, gate) {
      const meters = createWorkloadMeters(metrics)
      const gated = gate === undefined ? {} : { gate }
      workloads = drivers.map((one, at) =>
        createWorkloads({ ...one, ...gated, warm: warm[at] ?? null, wake, clock, log, meters }),
      )
      // The filter comes first, so that it knows the cloud's own networks before anything is
      // fetched.
      const parts = { drivers, wake, clock, log }
      const moves = moving === null ? [] : [createMoves({ ...moving, ...parts })]
      const { rebootHungAfterSeconds: seconds } = config.recovery
      const checks = createChecks({
        ...{ drivers, host: base.host, wake, clock, log },
        rebootAfterMs: seconds === null ? null : seconds * 1000,
      })
      return [outbound.service, ...workloads, ...moves, checks]
    },
    foundLoose(nics) {
      for (const service of workloads) service.foundLoose(nics)
    },
    storage: async () => (await Promise.all(drivers.map(({ driver }) => driver.storage()))).flat(),
    async console(instance, limitBytes) {
      for (const { driver } of drivers) {
        const output = await driver.console(instance, limitBytes)
        if (output !== null) return output
      }
      return Buffer.alloc(0)
    },
    async endStored(storage) {
      for (const { driver } of drivers) await driver.endStored?.(storage)
    },
    async holds(instance) {
      for (const { driver } of drivers) if (await driver.holds(instance)) return true
      return false
    },
    async attach(instance, screen) {
      for (const { driver } of drivers) {
        const terminal = await driver.attach(instance, screen)
        if (terminal !== null) return terminal
      }
      throw refused('IncorrectInstanceState', `${instance} is not here any more`)
    },
    async close() {
      for (const { driver, images } of drivers) {
        await driver.close()
        await images.close()
      }
    },
  }
}
