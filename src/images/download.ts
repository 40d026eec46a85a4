/**
 * Fetches one file from its source. It continues after broken transfers, and after a restart of the
 * daemon.
 *
 * The state of the transfer is stored beside the file (`stateFileOf`).
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

/** What a download needs, besides its source. */
export interface DownloadTools {
  /** Largest file. */
  readonly maxBytes: number
  readonly clock: Clock
  readonly log: Log
  /** Ends the work. What was fetched stays. */
  readonly signal: AbortSignal
  /** Gets a short sentence whenever there is news. */
  readonly progress: (message: string) => void
  /** Resolves when the file may grow to this size. Rejects with the reason when it may not. */
  readonly room: (bytes: number) => Promise<void>
}

/** A complete file on the disk. */
interface Downloaded {
  /** The hash of what preceded the file, and of its content. */
  readonly hash: Hash
  readonly bytes: number
}

/** Consecutive failures until it is given up. */
const ATTEMPTS_MAX = 6
const PAUSES: Backoff = { firstMs: 500, lastMs: 30_000 }
/** An attempt that fetched this much does not count as a failure. */
const PROGRESS_BYTES = MIB
/** How often the content may change during the transfer. */
const RESTARTS_MAX = 3
/** A source that sends nothing for this long counts as broken. */
const IDLE_MS = 30_000
/** So does a source elsewhere that sends less than this in a time: 8 KiB a second. */
const RATE_WINDOW_MS = 60_000
const RATE_LEAST_BYTES = 480 * KIB
/**
 * A source elsewhere must begin to send within this time, and its failures are not reported
 * earlier. So the time does not reveal whether it is absent, refuses, redirects to a forbidden
 * address, or is silent.
 */
const BEGIN_MS = 30_000
/** Nobody waits longer for an image. */
const DEADLINE_MS = 12 * 3600 * 1000
/** Space is reserved in steps if the length is unknown, or only a source elsewhere states it. */
const ROOM_STEP_BYTES = 64 * MIB

/**
 * Fetches `source` into `path`, from where an earlier attempt ended. `before` is hashed before it.
 * Errors: `refused` when it is unavailable for good, `unavailable` after too many failed attempts.
 */
export async function download(
  source: Source,
  path: string,
  before: Hash,
  tools: DownloadTools,
): Promise<Downloaded> {
  const { signal } = tools
  // A partial file is continued. A clone would have worked at the first attempt.
  const begun = await stat(path).catch(() => null)
  if (begun === null && (await source.clone?.(path)) === true)
    return hashClone(source, path, before, tools)
  await using part = await openPart(path, source.name, before, signal)
  if (source.isOutside) await withBeginning(source, part, tools)
  else await untilWhole(source, part, tools, () => undefined)
  await part.sync()
  return { hash: part.hash(), bytes: part.bytes() }
}

/** Like `untilWhole`, with a time limit for the beginning. */
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

/**
 * Repeats requests until the file is complete. `began` is called when the source has content to
 * send.
 */
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

/** The result of one transfer. `error` is why it did not reach the end. */
interface Outcome {
  readonly error: AtollError | null
  /** The earlier part is discarded, because the content has changed. */
  readonly restarted: boolean
}

/** Makes one request, and stores what the source sends. Rejects when a repetition cannot help. */
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

/**
 * Writes what arrives. Resolves with null at the end, otherwise with the reason why the end was not
 * reached.
 */
async function take(
  source: Source,
  opened: Opened,
  part: Part,
  { maxBytes, room, progress, broken, alive }: TakeTools,
): Promise<AtollError | null> {
  const total = part.totalBytes()
  // A source elsewhere may announce any size, and other images would be evicted for it. So it gets
  // space only as it sends.
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
 * Yields what arrives until the source fails. Its failure must not look like a failure of the
 * consumer.
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

/** `42 % of 310 MiB`, or `120 MiB` when the total is unknown. */
function share(bytes: number, total: number | null): string {
  if (total === null) return `${Math.floor(bytes / MIB)} MiB`
  return `${Math.floor((bytes / total) * 100)} % of ${Math.ceil(total / MIB)} MiB`
}

/** The message about a failure elsewhere for everybody but the operator. `why` is for the log. */
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
 * elsewhere; and when it ends, so that nothing of the transfer goes on.
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
  // The watches only end by their own signal.
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
