/** The API's metrics: how many requests, how long they took, how many are being worked on, how much was not a request. */
import type { Counter, Gauge, Metrics } from '../lib/metrics.ts'

/** What the API counts. */
export interface ApiMeasures {
  /** Counts a request with its duration. `action` is a known action's name or `unknown`, `code` an error code or `OK`. */
  finished(action: string, code: string, ms: number): void
  readonly inFlight: Gauge<never>
  readonly malformed: Counter<never>
}

/** Declares `atoll_api_…` in the registry; once a daemon. */
export function createApiMeasures(metrics: Metrics): ApiMeasures {
  const requests = metrics.counter(
    'atoll_api_requests_total',
    'API requests by action and result',
    ['action', 'code'],
  )
  const seconds = metrics.histogram('atoll_api_request_seconds', 'Duration of API requests', [
    'action',
  ])
  return {
    inFlight: metrics.gauge('atoll_api_requests_in_flight', 'API requests being worked on'),
    malformed: metrics.counter(
      'atoll_api_malformed_total',
      'Requests refused before they were read',
    ),
    finished(action, code, ms) {
      requests.inc({ action, code })
      seconds.observe({ action }, ms / 1000)
    },
  }
}
