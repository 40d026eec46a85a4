/**
 * Makes sure that only one machine runs under this host's name, at the start and later. The daemon
 * ends when it finds another one, because on the bus it would answer questions for the other.
 */
import { readFile } from 'node:fs/promises'
import { type DuplicateKind, duplicateMessage } from './agent/announcement.ts'
import { findDuplicateHost } from './agent/duplicate-check.ts'
import type { HostRuntimeSettings } from './agent/host-runtime.ts'
import { type RunHistory, startRun } from './agent/run-history.ts'
import type { Config } from './config.ts'
import { type Clock, startingClock } from './lib/clock.ts'
import type { HostName } from './model/ids.ts'
import type { Store } from './store/store.ts'

/**
 * The machine's UUID from its firmware. Copies of virtual machines get another one (SMBIOS 3.6,
 * 7.2.1).
 */
const PRODUCT_FILE = '/sys/class/dmi/id/product_uuid'
/** Firmware without a UUID has this one, or only zeroes or ones. */
const NO_PRODUCT = /^03000200-0400-0500-0006-000700080009$|^[0-]*$|^[f-]*$/i

/**
 * Another machine runs under this host's name, or this one must not. A restart does not help; the
 * message says what does.
 */
export class DuplicateHostError extends Error {}

/** The monitoring of a host that shares its records with others. */
export interface UniqueHost {
  /** Settings for the host's runtime. */
  readonly settings: Pick<HostRuntimeSettings, 'onHeld' | 'onDuplicate'>
  /** Rejects with `DuplicateHostError` once another machine is found. Never resolves. */
  readonly found: Promise<never>
}

/**
 * Records a run of the daemon; null where no other machine can have these records. Errors:
 * `DuplicateHostError`.
 */
export async function openRunHistory(
  config: Config,
  random: (bytes: number) => Uint8Array,
): Promise<RunHistory | null> {
  if (config.store.kind === 'sqlite') return null
  const { stateDir, runtimeDir } = config
  const product = await readFile(PRODUCT_FILE, 'utf8').catch(() => '')
  const machine = NO_PRODUCT.test(product.trim()) ? null : product.trim()
  const runs = await startRun({ stateDir, runtimeDir, machine, random })
  if (runs.refused !== null) throw duplicateHostError(config, runs, runs.refused, config.host.name)
  return runs
}

/** Errors: `DuplicateHostError`, when another machine runs under the name. */
export async function requireUniqueHost(
  config: Config,
  runs: RunHistory | null,
  store: Store,
  settings: HostRuntimeSettings,
  // Nothing else keeps the process alive yet.
  clock: Clock = startingClock,
): Promise<UniqueHost> {
  const { promise: found, reject } = Promise.withResolvers<never>()
  // Nobody may be waiting for it any more.
  found.catch(() => undefined)
  if (runs === null) return { settings: {}, found }
  const duplicate = await findDuplicateHost({ store, clock }, settings)
  if (duplicate?.kind === 'twin') await runs.rememberDuplicate()
  if (duplicate !== null) throw duplicateHostError(config, runs, duplicate.kind, duplicate.by)
  return {
    found,
    settings: {
      onHeld: () => void runs.confirmed(),
      onDuplicate: (kind, by) => {
        // The other machine has another identity: the lease waits until the name is free.
        if (kind === 'name') return
        const remembered = kind === 'twin' ? runs.rememberDuplicate() : Promise.resolve()
        void remembered.then(() => reject(duplicateHostError(config, runs, kind, by)))
      },
    },
  }
}

function duplicateHostError(
  { stateDir }: Config,
  { file }: RunHistory,
  kind: DuplicateKind,
  by: HostName,
): DuplicateHostError {
  return new DuplicateHostError(
    `this machine must not run: ${duplicateMessage(kind, by, { stateDir, file })}`,
  )
}
