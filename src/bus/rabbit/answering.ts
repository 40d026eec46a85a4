/**
 * Answers questions of other hosts.
 *
 * An answer goes to the host that signed the question, so nobody can redirect it. Every question
 * gets an answer, even if only an error that says why.
 */
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/deadline.ts'
import { AtollError, bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import type { Inbox } from '../inbox.ts'
import { formatError, isQuestion, QUESTION_SCHEMAS, type QuestionMessage } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** Maximum number of questions under way. Further ones are refused. */
const ANSWERING_LIMIT = 256

/** Takes questions. Never throws. */
export interface Answering {
  /** Takes a question. */
  take(message: QuestionMessage, from: HostName): void
  /**
   * Takes a question with a wrong time. The answer says so, with the time by the clocks of both;
   * nothing else is done.
   */
  refuseLate(message: QuestionMessage, from: HostName, ageMs: number): void
}

/** Has no answerers at first. */
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
  /** Called for answers that could not be sent. */
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
      // The asker has given up by then, so the place is free for another question.
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
