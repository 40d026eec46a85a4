/**
 * What this machine announces in its host row: its identity, the daemon's version, and the capacity
 * for placement.
 */
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import type { Config } from './config.ts'
import { totalBytes } from './lib/disk-space.ts'
import { readSecret } from './lib/secret.ts'
import { GIB, MIB } from './model/sizes.ts'
import { WARM_MEMORY_MIB } from './model/warm-instance.ts'

const IDENTITY = 'this machine is a stranger to the records, and does nothing under its host.name'

/** Memory for instances, in MiB. What waits for launches takes its own part, whatever its type. */
export function memoryForInstances({
  capacity,
  warmInstances,
}: Pick<Config, 'capacity' | 'warmInstances'>): number {
  const waiting = warmInstances.reduce((sum, { count }) => sum + count, 0)
  const reservedMiB = capacity.reserveMemoryMiB + waiting * WARM_MEMORY_MIB
  const memoryMiB = totalmem() / MIB - reservedMiB
  return Math.max(0, Math.floor(memoryMiB * capacity.memoryRatio))
}

/** The machine's part of the host row. Errors: those of reading the state directory. */
export async function machineRecord(config: Config) {
  const { capacity, stateDir } = config
  const diskGiB = ((await totalBytes(stateDir)) / GIB) * capacity.diskRatio
  return {
    identity: await machineIdentity(stateDir),
    version: packageJson.version,
    vcpus: Math.floor(availableParallelism() * capacity.vcpuRatio),
    memoryMiB: memoryForInstances(config),
    diskGiB: Math.floor(diskGiB),
  }
}

/**
 * Random bytes, created once. They distinguish this machine from another one with the same
 * `host.name`.
 */
async function machineIdentity(stateDir: string): Promise<string> {
  return Buffer.from(await readSecret(join(stateDir, 'host.id'), { guards: IDENTITY })).toString(
    'hex',
  )
}
