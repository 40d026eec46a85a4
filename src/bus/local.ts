/**
 * The bus of a cloud of one host: everything stays in the process, and every host name is this host's.
 *
 * It keeps the manners of a real one, so that nobody comes to rely on less: bells and questions arrive in a later turn of
 * the event loop, bells of one turn arrive as one, and questions and answers are copies.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { unavailable } from '../model/errors.ts'
import { type Answerers, createAnswerers } from './answerers.ts'
import { allBellMs, type Bell, type Bus } from './bus.ts'
import { throttle } from './throttle.ts'

/** Questions that wait for their answer at the same time; more are turned away. */
const QUESTIONS_LIMIT = 1000

type AskOptions = Parameters<Bus['ask']>[3]

/** A bus between the parts of one daemon. What comes from other hosts, over another bus, is answered by the same `answerers`. */
export function createLocalBus(answerers: Answerers = createAnswerers()): Bus {
  const listeners = new Set<(bell: Bell) => void>()
  const closing = new AbortController()
  const ringing = new Set<Bell>()
  let asked = 0

  function ring(bell: Bell): void {
    if (ringing.has(bell)) return
    ringing.add(bell)
    setImmediate(() => {
      ringing.delete(bell)
      // A listener may stop listening when it hears the bell.
      for (const heard of [...listeners]) heard(bell)
    })
  }
  const ringAll = throttle(
    () => ring('shared'),
    () => allBellMs(1),
    () => performance.now(),
  )

  return {
    ring: () => ring('own'),
    ringAll: () => ringAll.call(),
    setHosts: () => undefined,
    onBell(heard) {
      // Each call is a listener of its own, even when two bring the same function.
      const listener = (bell: Bell) => heard(bell)
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
          return structuredClone(await answerers.answer(question, letter))
        })
      } finally {
        asked -= 1
      }
    },
    onAsk: answerers.onAsk,
    async close() {
      // A bell that is on its way, or rung later, finds nobody.
      listeners.clear()
      ringAll.close()
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
    return await Promise.race([answer(), ended.promise])
  } finally {
    clearTimeout(timer)
    end.removeEventListener('abort', onEnd)
  }
}
