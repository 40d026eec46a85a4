/**
 * Writes the lines of the flow logs of a host. Each flow log waits for itself only: one whose
 * destination hangs, refuses or is full delays no other, and what waits is limited. What is left
 * out is counted.
 */

import type { Clock } from '../../lib/clock.ts'
import { inTime, withDeadline } from '../../lib/deadline.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { createLimit } from '../../lib/queue.ts'
import { createRoom, type Room } from '../../lib/room.ts'
import { unavailable } from '../../model/errors.ts'
import type { FlowLogId } from '../../model/ids.ts'
import { MIB } from '../../model/sizes.ts'
import { type Batch, type Piece, piecesOf, type Sink } from './sinks.ts'

/** Intervals of one flow log that wait. The oldest go first. */
const WAITING_MAX = 20
/** Of all flow logs. The oldest of the one with most go first. */
const WAITING_BYTES = 64 * MIB
/** Flows of all flow logs that are collected at once: 40 MB. */
const FLOWS_MAX = 100_000
/** Between two attempts, doubled each time. */
const RETRY_MS = { first: 5_000, most: 60_000 }
/** What no destination takes in this time is given up. Its flow log may be gone. */
const WAITING_MS = 4 * 3600_000
/** For one piece, to all endpoints of the service. */
const WRITE_MS = 60_000
/** Pieces that are written at once, and those of one account. */
const PLACES = { places: 4, ofOne: 3 }
/** Files that cannot be written, after which the others of a flow log are not tried, either. */
const REFUSING_MAX = 10
/** How long the end of the daemon waits. */
const CLOSE_MS = 3_000

/** Declared by whatever reads and by what writes. */
export const FLOW_LOG_ERRORS = {
  name: 'atoll_flow_log_errors_total',
  help: 'Times flow logs could not be read (read) or written (write), or lines were lost (lost)',
  labels: ['what'],
} as const

/** Where the lines of all namespaces of a host go. */
export interface FlowLogOutput {
  /** Takes the lines at once, and writes them in its own time. */
  take(batch: Batch): void
  /** For flows that are collected: all flow logs of a host share it. */
  readonly room: Room
}

export interface FlowLogWriter extends FlowLogOutput {
  /** Tries once more what waits, for some seconds. */
  close(): Promise<void>
}

interface WaitingBatch {
  readonly pieces: Piece[]
  /** By the monotonic clock. */
  readonly since: number
}

/** What waits of one flow log. */
interface Lane {
  readonly waiting: WaitingBatch[]
  bytes: number
  failures: number
  isWriting: boolean
  stop: () => void
}

export interface FlowLogWriterOptions {
  readonly sink: Sink
  /** Of the names of objects. */
  readonly region: string
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly log: Log
  readonly metrics: Metrics
}

/** Nothing waits yet. */
export function createFlowLogWriter(options: FlowLogWriterOptions): FlowLogWriter {
  const writer = new Writer(options)
  return {
    take: (batch) => writer.take(batch),
    room: createRoom(FLOWS_MAX),
    close: () => writer.close(),
  }
}

class Writer {
  readonly #options: FlowLogWriterOptions
  readonly #lanes = new Map<FlowLogId, Lane>()
  readonly #places = createLimit(PLACES)
  readonly #pending = new Set<Promise<void>>()
  readonly #ended = new AbortController()
  readonly #failures: ReturnType<typeof declare>['failures']
  readonly #records: ReturnType<typeof declare>['records']
  #bytes = 0

  constructor(options: FlowLogWriterOptions) {
    this.#options = options
    const { failures, records } = declare(options.metrics)
    this.#failures = failures
    this.#records = records
  }

