/**
 * One log line for each request, with a limit for refusals that cost the client nothing
 * (unauthenticated clients, keys above their quota). Above it they are only counted, and the count
 * is logged.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'

export interface RequestLog {
  /** A request that was served, or refused to an authenticated client. */
  request(fields: object): void
  /** A refusal that costs the client nothing. */
  turnedAway(fields: object): void
}

const LINES = { burst: 20, perSecond: 1 }
/** Interval of the summary. */
const SUM_MS = 10_000

/** Writes to the API's log. `what` is the subject of its lines. */
export function createRequestLog(
  log: Log,
  clock: Pick<Clock, 'after' | 'monotonic'>,
  what: 'api request' | 'command',
): RequestLog {
  const lines = createTokenBucket(LINES, clock.monotonic())
  let untold = 0
  const sumUp = (): void => {
    log.info({ count: untold }, `${what}s refused without a log line of their own`)
    untold = 0
  }
  return {
    request: (fields) => log.info(fields, what),
    turnedAway(fields) {
      if (lines.take(clock.monotonic())) log.info(fields, what)
      else {
        if (untold === 0) clock.after(SUM_MS, sumUp)
        untold += 1
      }
    },
  }
}
