/** Who answers the questions that are put to this host, however they came. */
import { AtollError, bug, messageOf, unavailable } from '../model/errors.ts'
import type { Bus, Question, Questions } from './bus.ts'

type Answerer<Q extends Question> = (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>

/** The answerers of one host, one for each kind of question. */
export interface Answerers {
  /** See `Bus.onAsk`. */
  readonly onAsk: Bus['onAsk']
  /** What the answerer gives; it gets nothing that the asker could change, and gives nothing that it could. */
  answer<Q extends Question>(question: Q, ask: Questions[Q]['ask']): Promise<Questions[Q]['answer']>
}

/** Nobody answers yet. */
export function createAnswerers(): Answerers {
  const answerers: { [Q in Question]?: Answerer<Q> } = {}
  return {
    onAsk(question, answer) {
      if (answerers[question] !== undefined) throw bug('a question has two answerers', { question })
      // The compiler does not see that a question and its answerer go together.
      Object.assign(answerers, { [question]: answer })
    },
    async answer(question, ask) {
      const answerer = answerers[question]
      if (answerer === undefined) throw unavailable(`No host answers "${question}".`)
      try {
        return await answerer(ask)
      } catch (error) {
        throw asAnswer(error)
      }
    },
  }
}

/** An error is an answer too. One that is not of the house would not survive the wire: the asker learns that we failed. */
function asAnswer(error: unknown): AtollError {
  if (error instanceof AtollError) return error
  return new AtollError('bug', 'InternalError', 'The host failed to answer.', {
    cause: error,
    detail: { reason: messageOf(error) },
  })
}