  take(batch: Batch): void {
    const { id } = batch.log
    const pieces = [...piecesOf(batch, this.#options.region)]
    if (pieces.length === 0) return
    const lane = this.#lanes.get(id) ?? {
      ...{ waiting: [], bytes: 0, failures: 0, isWriting: false, stop: () => undefined },
    }
    this.#lanes.set(id, lane)
    lane.waiting.push({ pieces, since: this.#options.clock.monotonic() })
    this.#count(lane, sizeOf(pieces))
    if (lane.waiting.length > WAITING_MAX) this.#lose(id, lane)
    while (this.#bytes > WAITING_BYTES) {
      const largest = [...this.#lanes].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a))
      this.#lose(...largest)
    }
    // One that has failed waits for its next attempt.
    if (lane.failures === 0) this.#start(id, lane)
  }

  async close(): Promise<void> {
    for (const [id, lane] of this.#lanes) {
      lane.stop()
      this.#start(id, lane)
    }
    await inTime(this.#options.clock, CLOSE_MS, this.#idle())
    this.#ended.abort(unavailable('the daemon ends'))
    for (const [id, lane] of this.#lanes) while (lane.waiting.length > 0) this.#lose(id, lane)
  }

  /** Resolves when nothing is being written. What came meanwhile is written, too. */
  async #idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  #count(lane: Lane, bytes: number): void {
    lane.bytes += bytes
    this.#bytes += bytes
  }

  /** Leaves out what has waited longest. */
  #lose(flowLog: FlowLogId, lane: Lane): void {
    const lost = lane.waiting.shift()?.pieces ?? []
    const records = lost.reduce((sum, piece) => sum + piece.records, 0)
    this.#count(lane, -sizeOf(lost))
    this.#failures.inc({ what: 'lost' })
    this.#records.inc({ outcome: 'lost' }, records)
    this.#options.log.warn({ flowLog, records }, 'records of a flow log are lost')
  }

  #start(id: FlowLogId, lane: Lane): void {
    if (lane.isWriting || this.#ended.signal.aborted) return
    lane.isWriting = true
    const done = this.#write(id, lane).finally(() => {
      lane.isWriting = false
      this.#pending.delete(done)
      if (this.#ended.signal.aborted) return
      if (lane.waiting.length === 0) this.#lanes.delete(id)
      else if (lane.failures === 0) this.#start(id, lane)
      else lane.stop = this.#options.clock.after(waitOf(lane), () => this.#start(id, lane))
    })
    this.#pending.add(done)
  }

  /** Tries all that waits, the oldest first. What fails is not tried for later intervals. */
  async #write(id: FlowLogId, lane: Lane): Promise<void> {
    const refusing = new Set<string>()
    for (const batch of [...lane.waiting])
      for (const piece of [...batch.pieces]) {
        const isLeftOut = !lane.waiting.includes(batch)
        if (isLeftOut || refusing.size >= REFUSING_MAX || refusing.has(placeOf(piece))) continue
        if (await this.#put(id, lane, piece)) this.#done(lane, batch, piece)
        else refusing.add(placeOf(piece))
      }
    lane.failures = refusing.size > 0 ? lane.failures + 1 : 0
    const longAgo = this.#options.clock.monotonic() - WAITING_MS
    while ((lane.waiting[0]?.since ?? longAgo) < longAgo) this.#lose(id, lane)
  }

  #done(lane: Lane, batch: WaitingBatch, piece: Piece): void {
    const at = batch.pieces.indexOf(piece)
    // It was left out meanwhile.
    if (!lane.waiting.includes(batch) || at < 0) return
    batch.pieces.splice(at, 1)
    this.#count(lane, -sizeOf([piece]))
    this.#records.inc({ outcome: 'written' }, piece.records)
    if (batch.pieces.length === 0) lane.waiting.splice(lane.waiting.indexOf(batch), 1)
  }

  /** Whether it is written now. */
  async #put(flowLog: FlowLogId, lane: Lane, piece: Piece): Promise<boolean> {
    const { clock, log, sink } = this.#options
    const { signal } = this.#ended
    const late = () => unavailable('the destination of a flow log takes too long')
    try {
      // Nobody else may write to files meanwhile, and a late end of that would be a second copy.
      if (piece.to.kind === 'file')
        await this.#places.run({ owner: '', key: 'files' }, () => sink(piece, signal))
      else
        await this.#places.run({ owner: piece.account }, () =>
          withDeadline({ clock, ms: WRITE_MS, late, signal }, (over) => sink(piece, over)),
        )
      return true
    } catch (error) {
      this.#failures.inc({ what: 'write' })
      const told = { error, flowLog, account: piece.account }
      if (lane.failures === 0) log.warn(told, 'a flow log cannot be written')
      else log.debug(told, 'a flow log cannot be written')
      return false
    }
  }
}

function waitOf({ failures }: Lane): number {
  return Math.min(RETRY_MS.first * 2 ** (failures - 1), RETRY_MS.most)
}

/** What may be unable to take it. */
function placeOf({ to }: Piece): string {
  return to.kind === 'file' ? to.path.join('/') : to.bucket
}

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { text }) => sum + text.length, 0)
}

function declare(metrics: Metrics) {
  const { name, help, labels } = FLOW_LOG_ERRORS
  return {
    failures: metrics.counter(name, help, labels),
    records: metrics.counter(
      'atoll_flow_log_records_total',
      'Records of flow logs that were written, and those that were lost because no destination took them',
      ['outcome'],
    ),
  }
}
