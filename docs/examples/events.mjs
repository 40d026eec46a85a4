#!/usr/bin/env node
// Prints the events of one account from RabbitMQ, each once, as JSON lines. Only amqplib is needed.
//
//   AMQP_URL=amqps://user:password@10.0.0.1:5671 AMQP_TLS=/etc/atoll/tls node events.mjs 000000000001 [QUEUE]
//
// With the name of a queue, events are kept in it while this program does not run (at most 10,000, for a day).
// AMQP_TLS is a directory with ca.crt, by which the broker is known, and host.crt and host.key, by which it knows its client.
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from 'amqplib'

const CONNECTS = 5
const REMEMBERED = 10_000
const { AMQP_URL, AMQP_TLS } = process.env
const [account, queue] = process.argv.slice(2)
const file = (name) => readFileSync(`${AMQP_TLS}/${name}`)
const tls = AMQP_TLS && { ca: [file('ca.crt')], cert: file('host.crt'), key: file('host.key') }
const connectTo = (tries) =>
  connect(AMQP_URL, { noDelay: true, ...tls }).catch(async (error) => {
    if (tries <= 1) throw error
    await wait(1_000)
    return connectTo(tries - 1)
  })

const connection = await connectTo(CONNECTS)
const channel = await connection.createChannel()
// A queue that is never read must not fill the broker: the oldest events make room for new ones.
const limits = { maxLength: 10_000, messageTtl: 86_400_000, overflow: 'drop-head' }
const kept = { durable: true, arguments: { 'x-queue-type': 'quorum' }, ...limits }
const own = await (queue === undefined
  ? channel.assertQueue(`${account}.${process.pid}`, { exclusive: true, ...limits })
  : channel.assertQueue(queue, kept))
await channel.bindQueue(own.queue, 'atoll.events', `${account}.#`)
// An event may come twice, with the same id.
const seen = new Set()
await channel.consume(own.queue, (message) => {
  if (message === null) process.exit(1)
  const event = JSON.parse(message.content.toString())
  if (!seen.has(event.id)) console.log(JSON.stringify(event))
  seen.add(event.id)
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value)
  channel.ack(message)
})
console.error(`waiting for events of ${account} in ${own.queue}`)
