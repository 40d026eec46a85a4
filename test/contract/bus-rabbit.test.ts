/**
 * The `Bus` contract over RabbitMQ, between two hosts and within one, and what only a bus with a
 * broker must survive.
 */
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { type ConfirmChannel, connect } from 'amqplib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allBellMs } from '../../src/bus/bus.ts'
import {
  BELLS_EXCHANGE,
  EVENTS_EXCHANGE,
  hostKey,
  QUESTIONS_EXCHANGE,
} from '../../src/bus/rabbit/names.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { CloudEvent } from '../../src/model/cloud-event.ts'
import { formatId, type HostName } from '../../src/model/ids.ts'
import { eventually as eventuallyWithin } from '../../tools/kit/netns.ts'
import {
  RABBIT_PASSWORD,
  RABBIT_USER,
  type RabbitNode,
  startRabbit,
} from '../../tools/kit/rabbit.ts'
import { openTestBus, quiet, type TestBus } from '../../tools/kit/rabbit-bus.ts'
import { metricValue } from '../kit/testbed.ts'
import { describeBusContract } from './bus-contract.ts'

const ASK = { instance: formatId('i', new Uint8Array(9)) }
const ANSWER = { output: 'aGVsbG8=', at: '2026-11-22T08:00:00.000Z' }
const ASK_OPTIONS = { timeoutMs: 20_000 }
/** Longer than any test. */
const NEVER = { timeoutMs: 600_000 }

/** Longer than a node has before the next one is tried beside it. */
const SLOW_MS = 2_500
/** Twice what a slow node behind a dead one takes. Once it was given up for each dead one. */
const SLOW_LIMIT_MS = 9_000

/** With the patience of a machine that does much else. */
const eventually = (what: string, holds: () => Promise<boolean> | boolean) =>
  eventuallyWithin(what, holds, 30_000)

let broker: RabbitNode
beforeAll(async () => {
  broker = await startRabbit()
}, 120_000)
afterAll(() => broker?.[Symbol.asyncDispose]())

describe('RabbitMQ', () => {
  describeBusContract('between two hosts', async () => {
    const near = openTestBus('host-1', [broker.address])
    const far = openTestBus('host-2', [broker.address])
    await quiet(near, far)
    const end = async () => {
      await Promise.all([near.bus.close(), far.bus.close()])
    }
    return { near, far, end }
  })

  describeBusContract('of a host with itself', async () => {
    const end = openTestBus('host-1', [broker.address])
    await quiet(end)
    return { near: end, far: end, end: () => end.bus.close() }
  })
})

describe('bells to all', () => {
  it('do not become more with those that ring them', async () => {
    const names = ['host-1', 'host-2', 'host-3', 'host-4', 'host-5', 'host-6']
    // With so many hosts a bell is heard long before the next is due, on a busy machine, too.
    const hosts = 500
    const ends = names.map((name) => openTestBus(name, [broker.address], { hosts: () => hosts }))
    await withBuses(ends, async () => {
      await quiet(...ends)
      const sent = async () => {
        const each = ends.map(({ metrics }) =>
          metricValue(metrics, 'atoll_bus_bells_total', 'sent'),
        )
        return (await Promise.all(each)).reduce((sum, one) => sum + one, 0)
      }
      const before = await sent()
      const beganMs = performance.now()
      const intervals = () => (performance.now() - beganMs) / allBellMs(hosts)
      await eventually('they were rung for a while', () => {
        for (const { bus } of ends) bus.ringAll()
        return intervals() >= 6
      })
      const rung = (await sent()) - before
      expect(rung).toBeGreaterThan(2)
      // Each by itself would ring in each interval; that two ring before either is heard happens.
      expect(rung).toBeLessThan((ends.length / 2) * intervals())
    })
  })
})

/** Runs with the buses, and closes them. */
async function withBuses(
  buses: readonly TestBus[],
  work: (...buses: TestBus[]) => Promise<void>,
): Promise<void> {
  try {
    await work(...buses)
  } finally {
    await Promise.all(buses.map(({ bus }) => bus.close()))
  }
}

