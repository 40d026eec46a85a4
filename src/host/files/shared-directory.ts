/**
 * A directory that several hosts reach by the operator's own means (NFS, GFS2, ...), in which root
 * disks are: `volumes/<volume id>/disk.qcow2`.
 *
 * - It is what its marker says, a file that `initSharedDirectory` writes once. So a directory where
 *   nothing is mounted, or something else, is never taken for it.
 * - Its file server may fall silent, and who uses it then stands still, without a deadline and
 *   deaf to signals. So only other processes use it (`shared-directory.sh`); one that stands still
 *   is left behind. What it does when it can go on harms nobody.
 * - What is found in it is from outside: links are never followed.
 */
import type { Clock } from '../../lib/clock.ts'
import { createLastLook } from '../../lib/last-look.ts'
import type { Log } from '../../lib/log.ts'
import { failureOf, type Runner, type RunResult } from '../../lib/runner.ts'
import { messageOf, refused, unavailable } from '../../model/errors.ts'
import type { StoragePlace } from '../../model/storage.ts'
import { formatMarker, parseMarker } from '../storage-marker.ts'

/** Where it is, and how it is known. */
export interface SharedDirectorySettings {
  /** Where this host has it. */
  readonly path: string
  /** Of this cloud: its marker says whose the directory is. */
  readonly cloud: string
  /** A file of this host, which a look holds that stands still. */
  readonly lockFile: string
}

/** What a look has found. */
type SharedLook =
  | { readonly storage: string; readonly freeBytes: number }
  | { readonly problem: string }

/** An empty disk, or one on a base that is not opened. */
interface SharedDiskOrder {
  readonly base: { readonly path: string; readonly format: string } | null
  readonly sizeBytes: number
}

/** What a process needs to open a disk by itself (`shared-place.sh`). */
export interface SharedDiskFile {
  readonly kind: 'file'
  readonly directory: string
  /** What the file with this name has to contain. */
  readonly marker: string
  readonly volume: string
}

export interface SharedDirectory {
  readonly kind: 'shared'
  /**
   * The storage that this host reaches, by the last look; null: none. Begins another look when the
   * last one is old. Never waits.
   */
  storage(): string | null
  /** Looks now. */
  look(): Promise<SharedLook>
  /**
   * Makes a disk, unless it is there: then it stays as it is. Errors: `unavailable`, `refused`.
   */
  make(place: StoragePlace, order: SharedDiskOrder): Promise<void>
  /** Errors: `refused` when there is no such disk, `unavailable`. */
  find(place: StoragePlace): Promise<void>
  /** Removes a disk, if it is there. Errors: `unavailable`, `refused`. */
  remove(place: StoragePlace): Promise<void>
  file(place: StoragePlace): SharedDiskFile
}

/** What both scripts know of the directory. */
export const SHARED_PLACE = `${import.meta.dirname}/shared-place.sh`
const PROGRAM = `${import.meta.dirname}/shared-directory.sh`

const LOOK_EVERY_MS = 5_000
/** A file server that fails over is silent for longer, and then counts as away. */
const LOOK_MS = 10_000
const WORK_MS = 20_000
/** Of a large file. */
const REMOVE_MS = 60_000
const OUTPUT_BYTES = 8192

const SILENT = 'its file server does not answer: a process that reads it stands still'
/** Exit codes of the scripts. */
const NO_DIRECTORY = 10
const NO_MARKER = 11
const OTHER_MARKER = 12
const NO_DISK = 13
const LINK = 14
const STANDS_STILL = 15
const TAKEN = 16

