/**
 * The ledger: the last want, on disk. With it a host can restart its own instances while database
 * and broker are down.
 *
 * - Its `local` part never goes back to an older generation.
 * - The file holds one complete want at every moment: a new one is written to a temporary file,
 *   synced, renamed into place, and the directory is synced.
 * - A damaged file is set aside and never used.
 * - If the disk cannot be written, the error is logged and the host goes on. The want stays in
 *   memory and is written as soon as that is possible.
 */
import { readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { hasCode } from '../lib/errno.ts'
import { replaceFile, syncPath } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import { unavailable } from '../model/errors.ts'
import type { HostWant } from '../model/want.ts'
import { ledgerSchema } from './ledger-schema.ts'

export interface LedgerSettings {
  /** Absolute path. Its directory must exist. */
  readonly file: string
  /** What keeps the text. The file, unless given. */
  readonly disk?: LedgerDisk
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}

/** Keeps the text of a ledger. */
interface LedgerDisk {
  /** The text; null when there is none. */
  read(): Promise<string | null>
  /** Puts a text in the place of the one before. It is on disk on return. */
  replace(text: string): Promise<void>
  /** Moves a damaged text aside, and returns where. */
  setAside(): Promise<string>
}

export interface Ledger {
  /**
   * The newest want known to this host, or null when there is none. A damaged file is renamed to
   * `<file>.damaged`. Errors: `unavailable` when the disk cannot be read.
   */
  load(): Promise<HostWant | null>
  /**
   * Takes a want from the records and returns the one to apply: its shared part with the newer of
   * both local parts. The local part is on disk on return, unless writing failed. With many hosts
   * the shared part may be written by a later call. An unchanged want is not written.
   */
  accept(want: HostWant): Promise<HostWant>
}

/** The version of the file's format. A file of another version is not read. */
const FORMAT = 1
/**
 * While only the shared part changes, the shortest time between two writes is this, times the
 * number of other hosts. Each of them adds to its size and to its changes.
 */
const SHARED_MS_PER_PEER = 20
/** Readable by root only: it contains user data. */
const FILE_MODE = 0o600

/** A ledger in `file`. Calls run one after the other. */
export function createLedger(settings: LedgerSettings): Ledger {
  const ledger = new FileLedger(settings)
  const inTurn = createQueue()
  return {
    load: () => inTurn(() => ledger.load()),
    accept: (want) => inTurn(() => ledger.accept(want)),
  }
}

/**
 * The want to apply when `fresh` was just read and `known` was the newest before. Pure.
 *
 * A reading of the same generation wins, because an image's digest or a key may have been added. A
 * reading of an older generation, from a database node that lags, does not.
 */
export function newerWant(known: HostWant | null, fresh: HostWant): HostWant {
  if (known === null || known.local.host !== fresh.local.host) return fresh
  return fresh.local.generation >= known.local.generation
    ? fresh
    : { local: known.local, shared: fresh.shared }
}

class FileLedger {
  readonly #file: string
  readonly #disk: LedgerDisk
  readonly #log: Log
  readonly #clock: LedgerSettings['clock']
  /** Undefined until the file has been read. */
  #known: HostWant | null | undefined
  /** The want on disk, and since when it is there. */
  #onDisk: HostWant | null | undefined
  #onDiskSinceMs = Number.NEGATIVE_INFINITY
  /** The last want that was passed to `accept`. */
  #accepted: HostWant | undefined

  constructor({ file, disk = fileDisk(file), clock, log }: LedgerSettings) {
    this.#file = file
    this.#disk = disk
    this.#clock = clock
    this.#log = log
  }

  async load(): Promise<HostWant | null> {
    if (this.#known === undefined) {
      this.#known = await this.#read()
      this.#onDisk = this.#known
    }
    return this.#known
  }

  async accept(fresh: HostWant): Promise<HostWant> {
    // Most passes bring the same object as the last one.
    if (fresh === this.#accepted && this.#known && this.#onDisk === this.#known) return this.#known
    this.#accepted = fresh
    const known = await this.#loadForAccept()
    const want = newerWant(known, fresh)
    if (want.local !== fresh.local)
      this.#log.warn(
        { host: want.local.host, generation: fresh.local.generation, kept: want.local.generation },
        'records are older than the ledger; keeping the local part of the ledger',
      )
    // Return the known object for an equal want: services see by it that nothing changed.
    const newest = known !== null && isDeepStrictEqual(want, known) ? known : want
    this.#known = newest
    if (newest !== this.#onDisk && this.#isDue(newest)) await this.#write(newest)
    return newest
  }

  #isDue({ local, shared }: HostWant): boolean {
    if (!isDeepStrictEqual(local, this.#onDisk?.local)) return true
    const ageMs = this.#clock.monotonic() - this.#onDiskSinceMs
    return ageMs >= shared.peers.length * SHARED_MS_PER_PEER
  }

  /** The records answer, so the host goes on even if its disk cannot be read. */
  async #loadForAccept(): Promise<HostWant | null> {
    try {
      return await this.load()
    } catch (error) {
      this.#log.error({ file: this.#file, error }, 'cannot read the ledger; continuing without it')
      return null
    }
  }

  async #read(): Promise<HostWant | null> {
    const text = await this.#disk.read().catch((error: unknown) => {
      throw unavailable('the ledger cannot be read', error)
    })
    if (text === null) return null
    const want = parseLedger(text)
    if (want === null) await this.#setAside()
    return want
  }

  async #setAside(): Promise<void> {
    try {
      const kept = await this.#disk.setAside()
      this.#log.error({ file: this.#file, kept }, 'ledger is damaged and was set aside')
    } catch (error) {
      this.#log.error({ file: this.#file, error }, 'ledger is damaged and could not be set aside')
    }
  }

  async #write(want: HostWant): Promise<void> {
    try {
      await this.#disk.replace(`${JSON.stringify({ format: FORMAT, want })}\n`)
      this.#onDisk = want
      this.#onDiskSinceMs = this.#clock.monotonic()
    } catch (error) {
      this.#log.error(
        { file: this.#file, generation: want.local.generation, error },
        'could not write the ledger; after a reboot the host would start from an older one',
      )
    }
  }
}

/** Parses a ledger file. Returns null when it is damaged or of another format. */
export function parseLedger(text: string): HostWant | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  const parsed = ledgerSchema.safeParse(value)
  return parsed.success && parsed.data.format === FORMAT ? parsed.data.want : null
}

function fileDisk(file: string): LedgerDisk {
  return {
    async read() {
      try {
        return await readFile(file, 'utf8')
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return null
        throw error
      }
    },
    async replace(text) {
      await replaceFile(file, text, FILE_MODE)
      // The directory entry, too.
      await syncPath(dirname(file))
    },
    async setAside() {
      const kept = `${file}.damaged`
      await rename(file, kept)
      return kept
    },
  }
}
