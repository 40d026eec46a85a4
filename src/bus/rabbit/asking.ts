/**
 * Asks other hosts questions, and waits for their answers.
 *
 * Questions are published as mandatory: when the host is not connected, the broker returns the
 * question and the asker knows at once. When our connection is lost, all open questions fail. A
 * host whose clock differs answers with an error that carries its time; the question is then sent
 * once more with that host's time.
 */
import type { Clock } from '../../lib/clock.ts'
import { unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import type { Bus, Question, Questions } from '../bus.ts'
import {
  type AnswerMessage,
  parseError,
  QUESTION_SCHEMAS,
  type QuestionMessage,
} from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Signer } from './signing.ts'

/** Questions that wait for their answer at the same time; more are turned away. */
const QUESTIONS_LIMIT = 1_000

/** How a question ended, for the count. */
export type Ending = 'answered' | 'error' | 'unavailable' | 'timeout'

type AskOptions = Parameters<Bus['ask']>[3]

/** The asker's side. */
export interface Asking {
  /** See `Bus.ask`. */
  ask<Q extends Question>(
    host: HostName,
    question: Q,
    ask: Questions[Q]['ask'],
    options: AskOptions,
  ): Promise<Questions[Q]['answer']>
  /** `atMs`: when it was written, by the clock of `from`. */
  hear(message: AnswerMessage, from: HostName, atMs: number): void
  /** A question came back: nobody is there. */
  returned(id: string): void
  /** Ends every question that is open. */
  lose(why: string): void
}

type Outcome = { readonly answer: unknown } | { readonly error: unknown }
interface Open {
  readonly host: HostName
  /** Null once it was asked again. */
  message: QuestionMessage | null
  end(ending: Ending, outcome: Outcome): void
}

/** Nothing is asked yet. */
export function createAsking({
  signer,
  outbox,
  clock,
  counted,
}: {
  readonly signer: Signer
  readonly outbox: Outbox
  readonly clock: Pick<Clock, 'after'>
  /** Hears how each question ended. */
  readonly counted: (ending: Ending) => void
}): Asking {
  const open = new Map<string, Open>()

  /** Waits until the first of a question's ends. */
  function wait(
    message: QuestionMessage,
    host: HostName,
    { timeoutMs, signal }: AskOptions,
  ): Promise<unknown> {
    const { id } = message
    return new Promise((resolve, reject) => {
      const end: Open['end'] = (ending, outcome) => {
        inTime()
        signal?.removeEventListener('abort', onAbort)
        open.delete(id)
        counted(ending)
        if ('answer' in outcome) resolve(outcome.answer)
        else reject(outcome.error)
      }
      const onAbort = (): void => end('timeout', { error: signal?.reason })
      const inTime = clock.after(timeoutMs, () => {
        end('timeout', { error: unavailable(`The host did not answer within ${timeoutMs} ms.`) })
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      open.set(id, { host, message, end })
    })
  }

  /** Once, by the clock of the host, which is known now. False when it cannot be sent. */
  function askAgain(asked: Open): boolean {
    const { message, host } = asked
    if (message === null) return false
    asked.message = null
    try {
      outbox.send(host, message)
      return true
    } catch {
      return false
    }
  }

  return {
    async ask(host, question, ask, options) {
      options.signal?.throwIfAborted()
      if (open.size >= QUESTIONS_LIMIT)
        throw unavailable('Too many questions to other hosts wait for an answer; try again.')
      const { timeoutMs } = options
      const message: QuestionMessage = { kind: 'ask', id: signer.newId(), question, ask, timeoutMs }
      outbox.send(host, message)
      const answer = await wait(message, host, options)
      const parsed = QUESTION_SCHEMAS[question].answer.safeParse(answer)
      if (parsed.success) return parsed.data
      throw unavailable(`The answer to "${question}" cannot be read.`, parsed.error)
    },
    hear({ re, answer, error }, from, atMs) {
      const asked = open.get(re)
      // Late, or from somebody who was not asked.
      if (asked === undefined || asked.host !== from) return
      signer.learn(from, atMs)
      if (error?.code === 'RequestExpired' && askAgain(asked)) return
      if (error === undefined) asked.end('answered', { answer })
      else asked.end('error', { error: parseError(error) })
    },
    returned(id) {
      const error = unavailable(
        'The host is not connected to the message bus; `atoll hosts` shows whether it is lost.',
      )
      open.get(id)?.end('unavailable', { error })
    },
    lose(why) {
      for (const { end } of [...open.values()]) end('unavailable', { error: unavailable(why) })
    },
  }
}
