/** The bus's metrics: its connection, its messages, and what was dropped. */
import type { Metrics } from '../../lib/metrics.ts'
import type { Ending } from './asking.ts'
import type { Drop } from './signing.ts'

/** What the bus counts. */
export interface BusMetrics {
  connected(is: boolean): void
  blocked(is: boolean): void
  bell(what: 'sent' | 'dropped'): void
  question(ending: Ending): void
  /** A message of another host that was invalid, or an answer of ours that could not be sent. */
  dropped(why: Drop | 'unsendable'): void
}

/** Declares `atoll_bus_…` in the registry. Call it once in a daemon. */
export function createBusMetrics(metrics: Metrics): BusMetrics {
  const connected = metrics.gauge('atoll_bus_connected', '1 while a message broker is connected')
  const blocked = metrics.gauge(
    'atoll_bus_blocked',
    '1 while the message broker is connected and takes no messages (its memory or disk alarm)',
  )
  const connects = metrics.counter(
    'atoll_bus_connects_total',
    'Connections made to a message broker',
  )
  const bells = metrics.counter('atoll_bus_bells_total', 'Bells to other hosts', ['result'])
  const questions = metrics.counter(
    'atoll_bus_questions_total',
    'Questions to other hosts, by result',
    ['result'],
  )
  const drops = metrics.counter(
    'atoll_bus_dropped_total',
    'Messages that were dropped, by reason',
    ['reason'],
  )
  connected.set(0)
  blocked.set(0)
  return {
    connected(is) {
      connected.set(is ? 1 : 0)
      if (is) connects.inc()
    },
    blocked: (is) => blocked.set(is ? 1 : 0),
    bell: (result) => bells.inc({ result }),
    question: (result) => questions.inc({ result }),
    dropped: (reason) => drops.inc({ reason }),
  }
}
