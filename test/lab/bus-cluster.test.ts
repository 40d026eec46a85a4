/**
 * The bus over three brokers when one of them, or all, lose power. Measures what hosts on the
 * remaining brokers notice.
 */
import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Bell } from '../../src/bus/bus.ts'
import { formatId, type HostName } from '../../src/model/ids.ts'
import { eventually } from '../../tools/kit/netns.ts'
import {
  RABBIT_PASSWORD,
  RABBIT_USER,
  type RabbitCluster,
  type RabbitNode,
  startRabbitCluster,
} from '../../tools/kit/rabbit.ts'
import { openTestBus, quiet, type TestBus } from '../../tools/kit/rabbit-bus.ts'

const ASK = { instance: formatId('i', new Uint8Array(9)) }
const ANSWER = { output: 'aGVsbG8=', at: '2026-11-22T08:00:00.000Z' }
const EVERY_MS = 10
/**
 * Silence is noticed after two to three heartbeats of 5 s; the other brokers then take their
 * network tick to let anybody in.
 */
const RECONNECT_LIMIT_MS = 35_000
/** Nobody who is connected to a living broker may wait longer than this. */
const GAP_LIMIT_MS = 1_000
/** Raft elects another leader for the commands. */
const COMMAND_GAP_LIMIT_MS = 10_000
const BOOT_LIMIT_MS = 120_000

let cluster: RabbitCluster
let hosts: readonly TestBus[]

beforeAll(async () => {
  cluster = await startRabbitCluster()
  // Each prefers a broker of its own.
  hosts = cluster.nodes.map((_, index) => {
    const { nodes } = cluster
    const order = [...nodes.slice(index), ...nodes.slice(0, index)].map(({ address }) => address)
    const end = openTestBus(`host-${index + 1}`, order)
    end.bus.onAsk('console', async () => ANSWER)
    return end
  })
  await quiet(...hosts)
}, 300_000)
afterAll(async () => {
  await Promise.all(hosts?.map(({ bus }) => bus.close()) ?? [])
  await cluster?.[Symbol.asyncDispose]()
}, 60_000)

function hostAt(index: number): TestBus {
  const host = hosts[index]
  if (host === undefined) throw new Error('there are three hosts')
  return host
}

function nodeAt(index: number): RabbitNode {
  const node = cluster.nodes[index]
  if (node === undefined) throw new Error('there are three brokers')
  return node
}

/**
 * Does something again and again; gives the longest time between two successes, and the number of
 * failures.
 */
async function longestGap(
  work: () => Promise<unknown>,
  until: () => boolean,
): Promise<{ readonly gapMs: number; readonly failures: number }> {
  let last = performance.now()
  let gapMs = 0
  let failures = 0
  while (!until()) {
    await work().then(
      () => {
        gapMs = Math.max(gapMs, performance.now() - last)
        last = performance.now()
      },
      () => {
        failures += 1
      },
    )
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
  return { gapMs, failures }
}

const ask = (from: TestBus, to: HostName, timeoutMs = 5_000) =>
  from.bus.ask(to, 'console', ASK, { timeoutMs })

/** A client that publishes commands with confirms over one broker. */
async function openPublisher(node: RabbitNode) {
  const user = `${RABBIT_USER}:${encodeURIComponent(RABBIT_PASSWORD)}`
  const connection = await connect(`amqp://${user}@${node.address}`, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  const publish = async () => {
    channel.publish('atoll.commands', '', Buffer.from('{}'), { persistent: true })
    await channel.waitForConfirms()
  }
  return { connection, channel, publish }
}

it('hosts reach each other over different brokers', async () => {
  expect(new Set(hosts.map(({ bus }) => bus.node())).size).toBe(3)
  for (const from of hosts)
    for (const { host } of hosts) expect(await ask(from, host)).toEqual(ANSWER)
})

it('when a broker loses its power, hosts on others are not affected and its own hosts find another', async () => {
  const [own, second, third] = [hostAt(0), hostAt(1), hostAt(2)]
  const { connection, publish } = await openPublisher(nodeAt(1))
  const bells: Bell[] = []
  const stop = own.bus.onBell((bell) => bells.push(bell))
  let over = false
  const asking = longestGap(
    () => ask(second, third.host),
    () => over,
  )
  const publishing = longestGap(publish, () => over)
  await publish()
  // The link first: a power cut sends no word.
  await cluster.plug(0, false)
  await nodeAt(0).kill()
  const beganMs = performance.now()
  await eventually(
    'the host has left the dead broker',
    () => own.bus.node() !== nodeAt(0).address && own.bus.node() !== null,
    RECONNECT_LIMIT_MS * 2,
  )
  const backMs = performance.now() - beganMs
  expect(await ask(second, own.host)).toEqual(ANSWER)
  expect(bells).toEqual(expect.arrayContaining(['own', 'shared']))
  // Until the others have noticed it too, which takes their network tick.
  await eventually(
    'commands are confirmed again',
    async () => {
      await publish()
      return true
    },
    COMMAND_GAP_LIMIT_MS * 2,
  )
  over = true
  const questions = await asking
  const commands = await publishing
  stop()
  await connection.close()
  process.stdout.write(
    `broker lost: its host back after ${backMs.toFixed(0)} ms; longest gap of questions ${questions.gapMs.toFixed(0)} ms (${questions.failures} failed), of confirmed commands ${commands.gapMs.toFixed(0)} ms\n`,
  )
  expect(questions.failures).toBe(0)
  expect(questions.gapMs).toBeLessThan(GAP_LIMIT_MS)
  expect(backMs).toBeLessThan(RECONNECT_LIMIT_MS)
  expect(commands.gapMs).toBeLessThan(COMMAND_GAP_LIMIT_MS)
  await cluster.plug(0, true)
  await nodeAt(0).start()
}, 240_000)

it(
  'when all are lost, hosts go on alone, and connect again when one is back',
  async () => {
    const [first, second] = [hostAt(0), hostAt(1)]
    const before = await openPublisher(nodeAt(1))
    await before.channel.purgeQueue('atoll.commands')
    await before.publish()
    before.connection.on('error', () => {})
    for (const [index, node] of cluster.nodes.entries()) {
      await cluster.plug(index, false)
      await node.kill()
    }
    await eventually(
      'all have noticed',
      () => hosts.every(({ bus }) => bus.node() === null),
      RECONNECT_LIMIT_MS * 2,
    )
    const beganMs = performance.now()
    await expect(ask(first, second.host)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - beganMs).toBeLessThan(1_000)
    expect(await ask(first, first.host)).toEqual(ANSWER)
    const own = Promise.withResolvers<void>()
    const stopOwn = first.bus.onBell(() => own.resolve())
    first.bus.ring(first.host)
    await own.promise
    stopOwn()

    const bells: Bell[] = []
    for (let rung = 0; rung < 10_000; rung += 1) first.bus.ring(second.host)
    const stop = second.bus.onBell((bell) => bells.push(bell))
    for (const index of cluster.nodes.keys()) await cluster.plug(index, true)
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await quiet(...hosts)
    expect(await ask(first, second.host)).toEqual(ANSWER)
    await eventually(
      'the host has been rung',
      () => bells.includes('own') && bells.includes('shared'),
    )
    // One for being back, and one for all that were rung; a few more if it came back in steps.
    expect(bells.filter((bell) => bell === 'own').length).toBeLessThan(10)
    stop()
    const after = await openPublisher(nodeAt(0))
    expect((await after.channel.checkQueue('atoll.commands')).messageCount).toBe(1)
    await after.connection.close()
  },
  BOOT_LIMIT_MS * 3,
)
