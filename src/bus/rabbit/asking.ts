/**
 * Asks other hosts questions, and waits for their answers.
 *
 * Questions are published as mandatory: when the host is not connected, the broker returns the
 * question, and the asker knows at once. When our connection breaks, all open questions fail. A
 * host with another time answers with an error that contains its time. The question is then sent
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

/** Maximum number of open questions. Further ones are refused. */
const QUESTIONS_LIMIT = 1_000

/** How a question ended, for the metric. */
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
  /** `atMs` is when it was written, by the clock of `from`. */
  hear(message: AnswerMessage, from: HostName, atMs: number): void
  /** The broker returned a question: the host is not connected. */
  returned(id: string): void
  /** Fails all open questions. */
  lose(why: string): void
}

type Outcome = { readonly answer: unknown } | { readonly error: unknown }
interface Open {
  readonly host: HostName
  /** Null after the second attempt. */
  message: QuestionMessage | null
  end(ending: Ending, outcome: Outcome): void
}

/** No question is open at first. */
export function createAsking({
  signer,
  outbox,
  clock,
  counted,
}: {
  readonly signer: Signer
  readonly outbox: Outbox
  readonly clock: Pick<Clock, 'after'>
  /** Called with how each question ended. */
  readonly counted: (ending: Ending) => void
}): Asking {
  const open = new Map<string, Open>()

  /** Waits until a question ends in one of several ways. */
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

  /** Asks once more, with the other host's time. False when it cannot be sent. */
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
      // It is late, or from a host that was not asked.
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
