/** The metrics of each transport's calls: number, duration, and calls under way. */
import type { Gauge, Metrics } from '../lib/metrics.ts'

/** The metrics of one transport. */
export interface CallMetrics {
  /**
   * Counts a call with its duration. `action` is a known action's name or `unknown`, `code` an
   * error code or `OK`.
   */
  finished(action: string, code: string, ms: number): void
  readonly inFlight: Gauge<never>
}

/** Declares the transport's metrics in the registry. Call it once in a daemon. */
export function createCallMetrics(metrics: Metrics, transport: 'api' | 'commands'): CallMetrics {
  const names = NAMES[transport]
  const calls = metrics.counter(names.total, `${names.what} by action and result`, [
    'action',
    'code',
  ])
  const seconds = metrics.histogram(names.seconds, `Duration of ${names.ofWhat}`, ['action'])
  return {
    inFlight: metrics.gauge(names.inFlight, `${names.what} being worked on`),
    finished(action, code, ms) {
      calls.inc({ action, code })
      seconds.observe({ action }, ms / 1000)
    },
  }
}

const NAMES = {
  api: {
    what: 'API requests',
    ofWhat: 'API requests',
    total: 'atoll_api_requests_total',
    seconds: 'atoll_api_request_seconds',
    inFlight: 'atoll_api_requests_in_flight',
  },
  commands: {
    what: 'Commands from the bus',
    ofWhat: 'commands',
    total: 'atoll_commands_total',
    seconds: 'atoll_command_seconds',
    inFlight: 'atoll_commands_in_flight',
  },
} as const
