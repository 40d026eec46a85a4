/**
 * Letters on their way out: signed, and published over whichever channel there is.
 *
 * Nothing waits here. What cannot be sent now is the writer's to give up, because a question is worth nothing later.
 */
import type { Channel } from 'amqplib'
import { bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import { type AnswerLetter, type AskLetter, LETTER_LIMIT_BYTES, type Said } from './letters.ts'
import { hostKey, QUESTIONS_EXCHANGE } from './names.ts'
import type { Seal } from './seal.ts'

/** Sends questions and answers. */
export interface Outbox {
  /** The letter's id. Throws `unavailable` when there is no channel or it takes no more, and a `bug` when the letter is too long. */
  send(to: HostName, said: Said<AskLetter | AnswerLetter>): string
  /** The channel to write over from now on, or null while there is none. */
  useChannel(channel: Channel | null): void
}

/** An outbox without a channel. */
export function createOutbox(seal: Seal): Outbox {
  let channel: Channel | null = null
  /** What is buffered for the socket has reached amqplib's mark: no more until it is out. */
  let full = false

  return {
    send(to, said) {
      const over = channel
      if (over === null) throw unavailable('The message bus is away; try again.')
      if (full) throw unavailable('The message bus is busy; try again.')
      const { id, content } = seal.write(to, said)
      if (content.length > LETTER_LIMIT_BYTES)
        throw bug('a letter is too long', { kind: said.kind })
      try {
        const options = { mandatory: said.kind === 'ask', messageId: id }
        full = !over.publish(QUESTIONS_EXCHANGE, hostKey(to), content, options)
      } catch (error) {
        throw unavailable('The message bus was just lost; try again.', error)
      }
      return id
    },
    useChannel(next) {
      channel = next
      full = false
      next?.on('drain', () => {
        if (next === channel) full = false
      })
    },
  }
}
