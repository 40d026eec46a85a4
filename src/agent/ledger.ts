/**
 * The ledger: the last want, on disk, so that a host can bring its own instances back while every
 * shared engine is down.
 *
 * It promises that `local` never goes backwards, that the file holds one whole want at every moment
 * (written aside, synced, renamed into place, the directory synced), and that a file it cannot
 * trust is kept aside and never acted on. A disk that takes nothing is logged and does not stop the
 * host: the want lives on in memory and is written as soon as it can be.
 */
import { mkdir, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { hasCode } from '../lib/errno.ts'
import { replaceFile, syncPath } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import { unavailable } from '../model/errors.ts'
import type { HostWant, SharedWant } from '../model/want.ts'
import { ledgerSchema } from './ledger-schema.ts'

export interface LedgerSettings {
  /** Absolute path; its directory is made when missing. */
  readonly file: string
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}

export interface Ledger {
  /**
   * The newest want known to this host, or null when there is none. A damaged file is renamed to
   * `<file>.damaged`. Throws `unavailable` when the disk cannot be read: that is not the same as
   * having no want.
   */
  load(): Promise<HostWant | null>
  /**
   * Takes a want from the records and returns the one to apply: its shared part with whichever
   * local part is newer. Its local part is on disk on return unless the disk refused; where there
   * are many hosts, the shared part comes there with a later call, maybe. Nothing is written when
   * nothing changed.
   */
  accept(want: HostWant): Promise<HostWant>
}

/** Of the file's format. A file with another number is from another age and not understood. */
const FORMAT = 1
/**
 * While only the shared part changes it is written this often, times the number of other hosts, of
 * which each has its part in it.
 */
const SHARED_MS_PER_PEER = 20
/** Only root may read it: user data and public keys are in it. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** A ledger in `file`. Calls are taken one after the other. */
export function createLedger(settings: LedgerSettings): Ledger {
  const ledger = new FileLedger(settings)
  const inTurn = createQueue()
  return {
    load: () => inTurn(() => ledger.load()),
    accept: (want) => inTurn(() => ledger.accept(want)),
  }
}

/**
 * The want to apply when `fresh` was just read and `known` was the newest before. Pure. The same
 * generation may be read anew (an image's digest or a key may have come in), so it wins over the
 * known one; an older one, from a record server that lags, does not.
 */
export function newerWant(known: HostWant | null, fresh: HostWant): HostWant {
  if (known === null || known.local.host !== fresh.local.host) return fresh
  return fresh.local.generation >= known.local.generation
    ? fresh
    : { local: known.local, shared: fresh.shared }
}

class FileLedger {
  readonly #file: string
  readonly #log: Log
  readonly #clock: LedgerSettings['clock']
  /** undefined until the file was read. */
  #known: HostWant | null | undefined
  /** What of it is also on disk, and since when. */
  #onDisk: HostWant | null | undefined
  #onDiskSinceMs = Number.NEGATIVE_INFINITY
  /** The shared part that was written last, as JSON. */
  #shared: { readonly part: SharedWant; readonly text: string } | null = null
  /** What was accepted last, as it was read. */
  #accepted: HostWant | undefined

  constructor({ file, clock, log }: LedgerSettings) {
    this.#file = file
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
    // Most passes bring the very value of the last one.
    if (fresh === this.#accepted && this.#known && this.#onDisk === this.#known) return this.#known
    this.#accepted = fresh
    const known = await this.#loadForAccept()
    const want = newerWant(known, fresh)
    if (want.local !== fresh.local)
      this.#log.warn(
        { host: want.local.host, generation: fresh.local.generation, kept: want.local.generation },
        'records are older than what this host already did; its own part is kept',
      )
    // An equal want is the one that is known already: services may tell by its identity that
    // nothing changed.
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

  /** The records answer, so an unreadable disk is no reason to stand still. */
  async #loadForAccept(): Promise<HostWant | null> {
    try {
      return await this.load()
    } catch (error) {
      this.#log.error({ file: this.#file, error }, 'cannot read the ledger; continuing without it')
      return null
    }
  }

  async #read(): Promise<HostWant | null> {
    let text: string
    try {
      text = await readFile(this.#file, 'utf8')
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null
      throw unavailable('the ledger cannot be read', error)
    }
    const want = parseLedger(text)
    if (want === null) await this.#setAside()
    return want
  }

  async #setAside(): Promise<void> {
    const kept = `${this.#file}.damaged`
    try {
      await rename(this.#file, kept)
      this.#log.error({ file: this.#file, kept }, 'ledger is damaged and was set aside')
    } catch (error) {
      this.#log.error({ file: this.#file, error }, 'ledger is damaged and could not be set aside')
    }
  }

  /**
   * The file's content. Where there are many hosts nearly all of it is the shared part, which the
   * steps of an instance leave as it is.
   */
  #textOf({ local, shared }: HostWant): string {
    if (this.#shared?.part !== shared) this.#shared = { part: shared, text: JSON.stringify(shared) }
    const text = `{"local":${JSON.stringify(local)},"shared":${this.#shared.text}}`
    return `{"format":${FORMAT},"want":${text}}\n`
  }

  async #write(want: HostWant): Promise<void> {
    try {
      await writeDurably(this.#file, this.#textOf(want))
      this.#onDisk = want
      this.#onDiskSinceMs = this.#clock.monotonic()
    } catch (error) {
      this.#log.error(
        { file: this.#file, generation: want.local.generation, error },
        'could not write the ledger; a reboot would lose the newest desired state',
      )
    }
  }
}

/** The want in a ledger's text, or null when it is not exactly one. */
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

/** Has the file, and its name in the directory, on disk before it returns. */
async function writeDurably(file: string, text: string): Promise<void> {
  const directory = dirname(file)
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE })
  await replaceFile(file, text, FILE_MODE)
  await syncPath(directory)
}
