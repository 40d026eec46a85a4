/**
 * The comparison for the bus: plain amqplib, with questions and answers in JSON over queues of the
 * same kind, matched by correlation id, without signature, checks or deadline.
 */
import type { Channel, ChannelModel } from 'amqplib'
import { QUESTIONS_QUEUE_OPTIONS } from '../../src/bus/rabbit/names.ts'
import { RABBIT_PASSWORD, RABBIT_USER } from '../kit/rabbit.ts'

const QUEUE = 'bare-questions'

/** The URL for amqplib. */
export function rabbitUrl(address: string): string {
  return `amqp://${RABBIT_USER}:${encodeURIComponent(RABBIT_PASSWORD)}@${address}`
}

/** Answers every question. */
export async function bareAnswer(connection: ChannelModel): Promise<void> {
  const channel = await connection.createChannel()
  await channel.assertQueue(QUEUE, QUESTIONS_QUEUE_OPTIONS)
  await consume(channel, QUEUE, ({ content, properties }) => {
    const { instance } = JSON.parse(content.toString())
    const answer = { output: 'aGVsbG8=', at: '2026-11-22T08:00:00.000Z', instance }
    channel.sendToQueue(properties.replyTo, Buffer.from(JSON.stringify(answer)), {
      correlationId: properties.correlationId,
    })
  })
}

/** A function that asks, and resolves with the answer. */
export async function bareAsker(
  connection: ChannelModel,
): Promise<(ask: object) => Promise<unknown>> {
  const channel = await connection.createChannel()
  const { queue: replyTo } = await channel.assertQueue('', QUESTIONS_QUEUE_OPTIONS)
  const open = new Map<string, (answer: unknown) => void>()
  await consume(channel, replyTo, ({ content, properties }) => {
    open.get(properties.correlationId)?.(JSON.parse(content.toString()))
    open.delete(properties.correlationId)
  })
  let asked = 0
  return (ask) =>
    new Promise((resolve) => {
      asked += 1
      const correlationId = String(asked)
      open.set(correlationId, resolve)
      channel.sendToQueue(QUEUE, Buffer.from(JSON.stringify(ask)), { correlationId, replyTo })
    })
}

async function consume(
  channel: Channel,
  queue: string,
  heard: (message: NonNullable<Parameters<Parameters<Channel['consume']>[1]>[0]>) => void,
): Promise<void> {
  await channel.consume(queue, (message) => message !== null && heard(message), { noAck: true })
}
