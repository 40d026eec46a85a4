/**
 * Commands of clients over a real broker, with records, and two hosts that handle them: one in the
 * agent, and one in a process of the API, over the socket between both.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Channel, ChannelModel } from 'amqplib'
import { connect } from 'amqplib'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import type { Action } from '../../src/api/action.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { signCommand } from '../../src/api/commands/auth.ts'
import { answerSchema, type CommandAnswer } from '../../src/api/commands/command.ts'
import { serveCommands } from '../../src/api/commands/serve.ts'
import { connectSocketBus, type SocketBus } from '../../src/bus/socket-client.ts'
import { type SocketBusServer, serveSocketBus } from '../../src/bus/socket-server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { cloudEventOf, eventSchemas } from '../../src/model/cloud-event.ts'
import { unavailable } from '../../src/model/errors.ts'
import { execute } from '../../tools/kit/cloud.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import {
  RABBIT_PASSWORD,
  RABBIT_USER,
  type RabbitNode,
  startRabbit,
} from '../../tools/kit/rabbit.ts'
import { openTestBus, quiet, type TestBus } from '../../tools/kit/rabbit-bus.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../kit/api-cloud.ts'
import { hostName, instanceId, instanceRecord } from '../kit/records.ts'
import { metricValue } from '../kit/testbed.ts'

const KEY = { id: 'AKIDEXAMPLE', secret: 'a secret', account: ALICE, user: 'admin' }
const EXAMPLE = resolve(import.meta.dirname, '../../docs/examples/command.mjs')

/** On a machine that does much else. */
const HOOK_LIMIT_MS = 60_000
const PATIENCE_MS = 30_000
/** Of tests that run rabbitmqctl several times, which takes seconds of processor time each. */
const CTL_LIMIT_MS = 180_000

let broker: RabbitNode
let connection: ChannelModel
let channel: Channel
let cloud: Cloud
let hosts: CommandServer[]
let directory: string

interface CommandServer extends TestBus {
  stop(): Promise<void>
}

beforeAll(async () => {
  broker = await startRabbit()
  connection = await connect(url(), { noDelay: true })
}, 120_000)
afterAll(async () => {
  await connection?.close()
  await broker?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  hosts = []
  directory = await mkdtemp(join(tmpdir(), 'atoll-commands-'))
  cloud = await openCloud()
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  hosts.push(openCommandServer('host-1'), await openThroughSocket('host-2'))
  await quiet(...hosts)
  channel = await connection.createChannel()
}, HOOK_LIMIT_MS)
afterEach(async () => {
  for (const host of hosts) await end(host)
  // A test that failed may have left some.
  await channel.purgeQueue('atoll.commands')
  await channel.close()
  await rm(directory, { recursive: true })
  await cloud[Symbol.asyncDispose]()
}, HOOK_LIMIT_MS)

async function end(host: CommandServer): Promise<void> {
  await host.stop()
  await host.bus.close()
}

function url(user = RABBIT_USER, password = RABBIT_PASSWORD): string {
  return `amqp://${user}:${encodeURIComponent(password)}@${broker.address}`
}

/** A host that takes commands. */
function openCommandServer(name: string, actions: readonly Action[] = allActions): CommandServer {
  const end = openTestBus(name, [broker.address])
  const parts = { ...cloud.parts, clock: systemClock }
  const { bus: commands, metrics } = end
  return { ...end, stop: serveCommands({ commands, parts, actions, log: silentLog, metrics }) }
}

interface Command {
  readonly body?: object | Buffer
  readonly headers?: object
  readonly secret?: string
  readonly date?: string
  readonly times?: number
}

/** A host whose agent passes commands to a process of the API. */
interface SocketServer extends CommandServer {
  readonly agent: SocketBusServer
  readonly api: SocketBus
}

async function openThroughSocket(
  name: string,
  actions: readonly Action[] = allActions,
): Promise<SocketServer> {
  const end = openTestBus(name, [broker.address])
  const file = join(directory, name)
  const parts = { clock: systemClock, log: silentLog, build: 'this' }
  const { bus, metrics } = end
  const agent = await serveSocketBus({ ...parts, bus, commands: bus, onEvents() {} }, { file })
  const api = openProcess(file)
  const { commands } = api
  const calls = { ...cloud.parts, clock: systemClock }
  const stop = serveCommands({ commands, parts: calls, actions, log: silentLog, metrics })
  return {
    ...{ ...end, agent, api },
    async stop() {
      await stop()
      await api.close()
      await agent.close()
    },
  }
}

/** The end of a process of the API. */
function openProcess(file: string): SocketBus {
  const heard = { metrics: async () => '[]', onChanged() {}, onRetire() {} }
  return connectSocketBus({ ...heard, clock: systemClock, log: silentLog, build: 'this', file })
}

