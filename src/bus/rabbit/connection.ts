/**
 * One connection to a RabbitMQ cluster, kept up: whichever node answers, again and again, until it is closed.
 *
 * Nodes are tried in order, starting after the one that was lost. A node that lost its power sends no word: the handshake has a
 * deadline, and heartbeats end a connection that has fallen silent. When no node answers, rounds through the list become rarer
 * (doubling, with jitter, up to `BACKOFF_MAX_MS`), so that a thousand hosts do not come back in the same moment.
 */
import type { ChannelModel } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import {
  createTlsReader,
  type EngineAccess,
  splitAddress,
  type TlsReader,
} from '../../lib/engine-access.ts'
import type { Log } from '../../lib/log.ts'
import { AtollError, unavailable } from '../../model/errors.ts'
import { chance } from './chance.ts'
import { within } from './within.ts'

/**
 * A connection that is silent for two to three of these is dead. Less would end some whose host or broker is only busy, and all of them
 * have to be made anew then (https://www.rabbitmq.com/docs/heartbeats); what a dead one loses is found by timers.
 */
const HEARTBEAT_SECONDS = 5
/** Longest that a node may take to let us in while others may be quicker; longer in each round that none of them let us in... */
const CONNECT_TIMEOUT_MS = 2_000
/** ...up to this: a node that is overrun gets through with one connection after the other. */
const CONNECT_TIMEOUT_MAX_MS = 10_000
/** Longest that it may then take to set up what we need. */
const SETUP_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 1_000
const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 5_000
/** A connection that held so long was a good one: the next failure is the first of its kind. */
const STABLE_MS = 5_000
const THE_BROKER = 'The broker'
const PORT = 5672
const TLS_PORT = 5671

/** Where the brokers are and how to get in. */
export interface Broker extends EngineAccess {
  readonly vhost: string
}

/** What is told of the connection. */
export interface Attendant {
  /** A node let us in: make channels and queues. Whatever it throws ends this connection. */
  setUp(model: ChannelModel): Promise<void>
  /** All is set up. */
  up(): void
  /** The connection is lost, or never came to be up. */
  down(): void
}

/** The kept connection. */
export interface Connection {
  /** The node that we are connected to. */
  node(): string | null
  close(): Promise<void>
}

interface Parts {
  readonly broker: Broker
  readonly attendant: Attendant
  readonly clock: Clock
  readonly log: Log
  readonly random: (bytes: number) => Uint8Array
}

/** Begins to connect, and returns at once. */
export function keepConnected(parts: Parts): Connection {
  const { broker, attendant, clock, log } = parts
  const closing = new AbortController()
  const readTls = createTlsReader(broker.tls)
  let node: string | null = null

  /** Resolves when a connection that was up has ended; rejects when it never came up. */
  async function attend(
    address: string,
    timeoutMs: number,
  ): Promise<{ readonly upMs: number; readonly why: unknown }> {
    const model = await connectTo(broker, readTls, address, timeoutMs)
    const ended = endOf(model)
    const leave = () => void model.close().catch(() => undefined)
    try {
      closing.signal.throwIfAborted()
      await within(
        SETUP_TIMEOUT_MS,
        THE_BROKER,
        Promise.race([attendant.setUp(model), ended.then(asFailure)]),
      )
      node = address
      const since = clock.monotonic()
      log.info({ node: address }, 'the message bus is connected')
      attendant.up()
      closing.signal.addEventListener('abort', leave, { once: true })
      if (closing.signal.aborted) leave()
      return { why: await ended, upMs: clock.monotonic() - since }
    } finally {
      closing.signal.removeEventListener('abort', leave)
      node = null
      attendant.down()
      await hangUp(model)
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    let told = false
    for (let turn = 0; !closing.signal.aborted; turn += 1) {
      const address = broker.nodes[turn % broker.nodes.length] ?? ''
      const rounds = Math.floor(failures / broker.nodes.length)
      const timeoutMs = Math.min(CONNECT_TIMEOUT_MS * 2 ** rounds, CONNECT_TIMEOUT_MAX_MS)
      const { why, upMs } = await attend(address, timeoutMs).catch((error: unknown) => ({
        why: error,
        upMs: 0,
      }))
      if (closing.signal.aborted) return
      if (upMs > 0) told = false
      failures = upMs >= STABLE_MS ? 0 : failures + 1
      const report = { node: address, error: why }
      // Once for each time that it is away: how often we try is nobody's interest.
      if (told) log.debug(report, 'the message bus is still away')
      else log.warn(report, 'the message bus is away; trying again')
      told = true
      const waitMs = backoffMs(failures, broker.nodes.length, parts.random)
      await clock.sleep(waitMs, closing.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    node: () => node,
    async close() {
      closing.abort()
      await within(CLOSE_TIMEOUT_MS, THE_BROKER, running).catch(() => undefined)
    },
  }
}

/** A moment before the next node of the first round, then longer before each further round. */
function backoffMs(failures: number, nodes: number, random: Parts['random']): number {
  const rounds = Math.floor(failures / nodes)
  const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(rounds, 16))
  const share = chance(random)
  return failures < nodes ? share * BACKOFF_MIN_MS : longest * (0.5 + share / 2)
}

async function connectTo(
  broker: Broker,
  readTls: TlsReader,
  address: string,
  timeoutMs: number,
): Promise<ChannelModel> {
  const { connect } = await import('amqplib')
  const tls = await readTls(splitAddress(address, PORT).host)
  const { host, port } = splitAddress(address, tls === undefined ? PORT : TLS_PORT)
  const connecting = connect(
    {
      protocol: tls === undefined ? 'amqp' : 'amqps',
      hostname: host,
      port,
      username: broker.user,
      password: broker.password,
      vhost: encodeURIComponent(broker.vhost),
      heartbeat: HEARTBEAT_SECONDS,
    },
    { noDelay: true, timeout: timeoutMs, ...tls },
  )
  try {
    return await within(timeoutMs, THE_BROKER, connecting)
  } catch (error) {
    // Should it come after all, nobody wants it any more.
    connecting.then(hangUp, () => undefined)
    throw error instanceof AtollError ? error : unavailable('The broker does not let us in.', error)
  }
}

/** Resolves with the reason when the connection is over. */
function endOf(model: ChannelModel): Promise<unknown> {
  return new Promise((resolve) => {
    // `close` follows every `error`; without a listener an error would end the process.
    let why: unknown
    model.on('error', (error) => {
      why = error
    })
    model.on('close', (error) => resolve(error ?? why ?? unavailable('The broker hung up.')))
  })
}

function asFailure(error: unknown): never {
  throw error
}

/**
 * Ends a connection and its socket. amqplib only half-closes the socket of a connection that fell silent, and the kernel would keep
 * it for a quarter of an hour, so the socket, which has no place in amqplib's types, is destroyed.
 */
async function hangUp(model: ChannelModel): Promise<void> {
  // Nobody listens yet to one that came too late; its error would end the process.
  model.on('error', () => undefined)
  await within(CLOSE_TIMEOUT_MS, THE_BROKER, model.close()).catch(() => undefined)
  const { stream } = model.connection as { readonly stream?: { destroy?(): void } }
  stream?.destroy?.()
}
