/** How fast a host sends instances, all moves together. */
import { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'

/** Resolves when that many more bytes may be sent. */
export type Pace = (bytes: number) => Promise<void>

/** Longest time that unused rate is saved up for. */
const SAVED_MS = 100
/** A shorter pause costs more than it is worth: a timer takes a millisecond at least. */
const SHORTEST_PAUSE_MS = 20

/** The pace of a host. */
export function createPace(bytesPerSecond: number, clock: Clock): Pace {
  let nextMs = clock.monotonic()
  return async (bytes) => {
    const nowMs = clock.monotonic()
    nextMs = Math.max(nextMs, nowMs - SAVED_MS) + (bytes / bytesPerSecond) * 1000
    if (nextMs - nowMs >= SHORTEST_PAUSE_MS) await clock.sleep(nextMs - nowMs)
  }
}

/** A stream that reads from the other one, and writes to it at that pace. */
export function createPaced(inner: Duplex, pace: Pace): Duplex {
  const outer = new Duplex({
    read: () => inner.resume(),
    write(chunk: Buffer, _encoding, done) {
      pace(chunk.length).then(
        () => inner.write(chunk, (error) => done(error)),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      )
    },
    final: (done) => inner.end(done),
    destroy(error, done) {
      inner.destroy()
      done(error)
    },
  })
  inner.on('data', (chunk: Buffer) => {
    if (!outer.push(chunk)) inner.pause()
  })
  inner.on('end', () => outer.push(null))
  inner.on('error', (error) => outer.destroy(error))
  // It may break before anybody reads it, who then finds it ended.
  outer.on('error', () => undefined)
  inner.on('close', () => {
    if (!inner.readableEnded) outer.destroy()
  })
  return outer
}
