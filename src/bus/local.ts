/**
 * The bus of a cloud of one host: everything stays in the process, and every host name is this host's.
 *
 * It keeps the manners of a real one, so that nobody comes to rely on less: bells and questions arrive in a later turn of
 * the event loop, bells of one turn arrive as one, and questions and answers are copies.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { AtollError, bug, messageOf, unavailable } from '../model/errors.ts'
import type { Bus, Question, Questions } from './bus.ts'

/** Questions that wait for their answer at the same time; more are turned away. */
const QUESTIONS_LIMIT = 1000

type Answerer<Q extends Question> = (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>
type AskOptions = Parameters<Bus['ask']>[3]

/** A bus between the parts of one daemon. */
export function createLocalBus(): Bus {
  const listeners = new Set<() => void>()
  const answerers: { [Q in Question]?: Answerer<Q> } = {}
  const closing = new AbortController()
  let ringing = false
  let asked = 0

  function deliverBell(): void {
    ringing = false
    // A listener may stop listening when it hears the bell.
    for (const heard of [...listeners]) heard()
  }

  return {
    ring() {
      if (ringing) return
      ringing = true
      setImmediate(deliverBell)
    },
    onBell(heard) {
      // Each call is a listener of its own, even when two bring the same function.
      const listener = () => heard()
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    async ask(_host, question, ask, options) {
      if (asked >= QUESTIONS_LIMIT) throw unavailable('Too many questions wait for an answer.')
      asked += 1
      try {
        const letter = structuredClone(ask)
        return await beforeEnd(options, closing.signal, async () => {
          await nextTurn()
          const answerer = answerers[question]
          if (answerer === undefined) throw unavailable(`No host answers "${question}".`)
          return structuredClone(await answerer(letter))
        })
      } finally {
        asked -= 1
      }
    },
    onAsk(question, answer) {
      if (answerers[question] !== undefined) throw bug('a question has two answerers', { question })
      answerers[question] = answer
    },
    async close() {
      // A bell that is on its way, or rung later, finds nobody.
      listeners.clear()
      closing.abort(unavailable('The bus is closed.'))
    },
  }
}

/** What `answer` gives, unless the deadline, the caller's signal or the end of the bus comes first. */
async function beforeEnd<Answer>(
  { timeoutMs, signal }: AskOptions,
  closing: AbortSignal,
  answer: () => Promise<Answer>,
): Promise<Answer> {
  const deadline = new AbortController()
  const timer = setTimeout(() => {
    deadline.abort(unavailable(`The host did not answer within ${timeoutMs} ms.`))
  }, timeoutMs)
  const end = AbortSignal.any([deadline.signal, closing, ...(signal === undefined ? [] : [signal])])
  const ended = Promise.withResolvers<never>()
  const onEnd = () => ended.reject(end.reason)
  end.addEventListener('abort', onEnd, { once: true })
  try {
    end.throwIfAborted()
    return await Promise.race([answer().catch(asAnswerError), ended.promise])
  } finally {
    clearTimeout(timer)
    end.removeEventListener('abort', onEnd)
  }
}

/** An error is an answer too. One that is not of the house would not survive the wire: the asker learns that we failed. */
function asAnswerError(error: unknown): never {
  if (error instanceof AtollError) throw error
  throw new AtollError('bug', 'InternalError', 'The host failed to answer.', {
    cause: error,
    detail: { reason: messageOf(error) },
  })
}
