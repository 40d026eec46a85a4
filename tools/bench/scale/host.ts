/**
 * A simulated host: the daemon's records, bus, agent and lease, connected as in `daemon.ts`, on a
 * simulated machine.
 */

import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startHostRuntime } from '../../../src/agent/host-runtime.ts'
import { createLedger } from '../../../src/agent/ledger.ts'
import type { ApiParts } from '../../../src/api/action.ts'
import { createKeyGeneration } from '../../../src/api/key-generation.ts'
import { createCatalogue } from '../../../src/api/launch/catalogue.ts'
import { configSchema } from '../../../src/config.ts'
import { DOCKER } from '../../../src/containers/declaration.ts'
import { openBus, openRecords } from '../../../src/engines.ts'
import { readCloudSecret } from '../../../src/identity.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createTurns } from '../../../src/lib/turns.ts'
import { apiSettings, hostRuntimeSettings } from '../../../src/settings.ts'
import { createFakeMachine } from './machine.ts'

/** Capacity of each host: enough for every launch of a benchmark, with ten hosts or a thousand. */
const VCPUS = 256
const MEMORY_MIB = 1_048_576

const BELLS_SENT = /^atoll_bus_bells_total\{result="sent"\} (\d+)$/m

/** The engines' addresses, and a directory for the hosts' files. */
export interface ScaleEnvironment {
  readonly directory: string
  readonly mariadb: string
  readonly database: string
  readonly mariadbUser: string
  readonly rabbit: string
  readonly rabbitUser: string
}

/** Files in that directory. */
export const SECRETS = { cluster: 'secret', mariadb: 'mariadb-password', rabbit: 'rabbit-password' }

export interface SimulatedHost {
  /** Bells to other hosts that it has sent. */
  bells(): Promise<number>
  /** Whether its lease is valid, as far as it knows. */
  held(): boolean
  /** What API actions on this host need. */
  readonly api: ApiParts
}

/** Starts the `number`-th host. It announces itself when the engines answer. */
export async function startSimulatedHost(
  environment: ScaleEnvironment,
  number: number,
  log: Log,
): Promise<SimulatedHost> {
  const config = configOf(environment, number)
  await mkdir(config.stateDir, { recursive: true })
  const clock = systemClock
  const metrics = createMetrics()
  const identity = { secret: await readCloudSecret(config) }
  const records = await openRecords({ config, clock, log, identity }, metrics)
  const count = { hosts: () => 1 }
  const { bus } = await openBus({ config, clock, log, identity }, metrics, () => count.hosts())
  const keeper = startHostRuntime(
    {
      store: records.store,
      rows: records.rows,
      bus,
      ledger: createLedger({ file: join(config.stateDir, 'ledger.json'), clock: systemClock, log }),
      services: (wake) => [createFakeMachine(wake)],
      watchKernel: () => () => undefined,
      onRecordsChanged: records.changed,
      clock,
      log,
      metrics,
      random: Math.random,
      shortage: async () => null,
    },
    hostRuntimeSettings(config, {
      identity: config.host.name,
      version: 'bench',
      vcpus: VCPUS,
      memoryMiB: MEMORY_MIB,
      diskGiB: null,
    }),
  )
  const settings = apiSettings(config, [DOCKER])
  const catalogue = createCatalogue(clock)
  return {
    held: keeper.lease.held,
    bells: async () => Number(BELLS_SENT.exec(await metrics.render())?.[1] ?? 0),
    api: {
      store: records.informed,
      bus,
      catalogue,
      clock,
      turns: createTurns(),
      keyGeneration: createKeyGeneration(),
      random: randomBytes,
      settings,
    },
  }
}

function configOf(environment: ScaleEnvironment, number: number) {
  const name = `h${String(number).padStart(4, '0')}`
  const { directory } = environment
  return configSchema.parse({
    host: { name },
    stateDir: join(directory, name),
    runtimeDir: join(directory, name),
    cluster: { secretFile: join(directory, SECRETS.cluster) },
    store: {
      kind: 'mariadb',
      nodes: [environment.mariadb],
      database: environment.database,
      user: environment.mariadbUser,
      passwordFile: join(directory, SECRETS.mariadb),
      tls: { mode: 'off' },
    },
    bus: {
      kind: 'rabbitmq',
      nodes: [environment.rabbit],
      user: environment.rabbitUser,
      passwordFile: join(directory, SECRETS.rabbit),
      tls: { mode: 'off' },
    },
    fabric: { address: `10.64.${number >> 8}.${number & 255}` },
  })
}
