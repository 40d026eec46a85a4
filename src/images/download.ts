/**
 * One file fetched from its source into a place of its own, however often the transfer breaks and
 * whoever began it.
 *
 * Beside the file lies what is known of it (`stateFileOf`), so that a fresh daemon goes on where
 * the last one was.
 */
import type { Hash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { hashInto } from '../lib/digest.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, pauseMs } from '../lib/retry.ts'
import { AtollError, explain, refused, unavailable } from '../model/errors.ts'
import { KIB, MIB } from '../model/sizes.ts'
import { openPart, type Part } from './partial-file.ts'
import type { Opened, Source } from './source.ts'

/** What a download needs, apart from what it downloads. */
export interface DownloadTools {
  /** Largest file. */
  readonly maxBytes: number
  readonly clock: Clock
  readonly log: Log
  /** Ends the work. What was fetched stays. */
  readonly signal: AbortSignal
  /** Told a short sentence as often as there is news. */
  readonly progress: (message: string) => void
  /** Resolves when the file may grow to this size; rejects with why it may not. */
  readonly room: (bytes: number) => Promise<void>
}

/** A file that is whole, and on the disk. */
interface Downloaded {
  /** What had been hashed before it, and its content. */
  readonly hash: Hash
  readonly bytes: number
}

/** Failures in a row until it is given up. */
const ATTEMPTS_MAX = 6
const PAUSES: Backoff = { firstMs: 500, lastMs: 30_000 }
/** An attempt that brought as much was no failure. */
const PROGRESS_BYTES = MIB
/** How often the content may turn out to be another in the middle. */
const RESTARTS_MAX = 3
/** A source that sends nothing for so long counts as broken. */
const IDLE_MS = 30_000
/** A source outside that sends less than this, in a time, counts as broken, too: 8 KiB a second. */
const RATE_WINDOW_MS = 60_000
const RATE_LEAST_BYTES = 480 * KIB
/**
 * A source outside that has not begun to send by then is given up, and not before: whether it is
 * absent, refuses, redirects to where nobody goes or is silent cannot be told by the time that it
 * takes.
 */
const BEGIN_MS = 30_000
/** Nobody waits longer for an image. */
const DEADLINE_MS = 12 * 3600 * 1000
/**
 * Room is asked for in steps while nobody knows how long the file is, or only a source outside says
 * so.
 */
const ROOM_STEP_BYTES = 64 * MIB

/**
 * Fetches `source` into `path`, from where an earlier attempt ended. `before` is what is hashed
 * before it. Errors: `refused` when it cannot be had, `unavailable` when it could not be had in
 * many attempts.
 */
export async function download(
  source: Source,
  path: string,
  before: Hash,
  tools: DownloadTools,
): Promise<Downloaded> {
  const { signal } = tools
  // What was begun is gone on with: a clone would have worked the first time.
  const begun = await stat(path).catch(() => null)
  if (begun === null && (await source.clone?.(path)) === true)
    return hashClone(source, path, before, tools)
  await using part = await openPart(path, source.name, before, signal)
  if (source.isOutside) await withBeginning(source, part, tools)
  else await untilWhole(source, part, tools, () => undefined)
  await part.sync()
  return { hash: part.hash(), bytes: part.bytes() }
}

/** As `untilWhole`, with a time until it has to have begun. */
async function withBeginning(source: Source, part: Part, tools: DownloadTools): Promise<void> {
  const { clock, signal } = tools
  const late = new AbortController()
  const ended = new AbortController()
  let begun = false
  const waiting = clock.sleep(BEGIN_MS, AbortSignal.any([signal, ended.signal])).then(
    () => begun || late.abort(notFetched(source, 'has not begun in time')),
    () => undefined,
  )
  try {
    const either = AbortSignal.any([signal, late.signal])
    await untilWhole(source, part, { ...tools, signal: either }, () => {
      begun = true
    })
  } catch (error) {
    const why = late.signal.aborted ? late.signal.reason : error
    if (!begun) await waiting
    signal.throwIfAborted()
    throw why
  } finally {
    ended.abort()
  }
}

/** Asks until all of it is here. `began` is called when the source has something to send. */
async function untilWhole(
  source: Source,
  part: Part,
  tools: DownloadTools,
  began: () => void,
): Promise<void> {
  const { clock, signal, log } = tools
  const deadline = clock.monotonic() + DEADLINE_MS
  let failures = 0
  let restarts = 0
  for (;;) {
    const had = part.bytes()
    const { error, restarted } = await attempt(source, part, tools, began)
    if (error === null) return
    if (restarted) restarts += 1
    else if (part.bytes() - had >= PROGRESS_BYTES) failures = 0
    failures += 1
    if (failures >= ATTEMPTS_MAX || restarts > RESTARTS_MAX || clock.monotonic() > deadline)
      throw error
    log.debug({ source: source.name, error, failures, had }, 'transfer broke off, trying again')
    await clock.sleep(pauseMs(PAUSES, failures), signal)
  }
}

async function hashClone(
  source: Source,
  path: string,
  before: Hash,
  { maxBytes, room, signal }: DownloadTools,
): Promise<Downloaded> {
  const { size } = await stat(path)
  if (size > maxBytes) throw tooLarge(source, maxBytes)
  await room(size)
  await using file = await open(path, 'r')
  const hash = before.copy()
  await hashInto(hash, file, size, signal)
  await file.sync()
  return { hash, bytes: size }
}

/** What one transfer came to: `error` is why it did not reach the end. */
interface Outcome {
  readonly error: AtollError | null
  /** What was at hand before is lost: the content is another. */
  readonly restarted: boolean
}

/** Asks the source once and takes what it sends. Rejects when asking again will not help. */
async function attempt(
  source: Source,
  part: Part,
  tools: DownloadTools,
  began: () => void,
): Promise<Outcome> {
  const watchdog = startWatchdog(source, tools.clock, tools.signal)
  const broken = (error: unknown): AtollError => {
    tools.signal.throwIfAborted()
    const why: unknown = watchdog.signal.aborted ? watchdog.signal.reason : error
    if (source.isOutside) return notFetched(source, why)
    if (!(why instanceof AtollError))
      return unavailable(`${source.name} broke off: ${explain(why)}`, why)
    if (why.kind === 'unavailable') return why
    throw why
  }
  try {
    const opened = await source.open(part.position(), watchdog.signal).catch(broken)
    if (opened instanceof AtollError) return { error: opened, restarted: false }
    began()
    if (opened.totalBytes !== null && opened.totalBytes > tools.maxBytes)
      throw tooLarge(source, tools.maxBytes)
    const restarted = await part.begin(opened)
    const error = await take(source, opened, part, { ...tools, broken, alive: watchdog.alive })
    return { error, restarted }
  } finally {
    watchdog.end()
  }
}

interface TakeTools extends DownloadTools {
  readonly broken: (error: unknown) => AtollError
  readonly alive: (bytes: number) => void
}

/** Writes what comes. Resolves with null at the end, and with why the end was not reached. */
async function take(
  source: Source,
  opened: Opened,
  part: Part,
  { maxBytes, room, progress, broken, alive }: TakeTools,
): Promise<AtollError | null> {
  const total = part.totalBytes()
  // What a source outside announces costs it nothing, and images of others would go for it: it gets
  // room as it sends.
  let reserved = source.isOutside || total === null ? part.bytes() : total
  if (reserved > part.bytes()) await room(reserved)
  const failures: AtollError[] = []
  const chunks = untilBroken(opened.body, (why) => {
    failures.push(broken(why))
  })
  for await (const chunk of chunks) {
    const bytes = part.bytes() + chunk.length
    if (bytes > maxBytes) throw tooLarge(source, maxBytes)
    if (total !== null && bytes > total)
      return broken(
        unavailable(`${source.name} sends more than the ${total} bytes that it announced`),
      )
    if (bytes > reserved) {
      reserved = Math.min(total ?? maxBytes, bytes + ROOM_STEP_BYTES)
      await room(reserved)
    }
    await part.append(chunk)
    alive(chunk.length)
    progress(`${source.verb}: ${share(bytes, total)}`)
  }
  const [failure] = failures
  if (failure !== undefined) return failure
  if (total === null || part.bytes() === total) return null
  return broken(unavailable(`${source.name} ended after ${part.bytes()} of ${total} bytes`))
}

/**
 * All that comes until the source fails, which must not be taken for a failure of whoever takes it.
 */
async function* untilBroken(
  body: AsyncIterable<Uint8Array>,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    failed(error)
  }
}