function pair(): readonly [TestBus, TestBus] {
  return [openTestBus('host-1', [broker.address]), openTestBus('host-2', [broker.address])]
}

/**
 * Somebody who has the broker's password and not the cluster's secret; `taken` is what was sent to
 * `host-2`.
 */
async function withStranger(
  work: (channel: ConfirmChannel, taken: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const user = `${RABBIT_USER}:${encodeURIComponent(RABBIT_PASSWORD)}`
  const connection = await connect(`amqp://${user}@${broker.address}`, { noDelay: true })
  try {
    const channel = await connection.createConfirmChannel()
    const taken: Buffer[] = []
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(queue, QUESTIONS_EXCHANGE, hostKey('host-2' as HostName))
    await channel.consume(queue, (message) => taken.push(message?.content ?? Buffer.alloc(0)), {
      noAck: true,
    })
    await work(channel, taken)
  } finally {
    await connection.close()
  }
}

describe('a stranger', () => {
  it('cannot have a question answered that was answered, or anything read that was not signed', async () => {
    await withBuses(pair(), async (near, far) => {
      let answered = 0
      far.bus.onAsk('console', async () => {
        answered += 1
        return ANSWER
      })
      await quiet(near, far)
      await withStranger(async (channel, taken) => {
        await near.bus.ask(far.host, 'console', ASK, ASK_OPTIONS)
        await eventually('the question was overheard', () => taken.length === 1)
        const [question = Buffer.alloc(0)] = taken
        const key = hostKey(far.host)
        const send = (content: Buffer) => channel.publish(QUESTIONS_EXCHANGE, key, content, {})
        for (let time = 0; time < 5; time += 1) send(question)
        const changed = Buffer.from(question)
        changed.writeUInt8(changed.readUInt8(40) ^ 1, 40)
        for (const content of [changed, Buffer.alloc(0), Buffer.from('{}'), Buffer.alloc(100_000)])
          send(content)
        send(Buffer.alloc(400_000))
        const drops = (reason: string) =>
          metricValue(far.metrics, 'atoll_bus_dropped_total', reason)
        await eventually('all are dropped', async () => {
          const counts = await Promise.all(['repeated', 'forged', 'oversized'].map(drops))
          return counts.join() === '5,4,1'
        })
        expect(answered).toBe(1)
      })
    })
  })

  it('cannot ring', async () => {
    await withBuses(pair(), async (near, far) => {
      await quiet(near, far)
      let heard = 0
      far.bus.onBell(() => {
        heard += 1
      })
      await withStranger(async (channel) => {
        for (const key of [hostKey(far.host), 'all'])
          channel.publish(BELLS_EXCHANGE, key, Buffer.from('ring'), {})
        const drops = () => metricValue(far.metrics, 'atoll_bus_dropped_total', 'forged')
        await eventually('both are dropped', async () => (await drops()) === 2)
        expect(heard).toBe(0)
      })
    })
  })
})

describe('a host', () => {
  it('learns at once that whom it asks is not there', async () => {
    await withBuses([openTestBus('host-1', [broker.address])], async (near) => {
      await quiet(near)
      const answer = near.bus.ask('nobody' as HostName, 'console', ASK, NEVER)
      await expect(answer).rejects.toMatchObject({ kind: 'unavailable' })
    })
  })

  it('rings others however many there are, once each for a storm', async () => {
    await withBuses(pair(), async (near, far) => {
      await quiet(near, far)
      let heard = 0
      far.bus.onBell(() => {
        heard += 1
      })
      for (let rung = 0; rung < 100_000; rung += 1) near.bus.ring(far.host)
      for (let host = 0; host < 20_000; host += 1) near.bus.ring(`nobody-${host}` as HostName)
      await eventually('it is heard', () => heard > 0)
      const dropped = await metricValue(near.metrics, 'atoll_bus_bells_total', 'dropped')
      expect(dropped).toBeGreaterThan(10_000)
      await eventually('all others are sent', async () => {
        const sent = await metricValue(near.metrics, 'atoll_bus_bells_total', 'sent')
        return sent + dropped >= 20_001
      })
      expect(heard).toBeLessThan(5)
    })
  })

  it.each([-3_600_000, 61_000, 3_600_000])(
    'asks and answers another whose clock is %d ms ahead',
    async (aheadMs) => {
      const [near, other] = [openTestBus('host-1', [broker.address]), 'host-2'] as const
      const clock = { ...systemClock, now: () => Date.now() + aheadMs }
      const far = openTestBus(other, [broker.address], { clock })
      await withBuses([near, far], async () => {
        for (const { bus } of [near, far]) bus.onAsk('console', async () => ANSWER)
        await quiet(near, far)
        expect(await near.bus.ask(far.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
        expect(await far.bus.ask(near.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
        const stale = () => metricValue(far.metrics, 'atoll_bus_dropped_total', 'stale')
        expect(await stale()).toBe(1)
        // From then on it uses the clock of the host that it asks.
        expect(await near.bus.ask(far.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
        expect(await stale()).toBe(1)
      })
    },
  )

  it('is back after the broker hung up, and receives bells of its own making and of what it follows', async () => {
    await withBuses(pair(), async (near, far) => {
      const vpc = formatId('vpc', new Uint8Array(9))
      far.bus.follow([vpc])
      far.bus.onAsk('console', async () => ANSWER)
      await quiet(near, far)
      const bells = new Set<string>()
      near.bus.onBell((bell) => bells.add(bell))
      await broker.ctl('close_all_connections', 'a test')
      await eventually('it heard both', () => bells.size === 2)
      await quiet(near, far)
      expect(await near.bus.ask(far.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
      expect(await metricValue(near.metrics, 'atoll_bus_connects_total')).toBeGreaterThan(1)
      const followed = Promise.withResolvers<void>()
      far.bus.onBell((bell) => bell === vpc && followed.resolve())
      near.bus.ringVpc(vpc)
      await followed.promise
    })
  })
})

describe('a broker', () => {
  const servers: Server[] = []
  afterAll(() => {
    for (const server of servers) server.close()
  })

  /** Something that listens. */
  async function listener(serve: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      serve(socket)
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
    return `127.0.0.1:${address.port}`
  }

  it('is found behind those that are gone, silent or none', async () => {
    const nodes = [
      '127.0.0.1:1',
      await listener(() => {}),
      await listener((socket) => socket.write('220 mail\r\n')),
      broker.address,
    ]
    await withBuses([openTestBus('host-1', nodes)], async (near) => {
      await quiet(near)
      expect(near.bus.node()).toBe(broker.address)
    })
  })

  it('that takes no messages for want of memory is told of, and keeps nobody waiting', async () => {
    await withBuses(pair(), async (near, far) => {
      far.bus.onAsk('console', async () => ANSWER)
      await quiet(near, far)
      const isBlocked = async (to: 0 | 1) =>
        (await metricValue(near.metrics, 'atoll_bus_blocked')) === to
      const rung = Promise.withResolvers<void>()
      const watermark = (to: string) => broker.ctl('set_vm_memory_high_watermark', to)
      await watermark('0.000001')
      try {
        // Nobody has asked it for anything.
        await eventually('it is known', () => isBlocked(1))
        expect(near.bus.blocked()?.why).toMatch(/low on memory.*rabbitmqctl status/)
        const asked = near.bus.ask(far.host, 'console', ASK, NEVER)
        await expect(asked).rejects.toThrow(/takes no messages: low on memory/)
        far.bus.onBell((bell) => bell === 'own' && rung.resolve())
        for (let time = 0; time < 10_000; time += 1) near.bus.ring(far.host)
        expect(near.bus.node()).toBe(broker.address)
      } finally {
        await watermark('0.6')
      }
      await eventually('it takes messages again', () => isBlocked(0))
      expect(near.bus.blocked()).toBeNull()
      await rung.promise
      expect(await near.bus.ask(far.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
    })
  })

  /** The broker, whose first answer takes long. */
  const slowListener = () => {
    const [host = '', port = ''] = broker.address.split(':')
    return listener((socket) => {
      const real = connectSocket(Number(port), host)
      real.on('error', () => {})
      socket.pipe(real)
      setTimeout(() => real.pipe(socket), SLOW_MS)
    })
  }

  it('that is slow to let us in is given the time when nobody is quicker', async () => {
    const overrun = await slowListener()
    await withBuses([openTestBus('host-1', [overrun])], async (near) => {
      await eventually('it is connected', () => near.bus.node() === overrun)
    })
  })

  it('that is slow among dead ones is not given up for them', async () => {
    const silent = () => listener(() => {})
    const overrun = await slowListener()
    const nodes = [await silent(), overrun, await silent(), '127.0.0.1:1']
    const beganMs = performance.now()
    await withBuses([openTestBus('host-1', nodes)], async (near) => {
      await eventually('it is connected', () => near.bus.node() === overrun)
      expect(performance.now() - beganMs).toBeLessThan(SLOW_LIMIT_MS)
    })
  })

  it('that does not let us in leaves the host by itself', async () => {
    const wrong = { password: 'wrong' }
    await withBuses([openTestBus('host-1', [broker.address], wrong)], async (near) => {
      near.bus.onAsk('console', async () => ANSWER)
      const heard = Promise.withResolvers<void>()
      near.bus.onBell(() => heard.resolve())
      near.bus.ring(near.host)
      await heard.promise
      expect(await near.bus.ask(near.host, 'console', ASK, ASK_OPTIONS)).toEqual(ANSWER)
      const other = near.bus.ask('host-2' as HostName, 'console', ASK, NEVER)
      await expect(other).rejects.toMatchObject({ kind: 'unavailable' })
      expect(near.bus.node()).toBeNull()
    })
  })
})

describe('events', () => {
  const event = (n: number): CloudEvent => ({
    id: `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`,
    ...{ routingKey: 'operator.host-state-change.lost', body: JSON.stringify({ n }), atMs: 1_000 },
  })

  it('are refused by a queue that is full and never read, and reach the others', async () => {
    const end = openTestBus('host-1', [broker.address])
    await withBuses([end], async () => {
      await quiet(end)
      const user = `${RABBIT_USER}:${encodeURIComponent(RABBIT_PASSWORD)}`
      const connection = await connect(`amqp://${user}@${broker.address}`, { noDelay: true })
      const channel = await connection.createChannel()
      const full = { exclusive: true, maxLength: 1, overflow: 'reject-publish' } as const
      const unread = await channel.assertQueue('never-read', full)
      const other = await channel.assertQueue('read', { exclusive: true })
      for (const { queue } of [unread, other])
        await channel.bindQueue(queue, EVENTS_EXCHANGE, 'operator.#')
      const heard: string[] = []
      await channel.consume(other.queue, (message) => heard.push(String(message?.content)), {
        noAck: true,
      })
      const outcomes = []
      for (let n = 0; n < 3; n += 1) outcomes.push(await end.bus.publish(event(n)))
      expect(outcomes).toEqual(['taken', 'refused', 'refused'])
      await eventually('the other queue has all', () => heard.length === 3)
      await connection.close()
    })
  })

  it('are rejected in time by a broker that hangs, and sent when it goes on', async () => {
    const [host = '', port = ''] = broker.address.split(':')
    const sockets = new Set<Socket>()
    let hangs = false
    // SIGSTOP of a broker looks like this: connections stay, and nothing comes.
    const relay = createServer((near) => {
      const far = connectSocket(Number(port), host)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
        from.on('data', (chunk) => to.write(chunk))
        if (hangs) from.pause()
      }
    })
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
    const address = relay.address()
    const at = typeof address === 'object' && address !== null ? address.port : 0
    const end = openTestBus('host-1', [`127.0.0.1:${at}`])
    try {
      await quiet(end)
      hangs = true
      for (const socket of sockets) socket.pause()
      const beganMs = performance.now()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 250 }, (_, n) => end.bus.publish(event(n))),
      )
      expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
      expect(performance.now() - beganMs).toBeLessThan(20_000)
      hangs = false
      for (const socket of sockets) socket.resume()
      await eventually('it publishes again', () =>
        end.bus.publish(event(1)).then(
          (outcome) => outcome === 'taken',
          () => false,
        ),
      )
    } finally {
      await end.bus.close()
      for (const socket of sockets) socket.destroy()
      relay.close()
    }
  })
})
