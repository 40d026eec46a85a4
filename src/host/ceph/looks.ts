/**
 * What a pool of Ceph is, by its marker, and from which address this host reaches it. A look is a
 * few commands; between looks the last answer counts.
 */
import type { Clock } from '../../lib/clock.ts'
import { createLastLook, type LastLook } from '../../lib/last-look.ts'
import type { Log } from '../../lib/log.ts'
import type { Runner } from '../../lib/runner.ts'
import { messageOf, refused } from '../../model/errors.ts'
import { MIB } from '../../model/sizes.ts'
import { newStorageId } from '../../model/storage.ts'
import { formatMarker, parseMarker } from '../storage-marker.ts'
import { parseLockAddress } from './answers.ts'
import {
  type CephAccess,
  type CephCommands,
  CODES,
  createCephCommands,
  expectDone,
  sized,
  wordsOf,
} from './commands.ts'

/** How it is reached and known. */
export interface CephPoolSettings extends CephAccess {
  /** Of this cloud: its marker says whose the pool is. */
  readonly cloud: string
  /** This host, for the cluster's list of who asks for its address. */
  readonly host: string
}

/** What a look has found. */
export type CephLook =
  | { readonly storage: string }
  | {
      readonly problem: string
      /** Whether the cluster has answered that it refuses this host. */
      readonly isRefused: boolean
    }

/** The looks of this process. */
export interface CephLooks extends LastLook<CephLook> {
  /** The address from which the cluster was reached the last time; null: not known. */
  address(): string | null
}

/** The image that has the marker, and names the bases. */
export const MARKER_IMAGE = 'atoll-storage'
const MARKER_KEY = 'atoll.marker'
/** Lists who asked for its address lately. */
const HOSTS_OBJECT = 'atoll-hosts'

const LOOK_EVERY_MS = 15_000
/** A cluster that has lost a host answers again some seconds later. */
const LOOK_AGAIN_MS = 2_000
const LOOK_MS = 10_000
/** The address changes seldom, and asking takes two commands. */
const ADDRESS_EVERY_MS = 300_000
const ADDRESS_SECONDS = 60

/** Nothing is asked before the first call. */
export function createLooks(
  settings: CephPoolSettings,
  commands: CephCommands,
  { clock, log, newId }: { readonly clock: Clock; readonly log: Log; readonly newId: () => string },
): CephLooks {
  const { pool } = settings
  let address: string | null = null
  let askedMs = Number.NEGATIVE_INFINITY
  let isUntold = false

  async function look(): Promise<CephLook> {
    const marker = await readMarker(settings, commands)
    if ('problem' in marker) return marker
    if (address === null || clock.monotonic() - askedMs > ADDRESS_EVERY_MS) {
      const told = await askAddress(settings, commands, newId)
      if (told === null && !isUntold) log.warn({ pool, address }, NO_ADDRESS)
      isUntold = told === null
      address = told ?? address
      askedMs = clock.monotonic()
    }
    return marker
  }

  const looks = createLastLook<CephLook>({
    clock,
    look: () => look().catch((error: unknown) => problem(messageOf(error))),
    ageMs: (found) => ('storage' in found ? LOOK_EVERY_MS : LOOK_AGAIN_MS),
    heard(now, before) {
      if (JSON.stringify(now) === JSON.stringify(before)) return
      if ('problem' in now) log.warn({ pool, ...now }, 'the pool of Ceph is not there')
      else log.info({ pool, ...now, address }, 'the pool of Ceph is there')
    },
  })
  return { ...looks, address: () => address }
}

async function readMarker(
  { pool, cloud }: CephPoolSettings,
  commands: CephCommands,
): Promise<CephLook> {
  const args = ['image-meta', 'get', `${pool}/${MARKER_IMAGE}`, MARKER_KEY]
  const result = await commands.tell('rbd', args, { timeoutMs: LOOK_MS })
  if (result.exitCode === CODES.missing)
    return problem('it is not there, or is no storage yet: atoll storage init makes it one')
  if (result.exitCode !== 0)
    return { problem: wordsOf(result), isRefused: result.exitCode === CODES.fenced }
  const marker = parseMarker('ceph', result.stdout)
  if (marker === null) return problem(`${MARKER_KEY} of ${MARKER_IMAGE} is not one of Atoll`)
  if (marker.cloud !== cloud) return problem('it is the storage of another cloud')
  return { storage: marker.storage }
}

function problem(why: string): CephLook {
  return { problem: why, isRefused: false }
}

const NO_ADDRESS =
  'the cluster does not say from which address this host comes: without one, nothing with a disk in the pool is started elsewhere when this host is lost'

/**
 * The address that the cluster sees: it lists whoever holds a lock. The lock harms nobody, and ends
 * by itself.
 */
async function askAddress(
  { pool, host }: CephPoolSettings,
  commands: CephCommands,
  newId: () => string,
): Promise<string | null> {
  const lock = ['--pool', pool, 'lock']
  const cookie = `${host}-${newId()}`
  const options = ['--lock-cookie', cookie, '--lock-type', 'shared', '--lock-tag', 'atoll']
  const args = [...lock, 'get', HOSTS_OBJECT, host, ...options]
  const timed = [...args, '--lock-duration', String(ADDRESS_SECONDS)]
  const taken = await commands.tell('rados', timed, { timeoutMs: LOOK_MS })
  expectDone(taken, HOSTS_OBJECT)
  const info = [...lock, 'info', HOSTS_OBJECT, host, '--format', 'json']
  const told = await commands.tell('rados', info, { timeoutMs: LOOK_MS })
  expectDone(told, HOSTS_OBJECT)
  return parseLockAddress(told.stdout, cookie) ?? null
}

/**
 * Makes the pool a new storage of this cloud, and returns its id. Errors: `refused` when it is one
 * already, `unavailable`.
 */
export async function initCephPool(
  settings: CephPoolSettings,
  run: Runner,
  /** 16 hexadecimal digits. */
  random: string,
): Promise<string> {
  const { pool, cloud } = settings
  const commands = createCephCommands(settings, run)
  const name = `${pool}/${MARKER_IMAGE}`
  const args = ['create', ...sized(MIB), '--image-feature', 'layering', name]
  const made = await commands.tell('rbd', args)
  if (made.exitCode === CODES.exists)
    throw refused(
      'UnsupportedOperation',
      `${name} is there already: the pool is a storage, or a first attempt was interrupted; in that case remove it (rbd rm ${name})`,
    )
  expectDone(made, name)
  const storage = newStorageId('ceph', random)
  const marker = formatMarker({ cloud, storage })
  expectDone(await commands.tell('rbd', ['image-meta', 'set', name, MARKER_KEY, marker]), name)
  return storage
}
