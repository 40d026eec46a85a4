/**
 * The bus of a cloud with many hosts: RabbitMQ.
 *
 * It can be used at once, and connects in the background. While no broker answers, messages of a
 * host to itself still work, bells to others are kept (one for each addressee), and questions fail
 * with `unavailable`. After each connect this host rings itself, because it may have missed bells.
 *
 * No message is trusted (`rabbit/signing.ts`). Invalid ones are dropped and counted.
 */
import type { ConfirmChannel } from 'amqplib'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { throttle } from '../lib/throttle.ts'
import { assertNever } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { Bus } from './bus.ts'
import type { CommandQueue } from './command-queue.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { createLocalBus } from './local.ts'
import { createAnswering } from './rabbit/answering.ts'
import { type Asking, createAsking } from './rabbit/asking.ts'
import { type Bells, createBells } from './rabbit/bells.ts'
import { type BusMetrics, createBusMetrics } from './rabbit/bus-metrics.ts'
import { openChannels, openQueues } from './rabbit/channels.ts'
import { createRabbitCommandQueue, type RabbitCommandQueue } from './rabbit/command-queue.ts'
import {
  type Blocked,
  type Broker,
  type ConnectionListener,
  keepConnected,
} from './rabbit/connection.ts'
import { createEventSender, type EventSender } from './rabbit/events.ts'
import { createFollowing, type Following } from './rabbit/following.ts'
import type { BellMessage, BusMessage } from './rabbit/messages.ts'
import { BELLS_EXCHANGE, PROBE_KEY } from './rabbit/names.ts'
import { createOutbox, type Outbox } from './rabbit/outbox.ts'
import { createSigner, type Signer, type VerifiedEnvelope } from './rabbit/signing.ts'

/** How often dropped messages are logged. Each one is counted. */
const WARN_INTERVAL_MS = 60_000
/** An empty message that no queue receives. */
const EMPTY = Buffer.alloc(0)

/** What the bus needs. */
export interface RabbitBusOptions extends Broker {
  /** This host. Bells and questions to it arrive here. */
  readonly host: HostName
  /**
   * The key that signs messages between hosts. It is derived from the cluster's secret for this
   * purpose only.
   */
  readonly key: Uint8Array
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  /** The number of hosts, as far as known. */
  readonly hosts: () => number
}

/** The bus, its queue of commands, and its state. */
export interface RabbitBus extends Bus, CommandQueue {
  /** The broker node that it is connected to. Null while the bus is away. */
  node(): string | null
  /** Why the connected broker accepts no messages, and since when. Null while it does. */
  blocked(): Blocked | null
}

/** Opens the bus. Returns at once, without waiting for a broker. */
export function openRabbitBus(options: RabbitBusOptions): RabbitBus {
  const { host, log, metrics, clock, hosts } = options
  const random = () => fraction(options.random)
  const inbox = createInbox()
  const local = createLocalBus(clock, inbox)
  const measures = createBusMetrics(metrics)
  const signer = createSigner(options)
  const outbox = createOutbox(signer)
  const bells = createBells({ signer, clock, random, hosts, counted: measures.bell })
  const asking = createAsking({ signer, outbox, clock, counted: measures.question })
  const commandQueue = createRabbitCommandQueue(clock, (error) => {
    log.error({ error }, 'handling a command from the bus failed')
  })
  const following = createFollowing(local.ringVpc)
  const events = createEventSender(clock)
  const parts = {
    options,
    inbox,
    local,
    measures,
    signer,
    outbox,
    bells,
    following,
    asking,
    commandQueue,
    events,
  }
  const listener = createConnectionListener(parts, createReceiver(parts))
  const connection = keepConnected({ broker: options, listener, clock, log, random })
  return {
    node: connection.node,
    blocked: connection.blocked,
    onBell: inbox.onBell,
    onAsk: inbox.onAsk,
    onCommand: commandQueue.onCommand,
    // Messages to this host itself need no broker.
    ring: (to) => (to === host ? local.ring(to) : bells.ring(to)),
    ringAll() {
      local.ringAll()
      bells.ringAll()
    },
    ringVpc(vpc) {
      local.ringVpc(vpc)
      bells.ringVpc(vpc)
    },
    follow(vpcs) {
      local.follow(vpcs)
      following.follow(vpcs)
    },
    ask: (to, ...question) =>
      to === host ? local.ask(to, ...question) : asking.ask(to, ...question),
    async publish(event) {
      inbox.hearEvent(event)
      return await events.publish(event)
    },
    onEvent: inbox.onEvent,
    async close() {
      bells.close()
      outbox.useChannel(null)
      events.useChannel(null)
      asking.lose('The bus is closed.')
      await local.close()
      await connection.close()
    },
  }
}

