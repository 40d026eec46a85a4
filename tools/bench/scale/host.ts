/** A simulated host: a member of its cloud as the daemon is one, on a simulated machine. */

import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createLedger } from '../../../src/agent/ledger.ts'
import type { ApiParts } from '../../../src/api/action.ts'
import { configSchema } from '../../../src/config.ts'
import { DOCKER } from '../../../src/containers/declaration.ts'
import { readCloudSecret } from '../../../src/identity.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { connect, startMember } from '../../../src/member.ts'
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
  const metrics = createMetrics()
  const context = {
    ...{ config, clock: systemClock, log, metrics, random: Math.random, randomBytes },
    identity: { secret: await readCloudSecret(config) },
    ledger: createLedger({ file: join(config.stateDir, 'ledger.json'), clock: systemClock, log }),
  }
  const announced = {
    ...{ identity: config.host.name, version: 'bench' },
    ...{ vcpus: VCPUS, memoryMiB: MEMORY_MIB, diskGiB: null },
  }
  // Hosts run until their process ends.
  const parts = new AsyncDisposableStack()
  const connection = await connect(context, announced, null, parts)
  const machine = {
    drivers: [DOCKER],
    services: (wake: () => void) => [createFakeMachine(wake)],
    watchKernel: () => () => undefined,
    shortage: async () => null,
  }
  const { lease, calls } = startMember(context, connection, machine, parts)
  return {
    held: lease.held,
    bells: async () => Number(BELLS_SENT.exec(await metrics.render())?.[1] ?? 0),
    api: calls,
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
