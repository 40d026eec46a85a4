/**
 * One log line for each request, with a limit for refusals that cost the client nothing (strangers,
 * keys beyond their quota): beyond it they are only counted, and the count is logged.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'

export interface RequestLog {
  /** A request that was served, or refused to somebody known. */
  request(fields: object): void
  /** A refusal that costs whoever asks nothing. */
  turnedAway(fields: object): void
}

const LINES = { burst: 20, perSecond: 1 }
/** How often the rest is summed up. */
const SUM_MS = 10_000

/** Over the log of the API; `what` its lines are about. */
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
