/**
 * Delivers what arrives at this host: bells to all listeners, questions to the functions that
 * answer them.
 */
import { nextTurn } from '../lib/clock.ts'
import type { CloudEvent } from '../model/cloud-event.ts'
import { AtollError, bug, messageOf, unavailable } from '../model/errors.ts'
import type { Bell, Bus, Question, Questions } from './bus.ts'

type Answerer<Q extends Question> = (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>

/** The listeners and answerers of one host. */
export interface Inbox extends Pick<Bus, 'onBell' | 'onAsk' | 'onEvent'> {
  /** Calls the listeners in a later turn of the event loop. Equal bells of one turn are merged. */
  hear(bell: Bell): void
  /** The same for an event. Each is delivered. */
  hearEvent(event: CloudEvent): void
  /**
   * The answer to a question. Questions and answers are copies, so asker and answerer share no
   * objects.
   */
  answer<Q extends Question>(question: Q, ask: Questions[Q]['ask']): Promise<Questions[Q]['answer']>
  /** Nothing is delivered from now on, even if it is already under way. */
  close(): void
}

/** Has no listeners or answerers at first. */
export function createInbox(): Inbox {
  const answerers: { [Q in Question]?: Answerer<Q> } = {}
  const listeners = new Set<(bell: Bell) => void>()
  const eventListeners = new Set<(event: CloudEvent) => void>()
  const ringing = new Set<Bell>()
  return {
    onBell(heard) {
      // A new function, because two callers may pass the same one.
      const listener = (bell: Bell) => heard(bell)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    onEvent(heard) {
      const listener = (event: CloudEvent) => heard(event)
      eventListeners.add(listener)
      return () => {
        eventListeners.delete(listener)
      }
    },
    hearEvent(event) {
      if (eventListeners.size === 0) return
      void nextTurn().then(() => {
        for (const heard of [...eventListeners]) heard(event)
      })
    },
    onAsk(question, answer) {
      if (answerers[question] !== undefined) throw bug('a question has two answerers', { question })
      // The compiler does not see that a question and its answerer have matching types.
      Object.assign(answerers, { [question]: answer })
    },
    hear(bell) {
      if (ringing.has(bell)) return
      ringing.add(bell)
      void nextTurn().then(() => {
        ringing.delete(bell)
        // A copy, because a listener may remove itself.
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
    close() {
      listeners.clear()
      eventListeners.clear()
    },
  }
}

/**
 * Errors are answers, too. An error that is not an `AtollError` cannot be sent. Then the asker only
 * learns that this host failed.
 */
function asAnswer(error: unknown): AtollError {
  if (error instanceof AtollError) return error
  return new AtollError('bug', 'InternalError', 'The host failed to answer.', {
    cause: error,
    detail: { reason: messageOf(error) },
  })
}
