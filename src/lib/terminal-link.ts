/**
 * A connection that carries a terminal (`terminal-frames.ts`), alike at both ends.
 *
 * Nothing is read while what was read is not dealt with, and nothing is written that the other end
 * does not take, so no buffer grows. Both ends send a beat now and then: one that is not heard of
 * for some beats is gone, however its connection looks.
 */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { createFrameReader, encodeFrame, type TerminalFrame } from './terminal-frames.ts'

/** One end of the connection. */
export interface TerminalLink {
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal
  /**
   * What the other end says, beats aside, until it has said all. Throws when the connection breaks,
   * falls silent, or carries no frames.
   */
  frames(): AsyncGenerator<TerminalFrame, void>
  /** Resolves when there is room for more. Rejects when the connection is gone. */
  send(frame: TerminalFrame): Promise<void>
  /**
   * Says the last, if there is one to say, and closes in any case; `frames` is to be read until
   * then. Never fails.
   */
  close(last?: TerminalFrame): Promise<void>
}

const BEAT_MS = 15_000
/** Silence of so many beats is an end. */
const BEATS_MISSED = 3
/** How long the other end may take to take the last frame. */
const CLOSE_DEADLINE_MS = 2_000

/** Takes a connection over, whose first bytes may have been read already. */
export function createTerminalLink(
  socket: Duplex,
  head: Buffer,
  { beatMs = BEAT_MS }: { readonly beatMs?: number } = {},
): TerminalLink {
  const gone = new AbortController()
  // It is told by whoever reads or writes next.
  socket.on('error', () => undefined)
  socket.once('close', () => gone.abort(new Error('the connection was lost')))
  /** Since when we wait for the other end to say something; null while it is our turn. */
  let waitingSinceMs: number | null = null
  const beat = setInterval(() => {
    if (waitingSinceMs !== null && performance.now() - waitingSinceMs > BEATS_MISSED * beatMs)
      socket.destroy(new Error('the other end fell silent'))
    // One that takes nothing is not told the same again.
    else if (!socket.writableNeedDrain && !socket.writableEnded)
      socket.write(encodeFrame({ kind: 'beat' }))
  }, beatMs)
  gone.signal.addEventListener('abort', () => clearInterval(beat))

  async function* bytes(): AsyncGenerator<Buffer, void> {
    if (head.length > 0) yield head
    waitingSinceMs = performance.now()
    for await (const chunk of socket) {
      waitingSinceMs = null
      yield chunk
      waitingSinceMs = performance.now()
    }
  }

  return {
    gone: gone.signal,
    async *frames() {
      const reader = createFrameReader()
      for await (const chunk of bytes())
        for (const frame of reader.read(chunk)) if (frame.kind !== 'beat') yield frame
    },
    async send(frame) {
      gone.signal.throwIfAborted()
      if (!socket.write(encodeFrame(frame))) await once(socket, 'drain', gone)
    },
    async close(last) {
      clearInterval(beat)
      const patience = AbortSignal.any([gone.signal, AbortSignal.timeout(CLOSE_DEADLINE_MS)])
      if (!socket.destroyed && !socket.writableEnded) {
        if (last === undefined) socket.end()
        else socket.end(encodeFrame(last))
        // What is closed with something unread in it takes back the last that it said: the other
        // end is to close first.
        const event = last === undefined ? 'finish' : 'close'
        await once(socket, event, { signal: patience }).catch(() => undefined)
      }
      socket.destroy()
    },
  }
}
