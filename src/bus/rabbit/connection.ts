/**
 * Keeps one connection to a RabbitMQ cluster open until it is closed.
 *
 * Nodes are tried in order, starting after the one that was lost. The handshake has a deadline, and
 * heartbeats end a connection whose node lost its power. When no node answers, the pauses between
 * rounds double, with jitter, so that many hosts do not reconnect in the same moment.
 */
import type { ChannelModel } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/deadline.ts'
import {
  createTlsReader,
  type EngineAccess,
  splitAddress,
  type TlsReader,
} from '../../lib/engine-access.ts'
import type { Log } from '../../lib/log.ts'
import { type Backoff, pauseMs } from '../../lib/retry.ts'
import { AtollError, unavailable } from '../../model/errors.ts'

/**
 * A connection that is silent for two to three of these is dead. Less would end some whose host or
 * broker is only busy, and all of them have to be made anew then
 * (https://www.rabbitmq.com/docs/heartbeats); what a dead one loses is found by timers.
 */
const HEARTBEAT_SECONDS = 5
/**
 * Longest that a node may take to let us in while others may be quicker. It doubles in each round
 * that none of them let us in: a node that is overrun gets through with one connection after the
 * other.
 */
const CONNECT_TIMEOUT: Backoff = { firstMs: 2_000, lastMs: 10_000 }
/** Longest that it may then take to set up what we need. */
const SETUP_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 1_000
/** How often a broker is shown something, so that it says when it takes nothing. */
const PULSE_MS = 10_000
const BACKOFF: Backoff = { firstMs: 100, lastMs: 5_000 }
/** Of the pause after a whole round; before, nodes are tried in quick succession. */
const JITTER_SHARE = 0.5
/** A connection that held so long was a good one: the next failure is the first of its kind. */
const STABLE_MS = 5_000
const PORT = 5672
const TLS_PORT = 5671

/** Where the brokers are and how to get in. */
export interface Broker extends EngineAccess {
  readonly vhost: string
}

/** What is told of the connection. */
export interface ConnectionListener {
  /**
   * A node let us in: make channels and queues. Whatever it throws ends this connection. Gives what
   * publishes something that nobody reads: a broker tells those that publish, and nobody else, that
   * it takes no messages.
   */
  setUp(model: ChannelModel): Promise<() => void>
  /** From now on the broker takes no messages, and why; null: it does again. */
  blocked(why: string | null): void
  /** All is set up. */
  up(): void
  /** The connection is lost, or never came to be up. */
  down(): void
}

/** That a broker is there and takes no messages. */
export interface Blocked {
  /** In words, with the fix. */
  readonly why: string
  readonly sinceMs: number
}

/** The kept connection. */
export interface Connection {
  /** The node that we are connected to. */
  node(): string | null
  /** See `RabbitBus.blocked`. */
  blocked(): Blocked | null
  close(): Promise<void>
}

interface Parts {
  readonly broker: Broker
  readonly attendant: ConnectionListener
  readonly clock: Clock
  readonly log: Log
  /** From 0 up to 1. */
  readonly random: () => number
}

/**
 * Hears of the broker's alarms: https://www.rabbitmq.com/docs/connection-blocked,
 * https://www.rabbitmq.com/docs/alarms
 */
function createAlarms({ attendant, clock, log }: Parts) {
  let blocked: Blocked | null = null
  return {
    blocked: () => blocked,
    /** The connection is over. */
    end(): void {
      blocked = null
    },
    heed(model: ChannelModel, address: string): void {
      model.on('blocked', (reason) => {
        const why = `The message broker (${address}) is connected but takes no messages: ${String(reason)}. Give it memory or disk; \`rabbitmqctl status\` shows its alarms. Until then hosts notice changes only by their timers.`
        blocked = { why, sinceMs: clock.now() }
        log.error({ node: address, reason }, 'the message bus takes no messages')
        attendant.blocked(why)
      })
      model.on('unblocked', () => {
        blocked = null
        log.info({ node: address }, 'the message bus takes messages again')
        attendant.blocked(null)
      })
    },
  }
}

