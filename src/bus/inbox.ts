/**
 * Delivers what reaches this host: bells to all listeners, questions to the function that answers
 * them.
 */
import { nextTurn } from '../lib/clock.ts'
import { AtollError, bug, messageOf, unavailable } from '../model/errors.ts'
import type { Bell, Bus, Question, Questions } from './bus.ts'

type Answerer<Q extends Question> = (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>

/** One host's listeners and answerers. */
export interface Inbox extends Pick<Bus, 'onBell' | 'onAsk'> {
  /** Tells the listeners, in a later turn of the event loop. Bells of one turn are one. */
  hear(bell: Bell): void
  /**
   * What the answerer gives. It gets nothing that the asker could change, and gives nothing that it
   * could.
   */
  answer<Q extends Question>(question: Q, ask: Questions[Q]['ask']): Promise<Questions[Q]['answer']>
  /** Nobody hears what comes from now on, nor what is on its way. */
  close(): void
}

/** Nobody listens or answers yet. */
export function createInbox(): Inbox {
  const answerers: { [Q in Question]?: Answerer<Q> } = {}
  const listeners = new Set<(bell: Bell) => void>()
  const ringing = new Set<Bell>()
  return {
    onBell(heard) {
      // Each call is a listener of its own, even when two bring the same function.
      const listener = (bell: Bell) => heard(bell)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    onAsk(question, answer) {
      if (answerers[question] !== undefined) throw bug('a question has two answerers', { question })
      // The compiler does not see that a question and its answerer go together.
      Object.assign(answerers, { [question]: answer })
    },
    hear(bell) {
      if (ringing.has(bell)) return
      ringing.add(bell)
      void nextTurn().then(() => {
        ringing.delete(bell)
        // A listener may stop listening when it hears the bell.
        for (const heard of [...listeners]) heard(bell)
      })
    },
    async answer(question, ask) {
      const answerer = answerers[question]
      if (answerer === undefined)
        throw unavailable(`This version of Atoll does not know the question "${question}".`)
      try {
        return await answerer(ask)
      } catch (error) {
        throw asAnswer(error)
      }
    },
    close: () => listeners.clear(),
  }
}

/**
 * Errors are answers, too. An error that is not an `AtollError` cannot be sent as it is: the asker
 * only learns that this host failed.
 */
function asAnswer(error: unknown): AtollError {
  if (error instanceof AtollError) return error
  return new AtollError('bug', 'InternalError', 'The host failed to answer.', {
    cause: error,
    detail: { reason: messageOf(error) },
  })
}
