/**
 * Letters on their way out: gathered, signed, and published over whichever channel there is.
 *
 * Letters to one host that are written in the same moment share a message: when many are asked at
 * once, most of the work of sending and signing is done once for all of them. None waits for
 * another: a message leaves before the event loop goes on.
 *
 * Nothing is kept while the bus is away. What cannot be sent now is the writer's to give up: a
 * question is worth nothing later.
 */
import type { Channel } from 'amqplib'
import { bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import {
  type AnswerLetter,
  type AskLetter,
  LETTERS_LIMIT,
  MESSAGE_LIMIT_BYTES,
} from './messages.ts'
import { hostKey, QUESTIONS_EXCHANGE } from './names.ts'
import type { Seal } from './signing.ts'

/** Room for the envelope. */
const LETTER_LIMIT_BYTES = MESSAGE_LIMIT_BYTES - 1024

/** Sends questions and answers. */
export interface Outbox {
  /**
   * Throws `unavailable` when there is no channel or it takes no more, and a `bug` when the letter
   * is too long.
   */
  send(to: HostName, letter: AskLetter | AnswerLetter): void
  /** Why the broker takes no messages, to be told to whoever wants to send one; null: it does. */
  block(why: string | null): void
  /** The channel to write over from now on, or null while there is none. */
  useChannel(channel: Channel | null): void
}

interface Batch {
  readonly letters: string[]
  bytes: number
  /** Whether the message shall come back when the addressee is not there. */
  mandatory: boolean
}

/** An outbox without a channel. */
export function createOutbox(seal: Seal): Outbox {
  const batches = new Map<HostName, Batch>()
  let channel: Channel | null = null
  /** What is buffered for the socket has reached amqplib's mark: no more until it is out. */
  let full = false
  let blocked: string | null = null

  function publish(to: HostName, { letters, mandatory }: Batch): void {
    batches.delete(to)
    try {
      const content = seal.close(to, letters)
      const more = channel?.publish(QUESTIONS_EXCHANGE, hostKey(to), content, { mandatory })
      if (more === false) full = true
    } catch {
      // The channel has just ended, and with it every question that was asked over it.
    }
  }

  function batchFor(to: HostName, bytes: number): Batch {
    const begun = batches.get(to)
    if (begun !== undefined) {
      const fits = begun.letters.length < LETTERS_LIMIT && begun.bytes + bytes <= LETTER_LIMIT_BYTES
      if (fits) return begun
      publish(to, begun)
    }
    if (batches.size === 0) {
      queueMicrotask(() => {
        for (const [host, batch] of [...batches]) publish(host, batch)
      })
    }
    const fresh: Batch = { letters: [], bytes: 0, mandatory: false }
    batches.set(to, fresh)
    return fresh
  }

  return {
    send(to, letter) {
      if (channel === null) throw unavailable('The message bus is away; try again.')
      if (blocked !== null) throw unavailable(blocked)
      if (full) throw unavailable('The message bus is busy; try again.')
      const json = JSON.stringify(letter)
      const bytes = Buffer.byteLength(json) + 1
      if (bytes > LETTER_LIMIT_BYTES) throw bug('a letter is too long', { kind: letter.kind })
      const batch = batchFor(to, bytes)
      batch.letters.push(json)
      batch.bytes += bytes
      batch.mandatory ||= letter.kind === 'ask'
    },
    block(why) {
      blocked = why
    },
    useChannel(next) {
      batches.clear()
      channel = next
      full = false
      next?.on('drain', () => {
        if (next === channel) full = false
      })
    },
  }
}
