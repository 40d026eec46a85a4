/**
 * Who may work at images now: a few at once, a few of one account, and never two at the same thing.
 */
import { createLimit, type Limit } from '../lib/queue.ts'
import { unavailable } from '../model/errors.ts'

/** More than these of one account do not wait, whoever asks for them. */
const WAITING_OF_ONE = 100

/** At most `places` work at once, and of one account at most `ofOne`. */
export function createTurns(places: number, ofOne: number): Limit {
  const full = () =>
    unavailable(`${WAITING_OF_ONE} images of this account wait for their turn already`)
  return createLimit({ places, ofOne, waitingOfOne: { count: WAITING_OF_ONE, full } })
}
