/** The storage that this host shares with others, from the configuration. */
import { join } from 'node:path'
import { fencesOfOthers } from './agent/storage-return.ts'
import type { Config } from './config.ts'
import { cephKeyring } from './host/ceph/commands.ts'
import { type CephPoolSettings, initCephPool } from './host/ceph/looks.ts'
import { type CephPool, createCephPool } from './host/ceph/pool.ts'
import {
  createSharedDirectory,
  initSharedDirectory,
  type SharedDirectorySettings,
} from './host/files/shared-directory.ts'
import type { SharedStorage } from './host/shared-storage.ts'
import type { Clock } from './lib/clock.ts'
import { inTime } from './lib/deadline.ts'
import { deriveKey } from './lib/key-derivation.ts'
import type { Log } from './lib/log.ts'
import { systemRunner } from './lib/runner.ts'
import type { Store } from './store/store.ts'

/** What identifies a cloud to people; it keeps no secret. */
const CLOUD_BYTES = 8
/** Of the id of a storage, and of what is unique in one. */
const ID_BYTES = 8
const UNIQUE_BYTES = 16
/** How long a start waits for the first look, which goes on. */
const FIRST_LOOK_MS = 2_000

type RandomBytes = (bytes: number) => Uint8Array
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
/** Ids that are never the same twice, in any host's process. */
const idsFrom = (randomBytes: RandomBytes) => () => hexOf(randomBytes(UNIQUE_BYTES))

type StorageConfig = Pick<Config, 'storage' | 'runtimeDir' | 'host'>

/** Where it is, and how it is known. Null: there is none. */
function settingsOf(
  { storage, runtimeDir, host }: StorageConfig,
  secret: string | Uint8Array,
):
  | { readonly kind: 'shared'; readonly settings: SharedDirectorySettings }
  | { readonly kind: 'ceph'; readonly settings: CephPoolSettings }
  | null {
  const cloud = deriveKey(secret, 'storage', CLOUD_BYTES).toString('hex')
  const { path } = storage.shared
  if (path !== null) {
    const lockFile = join(runtimeDir, 'shared-storage.lock')
    return { kind: 'shared', settings: { path, cloud, lockFile } }
  }
  const { pool, user, conf } = storage.ceph
  if (pool === null) return null
  const keyring = storage.ceph.keyring ?? cephKeyring(conf, user)
  return { kind: 'ceph', settings: { pool, user, conf, keyring, cloud, host: host.name } }
}

/** Looks at it, so that the records know soon what this host reaches. */
export async function openSharedStorage(
  config: StorageConfig,
  secret: string | Uint8Array,
  tools: {
    readonly clock: Clock
    readonly log: Log
    readonly store: Pick<Store, 'read' | 'change'>
    readonly randomBytes: RandomBytes
  },
): Promise<SharedStorage | null> {
  const found = settingsOf(config, secret)
  if (found === null) return null
  const { clock, log, store } = tools
  const newId = idsFrom(tools.randomBytes)
  const fences = fencesOfOthers(store, config.host.name, newId)
  const all = { clock, log, newId, fences, run: systemRunner }
  const shared =
    found.kind === 'ceph'
      ? createCephPool(found.settings, all)
      : createSharedDirectory(found.settings, all)
  const looked = shared.look().then(() => undefined)
  await inTime(clock, FIRST_LOOK_MS, looked)
  return shared
}

/** Has lost hosts refused, if it is reached at all. Errors: `unavailable`. */
export async function refuseLost(pool: Pick<CephPool, 'storage' | 'refuseLost'>): Promise<void> {
  const storage = pool.storage()
  if (storage !== null) await pool.refuseLost(storage, true)
}

/**
 * Makes what the configuration names a new storage of this cloud. Returns what it is and its id.
 * Errors: `refused` when it is one already, `unavailable`.
 */
export async function initSharedStorage(
  config: StorageConfig,
  secret: string | Uint8Array,
  randomBytes: RandomBytes,
): Promise<{ readonly name: string; readonly storage: string }> {
  const found = settingsOf(config, secret)
  if (found === null)
    throw new Error('set storage.shared.path or storage.ceph.pool, the same storage on each host')
  if (found.kind === 'shared') {
    const storage = await initSharedDirectory(found.settings, systemRunner)
    return { name: found.settings.path, storage }
  }
  const random = hexOf(randomBytes(ID_BYTES))
  const storage = await initCephPool(found.settings, systemRunner, random)
  return { name: `the pool ${found.settings.pool}`, storage }
}
