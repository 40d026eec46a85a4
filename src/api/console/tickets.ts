/**
 * Tickets for terminals. A client that was authenticated elsewhere (operator's socket, bus)
 * presents one when it connects.
 *
 * A ticket is 32 random bytes, valid once and for ten seconds. Only its hash is stored, and few are
 * outstanding at a time, so neither memory nor timing reveals others.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'

const TICKET_BYTES = 32
/** How long a ticket is valid. */
export const TICKET_LIFE_MS = 10_000
/** Maximum number of outstanding tickets. */
export const TICKETS_LIMIT = 64

interface Kept {
  readonly hash: Buffer
  readonly instance: InstanceId
  readonly endsAtMs: number
}

/** The tickets of one host. */
export interface Tickets {
  /**
   * A new ticket for this instance's terminal. Errors: `unavailable` when too many are outstanding.
   */
  issue(instance: InstanceId): string
  /** The instance of a ticket, once. Null when it is unknown, used or expired. */
  redeem(ticket: string): InstanceId | null
}

/** No ticket is outstanding at first. */
export function createTickets(
  clock: Pick<Clock, 'monotonic'>,
  random: (bytes: number) => Uint8Array,
): Tickets {
  let kept: readonly Kept[] = []
  const forgetOld = () => {
    kept = kept.filter(({ endsAtMs }) => endsAtMs > clock.monotonic())
  }
  return {
    issue(instance) {
      forgetOld()
      if (kept.length >= TICKETS_LIMIT)
        throw unavailable('Too many consoles are being attached at once; try again in a moment.')
      const ticket = Buffer.from(random(TICKET_BYTES)).toString('base64url')
      kept = [
        ...kept,
        { hash: hashOf(ticket), instance, endsAtMs: clock.monotonic() + TICKET_LIFE_MS },
      ]
      return ticket
    },
    redeem(ticket) {
      forgetOld()
      const hash = hashOf(ticket)
      // All are compared, whichever matches.
      const found = kept.filter((one) => timingSafeEqual(one.hash, hash))
      kept = kept.filter((one) => !found.includes(one))
      return found[0]?.instance ?? null
    },
  }
}

function hashOf(ticket: string): Buffer {
  return createHash('sha256').update(ticket).digest()
}
