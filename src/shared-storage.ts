/** The storage that this host shares with others, from the configuration. */
import { join } from 'node:path'
import type { Config } from './config.ts'
import {
  createSharedDirectory,
  type SharedDirectory,
  type SharedDirectorySettings,
} from './host/files/shared-directory.ts'
import type { Clock } from './lib/clock.ts'
import { inTime } from './lib/deadline.ts'
import { deriveKey } from './lib/key-derivation.ts'
import type { Log } from './lib/log.ts'
import { systemRunner } from './lib/runner.ts'

/** What identifies a cloud to people; it keeps no secret. */
const CLOUD_BYTES = 8
/** How long a start waits for the first look, which goes on. */
const FIRST_LOOK_MS = 2_000

/** Where it is, and how it is known. Null: there is none. */
export function sharedDirectorySettings(
  { storage, runtimeDir }: Pick<Config, 'storage' | 'runtimeDir'>,
  secret: string | Uint8Array,
): SharedDirectorySettings | null {
  const { path } = storage.shared
  if (path === null) return null
  const cloud = deriveKey(secret, 'storage', CLOUD_BYTES).toString('hex')
  return { path, cloud, lockFile: join(runtimeDir, 'shared-storage.lock') }
}

/** Looks at it, so that the records know soon what this host reaches. */
export async function openSharedDirectory(
  config: Pick<Config, 'storage' | 'runtimeDir'>,
  secret: string | Uint8Array,
  tools: { readonly clock: Clock; readonly log: Log },
): Promise<SharedDirectory | null> {
  const settings = sharedDirectorySettings(config, secret)
  if (settings === null) return null
  const shared = createSharedDirectory(settings, { ...tools, run: systemRunner })
  await inTime(tools.clock, FIRST_LOOK_MS, shared.look())
  return shared
}
