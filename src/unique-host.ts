/**
 * That only one machine lives under this host's name: asked before the daemon does anything, and
 * looked after while it runs. What is found out ends the daemon, because a second one under a name
 * answers on the bus for the first.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Rival, rivalMessage } from './agent/announcement.ts'
import { askAdmission } from './agent/duplicate-check.ts'
import type { KeeperSettings } from './agent/host-runtime.ts'
import { beginLife, type Lives } from './agent/run-history.ts'
import type { Config } from './config.ts'
import { startingClock } from './lib/clock.ts'
import type { HostName } from './model/ids.ts'
import type { Store } from './store/store.ts'

/**
 * What a machine's firmware calls it; copies of virtual machines are given another (SMBIOS 3.6,
 * 7.2.1).
 */
const PRODUCT_FILE = '/sys/class/dmi/id/product_uuid'
/** Firmware that was never given one says this, or nothing but zeroes or ones. */
const NO_PRODUCT = /^03000200-0400-0500-0006-000700080009$|^[0-]*$|^[f-]*$/i

/**
 * Another machine lives under this host's name, or this one may not: starting again does not help,
 * the message says what does.
 */
export class RivalError extends Error {}

/** The lives of a host that shares its records with others. */
export interface Sole {
  /** To be kept with. */
  readonly settings: Pick<KeeperSettings, 'onHeld' | 'onRival'>
  /** Rejects with `RivalError` once a rival is found. Never resolves. */
  readonly found: Promise<never>
}

/** Begins a life; null where no other machine can have these records. Errors: `RivalError`. */
export async function openLives(config: Config): Promise<Lives | null> {
  if (config.store.kind === 'sqlite') return null
  const { stateDir, runtimeDir } = config
  const product = await readFile(PRODUCT_FILE, 'utf8').catch(() => '')
  const machine = NO_PRODUCT.test(product.trim()) ? null : product.trim()
  const lives = await beginLife({ stateDir, runtimeDir, machine, random: randomBytes })
  if (lives.refused !== null) throw rivalError(config, lives, lives.refused, config.host.name)
  return lives
}

/** Errors: `RivalError`, when another machine lives under the name. */
export async function requireSole(
  config: Config,
  lives: Lives | null,
  store: Store,
  settings: KeeperSettings,
): Promise<Sole> {
  const { promise: found, reject } = Promise.withResolvers<never>()
  // Whoever does not wait for it any more is not to be told.
  found.catch(() => undefined)
  if (lives === null) return { settings: {}, found }
  const rival = await askAdmission({ store, clock: startingClock }, settings)
  if (rival?.kind === 'twin') await lives.foundRival()
  if (rival !== null) throw rivalError(config, lives, rival.kind, rival.by)
  return {
    found,
    settings: {
      onHeld: () => void lives.confirmed(),
      onRival: (kind, by) => {
        // A name that another machine has is left to that one, and taken when it is free.
        if (kind === 'name') return
        const remembered = kind === 'twin' ? lives.foundRival() : Promise.resolve()
        void remembered.then(() => reject(rivalError(config, lives, kind, by)))
      },
    },
  }
}

function rivalError({ stateDir }: Config, { file }: Lives, kind: Rival, by: HostName): RivalError {
  return new RivalError(`this machine must not run: ${rivalMessage(kind, by, { stateDir, file })}`)
}
