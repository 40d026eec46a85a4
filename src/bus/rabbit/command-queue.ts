/**
 * The command queue on RabbitMQ: one quorum queue, from which every host takes what it can handle.
 *
 * A command is acknowledged after its answer, over the same channel, so neither is lost without the
 * other. If the connection breaks in between, the broker gives the command to another host. That
 * host finds by the command's id what was done.
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import { inTime } from '../../lib/deadline.ts'
import { createQueue } from '../../lib/queue.ts'
import { bug } from '../../model/errors.ts'
import type { CommandMessage, CommandOutcome, CommandQueue } from '../command-queue.ts'
import { COMMANDS_QUEUE } from './names.ts'

/** Maximum number of commands that one host handles at once. */
const AT_ONCE = 16
/** How long commands under way may take when the queue closes. */
const CLOSE_TIMEOUT_MS = 5_000
/** How long an answer is kept for a client that lost its connection for a moment. */
const ANSWER_TTL_MS = 300_000
/**
 * Prefix of our own queues. A client cannot have an answer delivered to one, where it would look
 * like a message of a host.
 */
const OWN_PREFIX = 'atoll.'

type Handle = Parameters<CommandQueue['onCommand']>[0]

/** The queue, and the channel that it uses. */
export interface RabbitCommandQueue extends CommandQueue {
  /** Consumes over this channel from now on, once there is a handler. Null while there is none. */
  useChannel(channel: Channel | null): Promise<void>
}

/** `failed` is called for errors that should not happen. */
export function createRabbitCommandQueue(
  clock: Clock,
  failed: (error: unknown) => void,
): RabbitCommandQueue {
  let channel: Channel | null = null
  let handle: Handle | null = null
  let consumer: { readonly over: Channel; readonly tag: string } | null = null
  let closing = new AbortController()
  const handling = new Set<Promise<void>>()
  const inTurn = createQueue()

  /** Consumes over the channel that there is while there is a handler, and only then. */
  const consumeOrNot = () =>
    inTurn(async () => {
      const over = channel
      const isWanted = over !== null && handle !== null
      if (consumer !== null && (consumer.over !== over || !isWanted)) {
        const { tag } = consumer
        const isOpen = consumer.over === over
        consumer = null
        if (isOpen) await over?.cancel(tag)
      }
      if (!isWanted || consumer !== null) return
      await over.prefetch(AT_ONCE)
      const { consumerTag } = await over.consume(COMMANDS_QUEUE, (message) => take(over, message))
      consumer = { over, tag: consumerTag }
    })

  function take(over: Channel, message: ConsumeMessage | null): void {
    const work = handle
    // Null says that the broker removed the queue. The next connection declares it again.
    if (message === null || over !== channel) return
    if (work === null) {
      // It was on its way when the last handler left.
      over.nack(message, false, true)
      return
    }
    const one = settle(over, message, work)
      .catch(failed)
      .finally(() => handling.delete(one))
    handling.add(one)
  }

  async function settle(over: Channel, message: ConsumeMessage, work: Handle): Promise<void> {
    const command = commandOf(message)
    const outcome: CommandOutcome = await work(command)
    if (outcome.kind === 'again')
      await clock.sleep(outcome.afterMs, closing.signal).catch(() => undefined)
    // The channel is gone, so the broker has given the command to another host.
    if (over !== channel) return
    if (outcome.kind === 'again') over.nack(message, false, true)
    else {
      if (command.replyTo !== null) answer(over, command.replyTo, command, outcome.answer)
      over.ack(message)
    }
  }

  return {
    onCommand(next) {
      if (handle !== null) throw bug('two handle commands')
      handle = next
      closing = new AbortController()
      consumeOrNot().catch(failed)
      return async () => {
        handle = null
        closing.abort()
        await consumeOrNot().catch(() => undefined)
        await inTime(clock, CLOSE_TIMEOUT_MS, Promise.all(handling))
      }
    },
    async useChannel(next) {
      channel = next
      await consumeOrNot()
    },
  }
}

function answer(
  over: Channel,
  replyTo: string,
  { correlationId }: CommandMessage,
  text: string,
): void {
  over.sendToQueue(replyTo, Buffer.from(text), {
    contentType: 'application/json',
    expiration: ANSWER_TTL_MS,
    ...(correlationId === null ? {} : { correlationId }),
  })
}

function commandOf({ content, properties, fields }: ConsumeMessage): CommandMessage {
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? {}
  const counted = headers['x-delivery-count']
  const replyTo = textOf(properties.replyTo)
  return {
    body: content,
    headers,
    replyTo: replyTo === null || replyTo === '' || replyTo.startsWith(OWN_PREFIX) ? null : replyTo,
    correlationId: textOf(properties.correlationId),
    deliveries: typeof counted === 'number' ? counted : fields.redelivered ? 1 : 0,
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
