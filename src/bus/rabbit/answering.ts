/**
 * Questions of others to this host.
 *
 * An answer goes to the host that the signed question came from, so nobody can have it sent elsewhere. Whatever was asked, there is
 * an answer: at least the error that says why there is none.
 */
import { AtollError, bug, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import type { Answerers } from '../answerers.ts'
import type { After } from './deadlines.ts'
import { type AskLetter, isQuestion, QUESTION_SCHEMAS, sayError } from './letters.ts'
import type { Outbox } from './outbox.ts'
import { within } from './within.ts'

/** Questions that are worked on at the same time; more are turned away. */
const ANSWERING_LIMIT = 256

/**
 * A function that takes each question which comes; it never throws. `after` keeps the deadlines; `lost` hears of answers that could not
 * be sent.
 */
export function createAnswering(
  outbox: Outbox,
  answerers: Answerers,
  after: After,
  lost: () => void,
): (letter: AskLetter, from: HostName) => void {
  let answering = 0

  async function answerTo({ question, ask, timeoutMs }: AskLetter): Promise<unknown> {
    if (!isQuestion(question)) throw unavailable(`No host answers "${question}".`)
    const asked = QUESTION_SCHEMAS[question].ask.safeParse(ask)
    if (!asked.success) throw unavailable(`The question "${question}" is not understood.`)
    if (answering >= ANSWERING_LIMIT) throw unavailable('The host is asked too much at once.')
    answering += 1
    try {
      // Whoever asked has given up by then; the place is for another.
      return await within(timeoutMs, 'The host', answerers.answer(question, asked.data), after)
    } finally {
      answering -= 1
    }
  }

  async function reply(letter: AskLetter, to: HostName): Promise<void> {
    const head = { kind: 'answer', re: letter.id } as const
    try {
      outbox.send(to, { ...head, answer: await answerTo(letter) })
    } catch (error) {
      const known = error instanceof AtollError ? error : bug('The host failed to answer.')
      outbox.send(to, { ...head, error: sayError(known) })
    }
  }

  return (letter, from) => {
    reply(letter, from).catch(lost)
  }
}