/** `42 % of 310 MiB`, or `120 MiB` when nobody knows of how much. */
function share(bytes: number, total: number | null): string {
  if (total === null) return `${Math.floor(bytes / MIB)} MiB`
  return `${Math.floor((bytes / total) * 100)} % of ${Math.ceil(total / MIB)} MiB`
}

/** All that anybody but the operator learns of a failure elsewhere; `why` is for the log. */
function notFetched({ name }: Source, why: unknown): AtollError {
  return unavailable(`${name} cannot be fetched from this host`, why)
}

function tooLarge({ name }: Source, maxBytes: number): AtollError {
  return refused(
    'InvalidParameterValue',
    `${name} is larger than ${maxBytes} bytes (setting images.maxGiB)`,
  )
}

/**
 * Aborts its signal when `alive` was not called for `IDLE_MS`, or with too few bytes of a source
 * outside; and when it ends, so that nothing of the transfer goes on.
 */
function startWatchdog({ name, isOutside }: Source, clock: Clock, outer: AbortSignal) {
  const silent = new AbortController()
  let heardAt = clock.monotonic()
  let bytes = 0
  async function watch(): Promise<void> {
    for (;;) {
      const leftMs = heardAt + IDLE_MS - clock.monotonic()
      if (leftMs <= 0) break
      await clock.sleep(leftMs, silent.signal)
    }
    silent.abort(unavailable(`${name} has been silent for ${IDLE_MS / 1000} seconds`))
  }
  async function watchRate(): Promise<void> {
    for (let had = 0; ; had = bytes) {
      await clock.sleep(RATE_WINDOW_MS, silent.signal)
      if (bytes - had < RATE_LEAST_BYTES) break
    }
    silent.abort(unavailable(`${name} sends less than ${RATE_LEAST_BYTES} bytes in a minute`))
  }
  // They are ended by their own signal, and have nothing else to fail of.
  watch().catch(() => undefined)
  if (isOutside) watchRate().catch(() => undefined)
  return {
    signal: AbortSignal.any([outer, silent.signal]),
    alive(more: number) {
      heardAt = clock.monotonic()
      bytes += more
    },
    end: () => silent.abort(),
  }
}
