/**
 * Sends running instances to the hosts that they move to: over two connections that the other host
 * has opened. The instance goes on here when one of them breaks, when the other host hangs up, and
 * when the move ends.
 */
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { CarriedFlow } from '../../model/carried-flow.ts'
import { messageOf, refused, unavailable } from '../../model/errors.ts'
import type { DepartingWant } from '../../model/move.ts'
import type { LiveMover } from '../driver.ts'
import { keyOfMove } from './key.ts'
import {
  FLOWS_PER_LINE,
  formatFlow,
  LIVE_PROTOCOL,
  type LiveStream,
  NEWS_EVERY_MS,
  type SaidNews,
  STANDS_STILL,
} from './live-protocol.ts'
import { createPaced, type Pace } from './pace.ts'

/** What is sent of a running instance. */
export interface LiveSources {
  readonly liveMoverOf: (want: DepartingWant) => LiveMover | undefined
  /** Its connections. Never rejects. */
  readonly flowsOf: (want: DepartingWant) => Promise<readonly CarriedFlow[]>
}

interface LiveSenderOptions extends LiveSources {
  readonly pace: Pace
  readonly clock: Clock
  readonly log: Log
}

/** What is sent now. */
export interface LiveSender {
  /** How it runs. Errors: `refused`, `unavailable`. */
  describe(want: DepartingWant): ReturnType<LiveMover['describe']>
  /** Takes a connection for it, in place of an earlier one. */
  connect(want: DepartingWant, what: LiveStream, socket: Duplex, head: Buffer): void
  /** Sends it, and answers how far it is. Errors before the first answer: as `describe`. */
  send(want: DepartingWant, response: ServerResponse): Promise<void>
  /** Ends all others. */
  keep(wants: readonly DepartingWant[]): void
}

/** The connections of one move, and what ends the sending over them. */
interface Passing {
  readonly streams: Map<LiveStream, Duplex>
  readonly abort: AbortController
  isSending: boolean
}

const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LIVE_PROTOCOL}\r\n\r\n`

/** Nothing is sent at first. */
export function createLiveSender(options: LiveSenderOptions): LiveSender {
  const { liveMoverOf, flowsOf, pace, clock, log } = options
  const all = new Map<string, Passing>()

  function moverOf(want: DepartingWant): LiveMover {
    const mover = want.live === true ? liveMoverOf(want) : undefined
    if (mover !== undefined) return mover
    throw refused('UnsupportedOperation', `${want.driver} moves no running instances`)
  }

  function end(key: string, { streams, abort }: Passing, why: string): void {
    abort.abort(unavailable(why))
    for (const stream of streams.values()) stream.destroy()
    if (all.get(key)?.abort === abort) all.delete(key)
  }

  return {
    describe: (want) => moverOf(want).describe(want.instance),
    connect(want, what, socket, head) {
      const key = keyOfMove(want)
      const before = all.get(key)
      if (before?.streams.has(what) === true || before?.isSending === true)
        end(key, before, 'the other host began once more')
      const passing = all.get(key) ?? {
        streams: new Map(),
        abort: new AbortController(),
        isSending: false,
      }
      all.set(key, passing)
      passing.streams.set(what, socket)
      // Its end is noticed by whoever reads or writes it.
      socket.on('error', () => undefined)
      if (head.length > 0) socket.unshift(head)
      socket.write(SWITCHING)
    },
    async send(want, response) {
      const mover = moverOf(want)
      const key = keyOfMove(want)
      const passing = all.get(key)
      const [disk, memory] = [passing?.streams.get('disk'), passing?.streams.get('memory')]
      if (passing === undefined || disk === undefined || memory === undefined || passing.isSending)
        throw unavailable('the connections for it are not there')
      passing.isSending = true
      const { signal } = passing.abort
      response.on('close', () => end(key, passing, 'the other host hung up'))
      response.writeHead(200, { 'content-type': 'application/x-ndjson' })
      let toldMs = Number.NEGATIVE_INFINITY
      const progress = (message: string) => {
        if (clock.monotonic() - toldMs < NEWS_EVERY_MS) return
        toldMs = clock.monotonic()
        response.write(lineOf({ kind: 'progress', message }))
      }
      let telling: Promise<void> | null = null
      let sinceMs = clock.monotonic()
      const still = () => {
        sinceMs = clock.monotonic()
        response.write(lineOf({ kind: 'progress', message: STANDS_STILL }))
        // It opens no more connections now. They are made there while the rest is sent.
        telling = flowsOf(want).then((flows) => {
          if (!response.writableEnded) for (const line of flowLines(flows)) response.write(line)
        })
      }
      try {
        const streams = { disk: createPaced(disk, pace), memory: createPaced(memory, pace) }
        await mover.send(want.instance, streams, { progress, still, signal })
        const stillMs = Math.round(clock.monotonic() - sinceMs)
        log.info({ instance: want.instance, to: want.to, stillMs }, 'an instance was sent')
        await telling
        response.end(lineOf({ kind: 'sent' }))
      } catch (error) {
        log.warn({ instance: want.instance, to: want.to, error }, 'an instance could not be sent')
        response.end(lineOf({ kind: 'failed', message: messageOf(error) }))
      }
    },
    keep(wants) {
      const kept = new Set(wants.map(keyOfMove))
      for (const [key, passing] of all) if (!kept.has(key)) end(key, passing, 'the move has ended')
    },
  }
}

function flowLines(flows: readonly CarriedFlow[]): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < flows.length; at += FLOWS_PER_LINE)
    lines.push(
      lineOf({ kind: 'flows', flows: flows.slice(at, at + FLOWS_PER_LINE).map(formatFlow) }),
    )
  return lines
}

function lineOf(news: SaidNews): string {
  return `${JSON.stringify(news)}\n`
}