/** Nothing is read before the first call. */
export function createSharedDirectory(
  settings: SharedDirectorySettings,
  { run, clock, log }: { readonly run: Runner; readonly clock: Clock; readonly log: Log },
): SharedDirectory {
  const { path, cloud } = settings
  const looks = createLastLook<SharedLook>({
    clock,
    look: () => look(settings, run).catch((error: unknown) => ({ problem: messageOf(error) })),
    ageMs: () => LOOK_EVERY_MS,
    heard(now, before) {
      const problem = problemIn(now)
      if (problem === problemIn(before) && storageIn(now) === storageIn(before)) return
      if (problem === null) log.info({ path, storage: storageIn(now) }, 'shared storage is there')
      else log.warn({ path, problem }, 'shared storage is not there')
    },
  })

  /** Not while the directory is known not to answer: each attempt might leave a process. */
  async function work(place: StoragePlace, action: readonly string[], timeoutMs: number) {
    const now = looks.last() ?? (await looks.lookNow())
    const problem = problemIn(now)
    if (problem !== null) throw unavailable(`${path} (storage.shared.path): ${problem}`)
    const marker = formatMarker({ cloud, storage: place.storage })
    throwUnlessDone(path, await runIn(settings, run, marker, action, timeoutMs))
  }

  return {
    kind: 'shared',
    storage: () => storageIn(looks.known()),
    look: looks.lookNow,
    async make(place, { base, sizeBytes }) {
      const { volume } = place
      // `-u` does not open the base, which was inspected when it was fetched.
      const on = base === null ? [] : ['-u', '-b', base.path, '-F', base.format]
      await work(place, ['make', volume, String(sizeBytes), ...on], WORK_MS)
    },
    find: (place) => work(place, ['find', place.volume], WORK_MS),
    remove: (place) => work(place, ['remove', place.volume], REMOVE_MS),
    file: ({ storage, volume }) => ({
      kind: 'file',
      directory: path,
      marker: formatMarker({ cloud, storage }),
      volume,
    }),
  }
}

/**
 * Makes the directory a new storage of this cloud, and returns its id. Errors: `refused` when it is
 * one already, `unavailable`.
 */
export async function initSharedDirectory(
  settings: SharedDirectorySettings,
  run: Runner,
): Promise<string> {
  const marker = formatMarker({ cloud: settings.cloud, storage: 'st-NEW' })
  const done = await runIn(settings, run, marker, ['init'], WORK_MS)
  throwUnlessDone(settings.path, done)
  const made = parseMarker('shared', done.stdout)
  if (made === null) throw unavailable(`${settings.path}: its marker cannot be read again`)
  return made.storage
}

function problemIn(look: SharedLook | null): string | null {
  return look !== null && 'problem' in look ? look.problem : null
}

function storageIn(look: SharedLook | null): string | null {
  return look !== null && 'storage' in look ? look.storage : null
}

async function look(settings: SharedDirectorySettings, run: Runner): Promise<SharedLook> {
  const result = await runIn(settings, run, '', ['look'], LOOK_MS)
  const problem = problemOf(result)
  if (problem !== null) return { problem }
  const end = result.stdout.indexOf('\n')
  const space = /^(\d{1,18}) (\d{1,9})$/.exec(result.stdout.slice(0, end))
  const marker = parseMarker('shared', result.stdout.slice(end + 1))
  if (space === null || marker === null)
    return { problem: 'the file atoll-storage.json in it is not one of Atoll' }
  const { cloud, storage } = marker
  if (cloud !== settings.cloud) return { problem: 'it is the storage of another cloud' }
  return { storage, freeBytes: Number(space[1]) * Number(space[2]) }
}

function runIn(
  { path, lockFile }: SharedDirectorySettings,
  run: Runner,
  marker: string,
  action: readonly string[],
  timeoutMs: number,
): Promise<RunResult> {
  const args = [PROGRAM, SHARED_PLACE, lockFile, path, marker, ...action]
  return run('bash', args, { timeoutMs, outputLimitBytes: OUTPUT_BYTES, group: true })
}

/** Why it failed, in words; null: it did not. */
function problemOf(result: RunResult): string | null {
  if (result.stoppedBy === 'timeout') return SILENT
  switch (result.exitCode) {
    case 0:
      return null
    case NO_DIRECTORY:
      return 'it cannot be entered: is it mounted?'
    case NO_MARKER:
      return 'it has no file atoll-storage.json: mount it; if it is new, atoll storage init makes the file'
    case OTHER_MARKER:
      return 'another storage is mounted there'
    case NO_DISK:
      return 'the disk is not there'
    case LINK:
      return 'a symbolic link is where none may be'
    case STANDS_STILL:
      return SILENT
    case TAKEN:
      return 'it is a storage already: atoll-storage.json says which'
    default:
      return failureOf(result)
  }
}

function throwUnlessDone(path: string, result: RunResult): void {
  const problem = problemOf(result)
  if (problem === null) return
  const message = `${path}: ${problem}`
  const isForGood = [NO_DISK, LINK, TAKEN].includes(result.exitCode ?? 0)
  throw isForGood ? refused('UnsupportedOperation', message) : unavailable(message)
}
