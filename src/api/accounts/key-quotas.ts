/**
 * Quotas of each access key: requests a second, concurrent requests, and bytes of unread responses.
 *
 * As in EC2, a key above its quota gets `RequestLimitExceeded`, which every SDK retries later
 * (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html). Only authenticated
 * keys have quotas.
 */
import { createRates } from '../../lib/per-source.ts'
import { refused } from '../../model/errors.ts'

export interface KeyQuotaLimits {
  /** Requests of one key: in a burst, and per second in the long run. */
  readonly requestBurst: number
  readonly requestsPerSecond: number
  /** Requests of one key that are being handled, or whose responses are being sent. */
  readonly maxInFlightOfOne: number
  /** Bytes of responses to one key that are being sent. */
  readonly unreadBytesOfOne: number
}

/** What one request uses of its key's quota. */
interface QuotaUse {
  /** Reserves bytes for the response. Refuses with `RequestLimitExceeded`. */
  answer(bytes: number): void
  /** Returns everything, once. */
  release(): void
}

export interface KeyQuotas {
  /** Counts a request. Refuses with `RequestLimitExceeded`. */
  begin(accessKey: string, nowMs: number): QuotaUse
}

/** Number of keys whose rate is remembered. */
const KEYS_LIMIT = 4_096

/** Nothing is used at first. */
export function createKeyQuotas(limits: KeyQuotaLimits): KeyQuotas {
  const held = new Map<string, { requests: number; bytes: number }>()
  const rate = { burst: limits.requestBurst, perSecond: limits.requestsPerSecond }
  const mayAsk = createRates<string>(rate, KEYS_LIMIT)
  return {
    begin(key, nowMs) {
      if (!mayAsk(key, nowMs)) throw exceeded(`${limits.requestsPerSecond} requests per second`)
      const mine = held.get(key) ?? { requests: 0, bytes: 0 }
      if (mine.requests >= limits.maxInFlightOfOne)
        throw exceeded(`${limits.maxInFlightOfOne} requests at once`)
      mine.requests += 1
      held.set(key, mine)
      let ours = 0
      let released = false
      return {
        answer(bytes) {
          if (mine.bytes + bytes > limits.unreadBytesOfOne)
            throw exceeded(`${limits.unreadBytesOfOne} bytes of unread responses`)
          mine.bytes += bytes
          ours += bytes
        },
        release() {
          if (released) return
          released = true
          mine.requests -= 1
          mine.bytes -= ours
          if (mine.requests === 0) held.delete(key)
        },
      }
    },
  }
}

function exceeded(what: string): Error {
  return refused('RequestLimitExceeded', `Request limit exceeded: an access key may have ${what}`)
}