interface Parts {
  readonly options: RabbitBusOptions
  readonly inbox: Inbox
  /** Delivers what this host sends to itself. */
  readonly local: Bus
  readonly measures: BusMetrics
  readonly signer: Signer
  readonly outbox: Outbox
  readonly bells: Bells
  readonly following: Following
  readonly asking: Asking
  readonly commandQueue: RabbitCommandQueue
  readonly events: EventSender
}

/** Returns the function that handles each message to this host. */
function createReceiver(parts: Parts): (content: Buffer) => void {
  const { inbox, local, measures, outbox, bells, asking } = parts
  const { host, clock } = parts.options
  const open = createEnvelopeReader(parts)
  const lost = () => measures.dropped('unsendable')
  const answering = createAnswering({ self: host, outbox, inbox, clock, lost })
  const hearBell = ({ bell, vpc }: BellMessage): void => {
    if (bell === 'own') {
      inbox.hear('own')
    } else if (vpc === undefined) {
      bells.heardAll()
      local.ringAll()
    } else {
      bells.heardVpc(vpc)
      local.ringVpc(vpc)
    }
  }
  const hear = (message: BusMessage, from: HostName, atMs: number): void => {
    switch (message.kind) {
      case 'bell':
        // A host's own bells to all are delivered without the broker.
        if (from !== host) hearBell(message)
        return
      case 'ask':
        answering.take(message, from)
        return
      case 'answer':
        asking.hear(message, from, atMs)
        return
      default:
        assertNever(message)
    }
  }
  return (content) => {
    const { messages, from, atMs = 0, late = [], ageMs = 0 } = open(content)
    if (from === undefined) return
    for (const message of late) answering.refuseLate(message, from, ageMs)
    for (const message of messages) hear(message, from, atMs)
  }
}

/** Opens the channels and queues on each connection, and tells the parts when it comes and goes. */
function createConnectionListener(
  parts: Parts,
  hear: (content: Buffer) => void,
): ConnectionListener {
  const { local, measures, signer, outbox, bells, following, asking, commandQueue, events } = parts
  const { host } = parts.options
  let bellsChannel: ConfirmChannel | null = null
  return {
    async setUp(model) {
      const { messages, ringing, commands, events: publishing } = await openChannels(model)
      messages.on('return', ({ content }) => {
        for (const message of signer.readOwn(content))
          if (message.kind === 'ask') asking.returned(message.id)
      })
      await following.useQueue(await openQueues(model, host, hear))
      await commandQueue.useChannel(commands)
      outbox.useChannel(messages)
      events.useChannel(publishing)
      bells.useChannel(ringing)
      bellsChannel = ringing
      return () => void messages.publish(BELLS_EXCHANGE, PROBE_KEY, EMPTY)
    },
    blocked(why) {
      measures.blocked(why !== null)
      outbox.block(why)
      events.block(why)
      // Bells are kept meanwhile, and sent when the broker accepts messages again.
      bells.useChannel(why === null ? bellsChannel : null)
      if (why !== null) asking.lose(why)
    },
    up() {
      measures.connected(true)
      local.ring(host)
      local.ringAll()
    },
    down() {
      measures.connected(false)
      measures.blocked(false)
      outbox.block(null)
      events.block(null)
      bellsChannel = null
      outbox.useChannel(null)
      events.useChannel(null)
      bells.useChannel(null)
      following.useQueue(null).catch(() => undefined)
      commandQueue.useChannel(null).catch(() => undefined)
      asking.lose('The connection to the message bus was lost before the answer came; try again.')
    },
  }
}

/** Opens envelopes. Dropped ones are counted, and logged from time to time. */
function createEnvelopeReader({
  options,
  signer,
  measures,
}: Parts): (content: Buffer) => VerifiedEnvelope {
  const { log, clock } = options
  let last: object = {}
  const warn = throttle(
    () => log.warn(last, 'dropped a message from another host'),
    () => WARN_INTERVAL_MS,
    clock,
  )
  return (content) => {
    const verified = signer.verify(content)
    const { drop: reason, from, ageMs } = verified
    if (reason !== undefined) {
      measures.dropped(reason)
      last = { reason, from, ageMs }
      warn.call()
    }
    return verified
  }
}

/** A number from 0 up to 1, from random bytes. */
function fraction(random: (bytes: number) => Uint8Array): number {
  return Buffer.from(random(4)).readUInt32BE() / 2 ** 32
}
