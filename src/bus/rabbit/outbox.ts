/**
 * Sends questions and answers: batches, signs and publishes them over the current channel.
 *
 * Messages to one host of the same turn of the event loop share one envelope, so they are signed
 * and sent once.
 *
 * Nothing is kept while the bus is away. A question is useless later, so its sender gets an error.
 */
import type { Channel } from 'amqplib'
import { bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import {
  type AnswerMessage,
  ENVELOPE_LIMIT_BYTES,
  MESSAGES_LIMIT,
  type QuestionMessage,
} from './messages.ts'
import { hostKey, QUESTIONS_EXCHANGE } from './names.ts'
import type { Signer } from './signing.ts'

/** Space for messages besides the rest of the envelope. */
const PAYLOAD_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES - 1024

/** Sends questions and answers. */
export interface Outbox {
  /**
   * Throws `unavailable` when there is no channel or it is full, and a `bug` when the message is
   * too long.
   */
  send(to: HostName, message: QuestionMessage | AnswerMessage): void
  /** Sets why the broker accepts no messages, for the errors of senders. Null: it does. */
  block(why: string | null): void
  /** Sets the channel. Null while there is none. */
  useChannel(channel: Channel | null): void
}

interface Batch {
  readonly messages: string[]
  bytes: number
  /** Whether the broker returns the message when the addressee is not connected. */
  mandatory: boolean
}

/** An outbox without a channel. */
export function createOutbox(signer: Signer): Outbox {
  const batches = new Map<HostName, Batch>()
  let channel: Channel | null = null
  /**
   * Whether the socket's buffer has reached amqplib's limit. Then nothing is sent until it is
   * empty.
   */
  let full = false
  let blocked: string | null = null

  function publish(to: HostName, { messages, mandatory }: Batch): void {
    batches.delete(to)
    try {
      const content = signer.sign(to, messages)
      const more = channel?.publish(QUESTIONS_EXCHANGE, hostKey(to), content, { mandatory })
      if (more === false) full = true
    } catch {
      // The channel has just ended, and with it all its questions.
    }
  }

  function batchFor(to: HostName, bytes: number): Batch {
    const begun = batches.get(to)
    if (begun !== undefined) {
      const fits =
        begun.messages.length < MESSAGES_LIMIT && begun.bytes + bytes <= PAYLOAD_LIMIT_BYTES
      if (fits) return begun
      publish(to, begun)
    }
    if (batches.size === 0) {
      queueMicrotask(() => {
        for (const [host, batch] of [...batches]) publish(host, batch)
      })
    }
    const fresh: Batch = { messages: [], bytes: 0, mandatory: false }
    batches.set(to, fresh)
    return fresh
  }

  return {
    send(to, message) {
      if (channel === null) throw unavailable('The message bus is unreachable; try again.')
      if (blocked !== null) throw unavailable(blocked)
      if (full) throw unavailable('The message bus is busy; try again.')
      const json = JSON.stringify(message)
      const bytes = Buffer.byteLength(json) + 1
      if (bytes > PAYLOAD_LIMIT_BYTES) throw bug('a message is too long', { kind: message.kind })
      const batch = batchFor(to, bytes)
      batch.messages.push(json)
      batch.bytes += bytes
      batch.mandatory ||= message.kind === 'ask'
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