/** Gives a command and waits for as many answers. */
async function send(given: Command): Promise<readonly CommandAnswer[]> {
  const { body = {}, secret = KEY.secret, times = 1 } = given
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
  const { queue } = await channel.assertQueue('', { exclusive: true })
  const answers: CommandAnswer[] = []
  await channel.consume(
    queue,
    (message) => {
      answers.push(answerSchema.parse(JSON.parse(message?.content.toString() ?? '')))
    },
    { noAck: true },
  )
  const date = given.date ?? dateOf(Date.now())
  const correlationId = randomUUID()
  const signed = { body: bytes, replyTo: queue, correlationId }
  const headers = given.headers ?? {
    'x-atoll-access-key': KEY.id,
    'x-atoll-date': date,
    'x-atoll-signature': signCommand(signed, { id: KEY.id, secret }, date),
  }
  for (let time = 0; time < times; time += 1)
    channel.publish('atoll.commands', '', bytes, { replyTo: queue, correlationId, headers })
  await eventually('all are answered', () => answers.length === times, PATIENCE_MS)
  return answers
}

async function sendOne(given: Command): Promise<CommandAnswer> {
  const [answer] = await send(given)
  if (answer === undefined) throw new Error('no answer')
  return answer
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

const launch = (id: string) => ({
  id,
  action: 'RunInstances',
  parameters: { ImageId: cloud.image, MinCount: 2, MaxCount: 2, InstanceType: 't3.nano' },
})

it('does what the EC2 API does, and answers in its words', async () => {
  const id = randomUUID()
  const answer = await sendOne({ body: launch(id) })
  expect(answer.error).toBeUndefined()
  expect(answer.id).toBe(id)
  expect(answer.result?.['Instances']).toHaveLength(2)
  const listed = await sendOne({ body: { id: '2', action: 'DescribeInstances' } })
  expect(listed.result?.['Reservations']).toHaveLength(1)
})

it('launches once, however often the command arrives and whoever takes it', async () => {
  const answers = await send({ body: launch(randomUUID()), times: 20 })
  const reservations = new Set(answers.map(({ result }) => result?.['ReservationId']))
  expect(answers.filter(({ error }) => error !== undefined)).toEqual([])
  expect(reservations.size).toBe(1)
  expect(await cloud.store.read((tx) => tx.instances({}))).toHaveLength(2)
  const taken = await Promise.all(
    hosts.map(({ metrics }) => metricValue(metrics, 'atoll_commands_total')),
  )
  expect(taken.reduce((sum, count) => sum + count, 0)).toBe(20)
  expect(Math.min(...taken)).toBeGreaterThan(0)
})

it.each<[string, Command, string]>([
  ['no signature', { headers: {} }, 'IncompleteSignature'],
  ['headers of other types', { headers: { 'x-atoll-date': { a: 1 } } }, 'IncompleteSignature'],
  ['a wrong secret', { secret: 'another' }, 'AuthFailure'],
  ['an old date', { date: '20200101T000000Z' }, 'RequestExpired'],
  ['a date that is none', { date: '20209999T999999Z' }, 'RequestExpired'],
  ['no JSON', { body: Buffer.from('{') }, 'InvalidRequest'],
  ['not UTF-8', { body: Buffer.from([0xff, 0xfe]) }, 'InvalidRequest'],
  ['another shape', { body: { id: 'a b', actions: 1 } }, 'InvalidRequest'],
  ['an unknown action', { body: { id: '1', action: 'Nothing' } }, 'InvalidAction'],
  [
    'an unknown parameter',
    { body: { id: '1', action: 'DescribeInstances', parameters: { Nothing: 1 } } },
    'UnknownParameter',
  ],
  ['too much', { body: Buffer.alloc(300_000) }, 'RequestEntityTooLarge'],
])('answers %s with an error', async (_name, given, code) => {
  const { error, result } = await sendOne(given)
  expect(error?.code).toBe(code)
  expect(result).toBeUndefined()
})

it('does not take a command for one whose answer goes elsewhere', async () => {
  const body = Buffer.from(JSON.stringify({ id: '1', action: 'DescribeRegions' }))
  const date = dateOf(Date.now())
  const signed = { body, replyTo: 'the queue of its owner', correlationId: null }
  const answer = await sendOne({
    body,
    headers: {
      'x-atoll-access-key': KEY.id,
      'x-atoll-date': date,
      'x-atoll-signature': signCommand(signed, KEY, date),
    },
  })
  expect(answer.error?.code).toBe('AuthFailure')
})

it('answers in pages that the broker takes, however much there is', async () => {
  await cloud.store.change(async (tx) => {
    for (let n = 0; n < 400; n += 1)
      await tx.insertInstance(instanceRecord(instanceId(n), hostName('host1')))
  })
  const sizes: number[] = []
  let page = {}
  do {
    const body = { id: randomUUID(), action: 'DescribeInstances', parameters: page }
    const { error, result = {} } = await sendOne({ body })
    expect(error).toBeUndefined()
    const reservations = result['Reservations'] as { readonly Instances: readonly unknown[] }[]
    sizes.push(reservations.reduce((sum, { Instances }) => sum + Instances.length, 0))
    page = { NextToken: result['NextToken'] ?? null }
  } while ('NextToken' in page && page.NextToken !== null)
  expect(sizes).toEqual([200, 200])
})

it('says by name that an answer would be too long, and goes on', async () => {
  const tags = Array.from({ length: 1_000 }, (_, n) => ({
    ...{ account: ALICE, resource: `i-${n}`, resourceType: 'instance' },
    ...{ key: `key-${n}`, value: '𝄞'.repeat(256) },
  }))
  await cloud.store.change((tx) => tx.putTags(tags))
  const ask = (MaxResults: number) =>
    sendOne({ body: { id: randomUUID(), action: 'DescribeTags', parameters: { MaxResults } } })
  expect((await ask(1_000)).error?.code).toBe('ResponseTooLarge')
  expect((await ask(100)).error).toBeUndefined()
})

it('drops what is forged and wants no answer, and goes on', async () => {
  for (let count = 0; count < 50; count += 1)
    channel.publish('atoll.commands', '', Buffer.from('forged'), { replyTo: 'atoll.commands' })
  const answer = await sendOne({ body: { id: '1', action: 'DescribeRegions' } })
  expect(answer.error).toBeUndefined()
  await eventually(
    'all are dropped',
    async () => {
      const counts = hosts.map(({ metrics }) =>
        metricValue(metrics, 'atoll_commands_total', 'IncompleteSignature'),
      )
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0) === 50
    },
    PATIENCE_MS,
  )
})

