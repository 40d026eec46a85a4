/**
 * The bus of a cloud of many hosts: RabbitMQ.
 *
 * It is there at once, whether a broker answers or not, and connects by itself. While it is away,
 * what this host tells itself goes on, bells to others are kept as the set of who is to be rung,
 * and questions are refused as `unavailable`; nothing grows. After each connect this host hears a
 * bell of each kind from itself, because it may have missed some.
 *
 * Nothing that arrives is trusted: see `rabbit/signing.ts`. What cannot be read is dropped and
 * counted.
 */
import type { ConfirmChannel } from 'amqplib'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { throttle } from '../lib/throttle.ts'
import { assertNever } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { Bus } from './bus.ts'
import type { CommandDoor } from './command-queue.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { createLocalBus } from './local.ts'
import { createAnswering } from './rabbit/answering.ts'
import { type Asking, createAsking } from './rabbit/asking.ts'
import { type Bells, createBells } from './rabbit/bells.ts'
import { type BusMeasures, createBusMeasures } from './rabbit/bus-metrics.ts'
import { openChannels, openQueues } from './rabbit/channels.ts'
import { createRabbitDoor, type RabbitDoor } from './rabbit/command-queue.ts'
import { type Attendant, type Blocked, type Broker, keepConnected } from './rabbit/connection.ts'
import { createFollowing, type Following } from './rabbit/following.ts'
import type { BellLetter, Letter } from './rabbit/messages.ts'
import { BELLS_EXCHANGE, PULSE_KEY } from './rabbit/names.ts'
import { createOutbox, type Outbox } from './rabbit/outbox.ts'
import { createSeal, type Opened, type Seal } from './rabbit/signing.ts'

/** A bad letter is told of so often in the log, and counted always. */
const WARN_INTERVAL_MS = 60_000
/** Nobody reads it. */
const PULSE = Buffer.alloc(0)

/** What the bus is built from. */
export interface RabbitBusOptions extends Broker {
  /** This host: bells and questions to it arrive here. */
  readonly host: HostName
  /**
   * Signs what hosts say to each other: derived from the cluster's secret for this purpose alone.
   */
  readonly key: Uint8Array
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  /** How many hosts there are, as far as is known. */
  readonly hosts: () => number
}

/** The bus, the door on it, and what can be told of it. */
export interface RabbitBus extends Bus, CommandDoor {
  /** The broker's node that we are connected to, or null while the bus is away. */
  node(): string | null
  /**
   * Why the broker takes no messages though it is connected, and since when; null while it does.
   */
  blocked(): Blocked | null
}

/** Opens the bus. Returns at once; see above for what it does until a broker answers. */
export function openRabbitBus(options: RabbitBusOptions): RabbitBus {
  const { host, log, metrics, clock, hosts } = options
  const random = () => fraction(options.random)
  const inbox = createInbox()
  const local = createLocalBus(clock, inbox)
  const measures = createBusMeasures(metrics)
  const seal = createSeal(options)
  const outbox = createOutbox(seal)
  const bells = createBells({ seal, clock, random, hosts, counted: measures.bell })
  const asking = createAsking({ seal, outbox, clock, counted: measures.question })
  const door = createRabbitDoor(clock, (error) => {
    log.error({ error }, 'a command could not be taken off the bus')
  })
  const following = createFollowing(local.ringVpc)
  const parts = { options, inbox, local, measures, seal, outbox, bells, following, asking, door }
  const attendant = createAttendant(parts, createHearing(parts))
  const connection = keepConnected({ broker: options, attendant, clock, log, random })
  return {
    node: connection.node,
    blocked: connection.blocked,
    onBell: inbox.onBell,
    onAsk: inbox.onAsk,
    onCommand: door.onCommand,
    // What a host tells itself does not need a broker.
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
    async close() {
      bells.close()
      outbox.useChannel(null)
      asking.lose('The bus is closed.')
      await local.close()
      await connection.close()
    },
  }
}

interface Parts {
  readonly options: RabbitBusOptions
  readonly inbox: Inbox
  /** What this host tells itself. */
  readonly local: Bus
  readonly measures: BusMeasures
  readonly seal: Seal
  readonly outbox: Outbox
  readonly bells: Bells
  readonly following: Following
  readonly asking: Asking
  readonly door: RabbitDoor
}

/** What is done with each message that arrives for this host. */
function createHearing(parts: Parts): (content: Buffer) => void {
  const { inbox, local, measures, outbox, bells, asking } = parts
  const { host, clock } = parts.options
  const open = createOpener(parts)
  const lost = () => measures.dropped('unsendable')
  const answering = createAnswering({ self: host, outbox, inbox, clock, lost })
  const hearBell = ({ bell, vpc }: BellLetter): void => {
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
  const hear = (letter: Letter, from: HostName, atMs: number): void => {
    switch (letter.kind) {
      case 'bell':
        // What this host rang it has heard already.
        if (from !== host) hearBell(letter)
        return
      case 'ask':
        answering.take(letter, from)
        return
      case 'answer':
        asking.hear(letter, from, atMs)
        return
      default:
        assertNever(letter)
    }
  }
  return (content) => {
    const { letters, from, atMs = 0, late = [], ageMs = 0 } = open(content)
    if (from === undefined) return
    for (const letter of late) answering.refuseLate(letter, from, ageMs)
    for (const letter of letters) hear(letter, from, atMs)
  }
}

/** Opens what is needed on each connection, and tells the parts when it comes and goes. */
function createAttendant(parts: Parts, hear: (content: Buffer) => void): Attendant {
  const { local, measures, seal, outbox, bells, following, asking, door } = parts
  const { host } = parts.options
  let bellsChannel: ConfirmChannel | null = null
  return {
    async setUp(model) {
      const { letters, ringing, commands } = await openChannels(model)
      letters.on('return', ({ content }) => {
        for (const letter of seal.reopen(content))
          if (letter.kind === 'ask') asking.returned(letter.id)
      })
      await following.useQueue(await openQueues(model, host, hear))
      await door.useChannel(commands)
      outbox.useChannel(letters)
      bells.useChannel(ringing)
      bellsChannel = ringing
      return () => void letters.publish(BELLS_EXCHANGE, PULSE_KEY, PULSE)
    },
    blocked(why) {
      measures.blocked(why !== null)
      outbox.block(why)
      // Whoever is to be rung meanwhile is kept, and rung when it takes messages again.
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
      bellsChannel = null
      outbox.useChannel(null)
      bells.useChannel(null)
      following.useQueue(null).catch(() => undefined)
      door.useChannel(null).catch(() => undefined)
      asking.lose('The message bus was lost before the answer came; try again.')
    },
  }
}

/**
 * Opens messages, and tells of what has to be dropped: a count of each, and now and then a line.
 */
function createOpener({ options, seal, measures }: Parts): (content: Buffer) => Opened {
  const { log, clock } = options
  let last: object = {}
  const warn = throttle(
    () => log.warn(last, 'a message between hosts was dropped'),
    () => WARN_INTERVAL_MS,
    clock,
  )
  return (content) => {
    const opened = seal.open(content)
    const { drop: reason, from, ageMs } = opened
    if (reason !== undefined) {
      measures.dropped(reason)
      last = { reason, from, ageMs }
      warn.call()
    }
    return opened
  }
}

/** A number from 0 up to 1, of random bytes. */
function fraction(random: (bytes: number) => Uint8Array): number {
  return Buffer.from(random(4)).readUInt32BE() / 2 ** 32
}
