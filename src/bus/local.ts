/**
 * The bus of a cloud with one host: everything stays in the process, and every host name means this
 * host.
 *
 * It behaves like a remote bus, so that no caller relies on more: bells and questions arrive in a
 * later turn of the event loop, repeated bells are merged, and questions and answers are copies.
 */
import { type Clock, nextTurn, systemClock } from '../lib/clock.ts'
import { withDeadline } from '../lib/deadline.ts'
import { throttle, throttleByKey } from '../lib/throttle.ts'
import { unavailable } from '../model/errors.ts'
import type { VpcId } from '../model/ids.ts'
import { allBellMs, type Bus, VPCS_LIMIT } from './bus.ts'
import { createInbox, type Inbox } from './inbox.ts'

/** Maximum number of open questions. Further ones are refused. */
const QUESTIONS_LIMIT = 1000

/** A bus between the parts of one daemon. */
export function createLocalBus(
  clock: Pick<Clock, 'after' | 'monotonic'> = systemClock,
  inbox: Inbox = createInbox(),
): Bus {
  const closing = new AbortController()
  let followed: ReadonlySet<VpcId> = new Set()
  let asked = 0
  const ringAll = throttle(
    () => inbox.hear('shared'),
    () => allBellMs(1),
    clock,
  )
  const ringVpc = throttleByKey<VpcId>(inbox.hear, () => allBellMs(1), clock, VPCS_LIMIT)
  return {
    ring: () => inbox.hear('own'),
    ringAll: () => ringAll.call(),
    ringVpc(vpc) {
      if (followed.has(vpc)) ringVpc.call(vpc)
    },
    follow(vpcs) {
      const before = followed
      followed = new Set(vpcs)
      for (const vpc of followed) if (!before.has(vpc)) inbox.hear(vpc)
    },
    onBell: inbox.onBell,
    async ask(_host, question, ask, { timeoutMs: ms, signal: gone }) {
      if (asked >= QUESTIONS_LIMIT)
        throw unavailable('Too many questions to other hosts wait for an answer; try again.')
      asked += 1
      try {
        const copy = structuredClone(ask)
        const signal = gone === undefined ? closing.signal : AbortSignal.any([closing.signal, gone])
        const late = () => unavailable(`The host did not answer within ${ms} ms.`)
        return await withDeadline({ clock, ms, late, signal }, async () => {
          await nextTurn()
          return structuredClone(await inbox.answer(question, copy))
        })
      } finally {
        asked -= 1
      }
    },
    onAsk: inbox.onAsk,
    async publish(event) {
      closing.signal.throwIfAborted()
      inbox.hearEvent(event)
      return 'taken'
    },
    onEvent: inbox.onEvent,
    async close() {
      ringAll.close()
      ringVpc.close()
      inbox.close()
      closing.abort(unavailable('The bus is closed.'))
    },
  }
}