it('gives a command to another host when the one that took it is cut off', async () => {
  const name = 'DescribeRegions'
  const started = Promise.withResolvers<void>()
  const hangs: Action = {
    name,
    input: z.unknown(),
    async run() {
      started.resolve()
      return await new Promise<never>(() => {})
    },
  }
  for (const host of hosts.splice(0)) await end(host)
  const stuck = openCommandServer('host-3', [hangs])
  hosts.push(stuck)
  await quiet(stuck)
  const answered = sendOne({ body: { id: '1', action: name } })
  await started.promise
  const other = openCommandServer('host-4')
  hosts.push(other)
  await stuck.bus.close()
  expect((await answered).error).toBeUndefined()
})

it('answers a launch once, although the process that it was given to dies in the middle of it', async () => {
  for (const host of hosts.splice(0)) await end(host)
  const launching = allActions.find(({ name }) => name === 'RunInstances')
  if (launching === undefined) throw new Error('RunInstances is not there')
  const committed = Promise.withResolvers<void>()
  const dies: Action = {
    ...launching,
    async run(call) {
      await launching.run(call)
      committed.resolve()
      return await new Promise<never>(() => {})
    },
  }
  const host = await openThroughSocket('host-3', [dies])
  hosts.push(host)
  await quiet(host)
  const answered = sendOne({ body: launch(randomUUID()) })
  await committed.promise
  // Its successor is there before it ends, as with systemd or two workers.
  const next = openProcess(join(directory, 'host-3'))
  const parts = { ...cloud.parts, clock: systemClock }
  const stop = serveCommands({
    ...{ commands: next.commands, parts, actions: allActions },
    ...{ log: silentLog, metrics: createMetrics() },
  })
  await host.api.close()
  const { error, result } = await answered
  expect(error).toBeUndefined()
  expect(result?.['Instances']).toHaveLength(2)
  expect(await cloud.store.read((tx) => tx.instances({}))).toHaveLength(2)
  await stop()
  await next.close()
})

it('takes no command while no process answers them, and loses none', async () => {
  for (const host of hosts.splice(0)) await end(host)
  const host = await openThroughSocket('host-3')
  hosts.push(host)
  await quiet(host)
  const file = join(directory, 'host-3')
  await host.api.close()
  await eventually('nobody takes commands', async () => {
    const { consumerCount } = await channel.checkQueue('atoll.commands')
    return consumerCount === 0
  })
  const answered = send({ body: { id: '1', action: 'DescribeRegions' }, times: 20 })
  await eventually(
    'all wait',
    async () => (await channel.checkQueue('atoll.commands')).messageCount === 20,
    PATIENCE_MS,
  )
  const next = openProcess(file)
  const parts = { ...cloud.parts, clock: systemClock }
  const stop = serveCommands({
    ...{ commands: next.commands, parts, actions: allActions },
    ...{ log: silentLog, metrics: createMetrics() },
  })
  expect((await answered).filter(({ error }) => error !== undefined)).toEqual([])
  await stop()
  await next.close()
})

