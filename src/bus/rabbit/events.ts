/**
 * Publishes events to the exchange for programs. Each is confirmed by the broker, which then has it
 * in every queue that is bound to it.
 *
 * Nothing is kept here: what a broker does not confirm in time is rejected, and its caller has it
 * in the records. So a broker that hangs costs no memory but that of the caller's batch.
 */
import type { ConfirmChannel } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/deadline.ts'
import { messageOf, unavailable } from '../../model/errors.ts'
import type { Bus } from '../bus.ts'
import { EVENTS_EXCHANGE } from './names.ts'

/** How long a broker may take to confirm an event. */
const CONFIRM_MS = 10_000
/** Of amqplib, for an event that a queue refuses (basic.nack). */
const REFUSED = 'message nacked'

/** Publishes over the current channel. */
export interface EventSender extends Pick<Bus, 'publish'> {
  /** Sets why the broker accepts no messages. Null: it does. */
  block(why: string | null): void
  /** Sets the channel. Null while there is none. */
  useChannel(channel: ConfirmChannel | null): void
}

/** A sender without a channel. */
export function createEventSender(clock: Pick<Clock, 'after'>): EventSender {
  let channel: ConfirmChannel | null = null
  let blocked: string | null = null
  const late = () => unavailable('The message bus did not confirm an event in time.')
  return {
    async publish({ id, routingKey, body, atMs }) {
      const over = channel
      if (over === null) throw unavailable('The message bus is unreachable.')
      if (blocked !== null) throw unavailable(blocked)
      return await withDeadline({ clock, ms: CONFIRM_MS, late }, () => {
        const confirmed = Promise.withResolvers<'taken' | 'refused'>()
        const options = {
          ...{ persistent: true, contentType: 'application/json', messageId: id },
          timestamp: Math.trunc(atMs / 1000),
          headers: { 'x-atoll-time-ms': atMs },
        }
        over.publish(EVENTS_EXCHANGE, routingKey, Buffer.from(body), options, (error: unknown) => {
          if (error === null || error === undefined) confirmed.resolve('taken')
          else if (messageOf(error) === REFUSED) confirmed.resolve('refused')
          else confirmed.reject(unavailable('The connection to the message bus was lost.', error))
        })
        return confirmed.promise
      })
    },
    block(why) {
      blocked = why
    },
    useChannel(next) {
      channel = next
    },
  }
}
