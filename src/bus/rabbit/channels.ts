/**
 * Opens channels, exchanges, and queues on a connection: the host's own two queues, and the shared
 * one.
 *
 * They are declared again on each connection, so hosts and brokers may start in any order.
 */
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { HostName } from '../../model/ids.ts'
import type { BellsQueue } from './following.ts'
import {
  ALL_KEY,
  BELLS_EXCHANGE,
  BELLS_QUEUE_OPTIONS,
  COMMANDS_EXCHANGE,
  COMMANDS_QUEUE,
  COMMANDS_QUEUE_OPTIONS,
  EXCHANGES,
  hostKey,
  QUESTIONS_EXCHANGE,
  QUESTIONS_QUEUE_OPTIONS,
} from './names.ts'

/**
 * One channel for each kind of traffic, so that none waits for another. A channel that fails ends
 * the connection.
 */
export async function openChannels(model: ChannelModel): Promise<{
  /** For sending questions and answers. */
  readonly messages: Channel
  /** For sending bells, each confirmed. */
  readonly ringing: ConfirmChannel
  /** For commands and their answers. */
  readonly commands: Channel
  /** For events, each confirmed. */
  readonly events: ConfirmChannel
}> {
  const messages = await model.createChannel()
  const ringing = await model.createConfirmChannel()
  const commands = await model.createChannel()
  const events = await model.createConfirmChannel()
  for (const channel of [messages, ringing, commands, events]) endTogether(model, channel)
  for (const [name, type] of Object.entries(EXCHANGES))
    await commands.assertExchange(name, type, { durable: true })
  await commands.assertQueue(COMMANDS_QUEUE, COMMANDS_QUEUE_OPTIONS)
  await commands.bindQueue(COMMANDS_QUEUE, COMMANDS_EXCHANGE, '#')
  return { messages, ringing, commands, events }
}

/**
 * Declares this host's queues, and returns the queue of bells. `hear` gets the messages of both,
 * without acknowledgement.
 */
export async function openQueues(
  model: ChannelModel,
  host: HostName,
  hear: (content: Buffer) => void,
): Promise<BellsQueue> {
  const channel = await model.createChannel()
  endTogether(model, channel)
  const heard = (message: ConsumeMessage | null): void => {
    // Null says that the broker removed the queue. A new connection declares it again.
    if (message === null) void model.close().catch(() => undefined)
    else hear(message.content)
  }
  const { queue: bells } = await channel.assertQueue('', BELLS_QUEUE_OPTIONS)
  for (const key of [hostKey(host), ALL_KEY]) await channel.bindQueue(bells, BELLS_EXCHANGE, key)
  const { queue: messages } = await channel.assertQueue('', QUESTIONS_QUEUE_OPTIONS)
  await channel.bindQueue(messages, QUESTIONS_EXCHANGE, hostKey(host))
  for (const queue of [bells, messages]) await channel.consume(queue, heard, { noAck: true })
  return { channel, queue: bells }
}

/** Ends the connection when a channel ends, because half a bus would look like a whole one. */
function endTogether(model: ChannelModel, channel: Channel): void {
  // Without a listener an error would end the process. `close` follows it.
  channel.on('error', (error) => model.emit('error', error))
  channel.on('close', () => void model.close().catch(() => undefined))
}
