/**
 * Generates RSA keys, one at a time.
 *
 * Each takes tenths of a second in one of the four threads of Node's pool, which the file system
 * and resolver calls of all services need. So only one runs at a time, and the number of waiting
 * ones is limited, for each account and in total.
 */
import { createQueue } from '../../lib/queue.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'

export interface KeyGeneration {
  /** Runs `make` in its turn. Refuses with `RequestLimitExceeded` when too many wait. */
  run<T>(account: AccountId, make: () => Promise<T>): Promise<T>
}

/** Maximum number of keys that are being generated or wait: of all accounts, and of one. */
const KEYS_WAITING = 32
const KEYS_WAITING_OF_ONE = 8

/** Nobody waits at first. */
export function createKeyGeneration(): KeyGeneration {
  const inTurn = createQueue()
  const waiting = new Map<AccountId, number>()
  let all = 0
  return {
    async run(account, make) {
      const mine = waiting.get(account) ?? 0
      if (all >= KEYS_WAITING || mine >= KEYS_WAITING_OF_ONE) {
        throw refused(
          'RequestLimitExceeded',
          'Request limit exceeded: too many key pairs are being generated; try again, or import your own (ImportKeyPair)',
        )
      }
      all += 1
      waiting.set(account, mine + 1)
      try {
        return await inTurn(make)
      } finally {
        all -= 1
        const left = (waiting.get(account) ?? 1) - 1
        if (left === 0) waiting.delete(account)
        else waiting.set(account, left)
      }
    },
  }
}
