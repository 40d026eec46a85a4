/**
 * Answers the questions of other hosts to this one.
 *
 * An answer goes to the host that signed the question, so nobody can have it sent elsewhere. Every
 * question gets an answer, if only an error that says why.
 */
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/deadline.ts'
import { AtollError, bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import type { Inbox } from '../inbox.ts'
import { formatError, isQuestion, QUESTION_SCHEMAS, type QuestionMessage } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** Questions that are worked on at the same time; more are turned away. */
const ANSWERING_LIMIT = 256

/** Takes questions. Never throws. */
export interface Answering {
  /** One that is to be answered. */
  take(message: QuestionMessage, from: HostName): void
  /**
   * One that came at the wrong time, so much after it was written by the clocks of both: it is told
   * that, and nothing else is done.
   */
  refuseLate(message: QuestionMessage, from: HostName, ageMs: number): void
}

/** Answers nothing yet. */
export function createAnswering({
  self,
  outbox,
  inbox,
  clock,
  lost,
}: {
  readonly self: HostName
  readonly outbox: Outbox
  readonly inbox: Pick<Inbox, 'answer'>
  readonly clock: Pick<Clock, 'after'>
  /** Hears of answers that could not be sent. */
  readonly lost: () => void
}): Answering {
  let answering = 0

  async function answerTo({ question, ask, timeoutMs: ms }: QuestionMessage): Promise<unknown> {
    if (!isQuestion(question))
      throw unavailable(`This version of Atoll does not know the question "${question}".`)
    const asked = QUESTION_SCHEMAS[question].ask.safeParse(ask)
    if (!asked.success) throw unavailable(`The question "${question}" cannot be read.`)
    if (answering >= ANSWERING_LIMIT)
      throw unavailable('The host answers too many questions at once; try again.')
    answering += 1
    try {
      // Whoever asked has given up by then; the place is for another.
      const late = () => unavailable(`The host did not answer within ${ms} ms.`)
      return await withDeadline({ clock, ms, late }, () => inbox.answer(question, asked.data))
    } finally {
      answering -= 1
    }
  }

  async function reply(message: QuestionMessage, to: HostName): Promise<void> {
    const head = { kind: 'answer', re: message.id } as const
    try {
      outbox.send(to, { ...head, answer: await answerTo(message) })
    } catch (error) {
      const known = error instanceof AtollError ? error : bug('The host failed to answer.')
      outbox.send(to, { ...head, error: formatError(known) })
    }
  }

  return {
    take(message, from) {
      reply(message, from).catch(lost)
    },
    refuseLate({ id }, from, ageMs) {
      const seconds = Math.round(Math.abs(ageMs) / 1000)
      const than = ageMs > 0 ? 'behind' : 'ahead of'
      const error = new AtollError(
        'unavailable',
        'RequestExpired',
        `The clock of host ${from} is ${seconds} s ${than} that of host ${self}: synchronise both with NTP; \`atoll doctor\` shows which one is wrong.`,
      )
      try {
        outbox.send(from, { kind: 'answer', re: id, error: formatError(error) })
      } catch {
        lost()
      }
    },
  }
}
