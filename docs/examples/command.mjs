#!/usr/bin/env node
// Gives one command to Atoll over RabbitMQ and prints the answer. Only node:crypto and amqplib are needed.
//
//   AMQP_URL=amqps://user:password@10.0.0.1:5671 AMQP_TLS=/etc/atoll/tls AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… \
//     node command.mjs RunInstances '{"ImageId": "ami-…", "MinCount": 1, "MaxCount": 1}'
//
// AMQP_TLS is a directory with ca.crt, by which the broker is known, and host.crt and host.key, by which it knows its client.
// Exit codes: 0 done, 1 refused or failed, 2 no answer in time (give the command again with the same id: it will not be done twice).
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from 'amqplib'

const TIMEOUT_MS = 30_000
const CONNECTS = 5
const REPLY_TO = 'amq.rabbitmq.reply-to'
const { AMQP_URL, AMQP_TLS, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env
const [action, parameters = '{}', id = randomUUID()] = process.argv.slice(2)

const body = Buffer.from(JSON.stringify({ id, action, parameters: JSON.parse(parameters) }))
const correlationId = randomUUID()
const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
const bodyHash = createHash('sha256').update(body).digest('hex')
const text = ['ATOLL-HMAC-SHA256', date, AWS_ACCESS_KEY_ID, REPLY_TO, correlationId, bodyHash].join('\n')
const signature = createHmac('sha256', AWS_SECRET_ACCESS_KEY).update(text).digest('hex')

const file = (name) => readFileSync(`${AMQP_TLS}/${name}`)
const tls = AMQP_TLS && { ca: [file('ca.crt')], cert: file('host.crt'), key: file('host.key') }
// A broker that starts or joins its cluster refuses connections; nothing has been sent yet.
const connectTo = (tries) =>
  connect(AMQP_URL, { noDelay: true, ...tls }).catch(async (error) => {
    if (tries <= 1) throw error
    await wait(1_000)
    return connectTo(tries - 1)
  })
const connection = await connectTo(CONNECTS)
const channel = await connection.createConfirmChannel()
const answered = new Promise((resolve) => {
  channel.consume(REPLY_TO, (message) => resolve(message), { noAck: true })
})
// Persistent and confirmed: once this resolves, the command survives the loss of a broker's node.
channel.publish('atoll.commands', action, body, {
  persistent: true,
  replyTo: REPLY_TO,
  correlationId,
  contentType: 'application/json',
  headers: {
    'x-atoll-access-key': AWS_ACCESS_KEY_ID,
    'x-atoll-date': date,
    'x-atoll-signature': signature,
  },
})
await channel.waitForConfirms()
const timer = setTimeout(() => {
  console.error(`no answer within ${TIMEOUT_MS} ms; the id was ${id}`)
  process.exit(2)
}, TIMEOUT_MS)
const answer = JSON.parse((await answered).content.toString())
clearTimeout(timer)
await connection.close()
console.log(JSON.stringify(answer, null, 2))
process.exit(answer.error === undefined ? 0 : 1)