it('hands a command on when its host is unhealthy, and then reports the error', async () => {
  for (const host of hosts.splice(0)) await end(host)
  let tried = 0
  const away: Action = {
    name: 'DescribeRegions',
    input: z.unknown(),
    async run() {
      tried += 1
      throw unavailable('the records are away')
    },
  }
  const host = openCommandServer('host-3', [away])
  hosts.push(host)
  const { error } = await sendOne({ body: { id: '1', action: away.name } })
  expect(error).toEqual({ code: 'Unavailable', message: 'the records are away', status: 503 })
  expect(tried).toBe(4)
})

/** Runs the client of the documentation as the broker's user `client`. */
function runExample(...args: readonly string[]) {
  const keys = { AWS_ACCESS_KEY_ID: KEY.id, AWS_SECRET_ACCESS_KEY: KEY.secret }
  const env = { ...process.env, AMQP_URL: url('client', 'password'), ...keys }
  return execute(process.execPath, [EXAMPLE, ...args], { env })
}

it(
  'answers the example client of the documentation, whose user may do no more than it has to',
  async () => {
    await broker.ctl('add_user', 'client', 'password')
    const mayWrite = '^atoll\\.commands$'
    const mayRead = '^amq\\.rabbitmq\\.reply-to.*$'
    const set = await broker.ctl('set_permissions', 'client', '^$', mayWrite, mayRead)
    expect(set.exitCode).toBe(0)
    const ran = await runExample('DescribeRegions')
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' })
    expect(JSON.parse(ran.stdout).result.Regions).toHaveLength(1)
    expect((await runExample('DescribeRegions', '{"Nothing": 1}')).exitCode).toBe(1)

    const client = await connect(url('client', 'password'), { noDelay: true })
    client.on('error', () => {})
    for (const queue of ['atoll.commands', '']) {
      const own = await client.createChannel()
      own.on('error', () => {})
      const reading = queue === '' ? own.assertQueue('') : own.consume(queue, () => {})
      await expect(reading).rejects.toThrow(/ACCESS_REFUSED/)
    }
    await client.close()
  },
  CTL_LIMIT_MS,
)

const EVENTS_EXAMPLE = resolve(import.meta.dirname, '../../docs/examples/events.mjs')

it(
  "gives the example consumer its account's events, each once, and no other account's",
  async () => {
    await broker.ctl('add_user', 'listener', 'password')
    const own = '^000000000001\\.'
    const mayRead = '^(000000000001\\..*|atoll\\.events)$'
    const sets = [
      await broker.ctl('set_permissions', 'listener', own, own, mayRead),
      await broker.ctl('set_topic_permissions', 'listener', 'atoll.events', '^$', own),
    ]
    expect(sets.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    const env = { ...process.env, AMQP_URL: url('listener', 'password') }
    const listener = spawn(process.execPath, [EVENTS_EXAMPLE, ALICE], { env })
    let said = ''
    let waits = ''
    listener.stdout.on('data', (chunk: Buffer) => {
      said += chunk
    })
    listener.stderr.on('data', (chunk: Buffer) => {
      waits += chunk
    })
    try {
      await eventually('it waits', () => waits.includes('waiting for events'), PATIENCE_MS)
      const [bus] = hosts.map((host) => host.bus)
      const event = (account: string, n: number) =>
        cloudEventOf(
          {
            ...{ kind: 'instance-state-change', subject: `i-${n}`, word: 'running', ordinal: 1 },
            ...{ account: account as typeof ALICE, atMs: Date.now() },
          },
          'atoll',
        )
      for (const one of [event(ALICE, 1), event(BOB, 2), event(ALICE, 1), event(ALICE, 3)])
        expect(await bus?.publish(one)).toBe('taken')
      await eventually('it has the last', () => /i-3.*\n/.test(said), PATIENCE_MS)
      const heard = said
        .trim()
        .split('\n')
        .map((line) => eventSchemas['instance-state-change'].parse(JSON.parse(line)))
      expect(heard.map(({ detail }) => detail)).toEqual([
        { 'instance-id': 'i-1', state: 'running' },
        { 'instance-id': 'i-3', state: 'running' },
      ])
    } finally {
      listener.kill()
    }
    // Another account's, and those of all, may not be bound to.
    const client = await connect(url('listener', 'password'), { noDelay: true })
    client.on('error', () => {})
    for (const key of ['#', '*.#', `${BOB}.#`, 'operator.#', `${ALICE}x.#`]) {
      const bound = await client.createChannel()
      bound.on('error', () => {})
      const { queue } = await bound.assertQueue(`${ALICE}.try`, { exclusive: true })
      await expect(bound.bindQueue(queue, 'atoll.events', key)).rejects.toThrow(/ACCESS_REFUSED/)
    }
    await client.close()
  },
  CTL_LIMIT_MS,
)