/** Begins to connect, and returns at once. */
export function keepConnected(parts: Parts): Connection {
  const { broker, attendant, clock, log } = parts
  const closing = new AbortController()
  const readTls = createTlsReader(broker.tls)
  const alarms = createAlarms(parts)
  let node: string | null = null
  /** Resolves when a connection that was up has ended; rejects when it never came up. */
  async function attend(
    address: string,
    timeoutMs: number,
  ): Promise<{ readonly upMs: number; readonly why: unknown }> {
    const model = await connectTo(parts, readTls, address, timeoutMs)
    const ending = new AbortController()
    const ended = endOf(model)
    const leave = () => void model.close().catch(() => undefined)
    try {
      closing.signal.throwIfAborted()
      await within(clock, SETUP_TIMEOUT_MS, () =>
        Promise.race([setUp(parts, alarms, model, address, ending.signal), ended.then(asFailure)]),
      )
      node = address
      const since = clock.monotonic()
      log.info({ node: address }, 'the message bus is connected')
      attendant.up()
      closing.signal.addEventListener('abort', leave, { once: true })
      if (closing.signal.aborted) leave()
      return { why: await ended, upMs: clock.monotonic() - since }
    } finally {
      ending.abort()
      alarms.end()
      closing.signal.removeEventListener('abort', leave)
      node = null
      attendant.down()
      await hangUp(clock, model)
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    let told = false
    for (let turn = 0; !closing.signal.aborted; turn += 1) {
      const address = broker.nodes[turn % broker.nodes.length] ?? ''
      const rounds = Math.floor(failures / broker.nodes.length)
      const timeoutMs = pauseMs(CONNECT_TIMEOUT, rounds + 1)
      const { why, upMs } = await attend(address, timeoutMs).catch((error: unknown) => ({
        why: error,
        upMs: 0,
      }))
      if (closing.signal.aborted) return
      if (upMs > 0) told = false
      failures = upMs >= STABLE_MS ? 0 : failures + 1
      const report = { node: address, error: why }
      // Once for each time that it is away: how often we try is nobody's interest.
      if (told) log.debug(report, 'the message bus is still unreachable')
      else log.warn(report, 'the message bus is unreachable; trying again')
      told = true
      const waitMs = backoffMs(failures, broker.nodes.length, parts.random)
      await clock.sleep(waitMs, closing.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    node: () => node,
    blocked: alarms.blocked,
    async close() {
      closing.abort()
      await within(clock, CLOSE_TIMEOUT_MS, () => running).catch(() => undefined)
    },
  }
}

/**
 * Has the attendant make what it needs, and shows the broker something now and then until the
 * connection ends.
 */
async function setUp(
  { attendant, clock }: Parts,
  alarms: ReturnType<typeof createAlarms>,
  model: ChannelModel,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  alarms.heed(model, address)
  const pulse = await attendant.setUp(model)
  const beat = async () => {
    for (;;) {
      if (alarms.blocked() === null) pulse()
      await clock.sleep(PULSE_MS, signal)
    }
  }
  // Whatever ends it ends the connection, too.
  beat().catch(() => undefined)
}

/** A moment before the next node of the first round, then longer before each further round. */
function backoffMs(failures: number, nodes: number, random: () => number): number {
  const rounds = Math.floor(failures / nodes)
  const share = rounds === 0 ? 1 : JITTER_SHARE
  return pauseMs({ ...BACKOFF, jitter: { share, random } }, rounds + 1)
}

/**
 * What `work` gives, or `unavailable` after so many milliseconds. The work is left to itself then.
 */
function within<T>(clock: Parts['clock'], ms: number, work: () => Promise<T>): Promise<T> {
  const late = () => unavailable(`The broker did not answer within ${ms} ms.`)
  return withDeadline({ clock, ms, late }, work)
}

async function connectTo(
  { broker, clock }: Pick<Parts, 'broker' | 'clock'>,
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
    return await within(clock, timeoutMs, () => connecting)
  } catch (error) {
    // Should it come after all, nobody wants it any more.
    connecting.then(
      (model) => hangUp(clock, model),
      () => undefined,
    )
    throw error instanceof AtollError
      ? error
      : unavailable('The broker refused the connection or did not answer.', error)
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
    model.on('close', (error) =>
      resolve(error ?? why ?? unavailable('The broker closed the connection.')),
    )
  })
}

function asFailure(error: unknown): never {
  throw error
}

/**
 * Ends a connection and its socket. amqplib only half-closes the socket of a connection that fell
 * silent, and the kernel would keep it for a quarter of an hour, so the socket, which has no place
 * in amqplib's types, is destroyed.
 */
async function hangUp(clock: Parts['clock'], model: ChannelModel): Promise<void> {
  // Nobody listens yet to one that came too late; its error would end the process.
  model.on('error', () => undefined)
  await within(clock, CLOSE_TIMEOUT_MS, () => model.close()).catch(() => undefined)
  const { stream } = model.connection as { readonly stream?: { destroy?(): void } }
  stream?.destroy?.()
}
