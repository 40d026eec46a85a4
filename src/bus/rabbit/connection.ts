/**
 * Keeps one connection to a RabbitMQ cluster open until it is closed.
 *
 * Nodes are tried in order, starting after the one that was lost. The next one is tried when one
 * fails or takes long, and the first that accepts is used: a node that is slow is not given up for
 * one that is dead. Heartbeats end a connection whose node lost its power. When no node accepts,
 * the pauses between rounds double, with jitter, so that many hosts do not reconnect in the same
 * moment.
 */
import type { ChannelModel } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import { inTime, unlessAborted, withDeadline } from '../../lib/deadline.ts'
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
 * A connection that is silent for two to three of these intervals is dead. A shorter interval would
 * end connections to hosts or brokers that are only busy, and all of them would reconnect
 * (https://www.rabbitmq.com/docs/heartbeats). Timers make up for what a dead connection lost.
 */
const HEARTBEAT_SECONDS = 5
/** When the next node is tried beside one that has not answered. */
const NEXT_NODE_MS = 2_000
/** Time limit for the handshake with a node. */
const CONNECT_TIMEOUT_MS = 10_000
/**
 * Time limit for the setup of channels and queues. Brokers declare no queue before they know that
 * another one is dead, and then none of them does.
 */
const SETUP_TIMEOUT_MS = 20_000
const CLOSE_TIMEOUT_MS = 1_000
/** How often a message is sent to a broker, so that it says when it accepts none. */
const PROBE_MS = 10_000
const BACKOFF: Backoff = { firstMs: 100, lastMs: 5_000 }
/** Random share of the pause after a round, except after the first. */
const JITTER_SHARE = 0.5
/** After a connection that lasted this long, failures are counted from the start. */
const STABLE_MS = 5_000
const PORT = 5672
const TLS_PORT = 5671

/** The brokers and their credentials. */
export interface Broker extends EngineAccess {
  readonly vhost: string
}

/** Gets the events of the connection. */
export interface ConnectionListener {
  /**
   * A node accepted the connection: open channels and queues. An error ends the connection. Returns
   * a function that publishes a message which no queue receives, because a broker only tells
   * publishers that it accepts no messages.
   */
  setUp(model: ChannelModel): Promise<() => void>
  /** The broker accepts no messages, and why. Null: it does again. */
  blocked(why: string | null): void
  /** Everything is set up. */
  up(): void
  /** The connection is lost, or was never set up. */
  down(): void
}

/** A connected broker that accepts no messages. */
export interface Blocked {
  /** In words, with the fix. */
  readonly why: string
  readonly sinceMs: number
}

/** The connection that is kept open. */
export interface Connection {
  /** The node that it is connected to. */
  node(): string | null
  /** See `RabbitBus.blocked`. */
  blocked(): Blocked | null
  close(): Promise<void>
}

interface Parts {
  readonly broker: Broker
  readonly listener: ConnectionListener
  readonly clock: Clock
  readonly log: Log
  /** Returns 0 to 1. */
  readonly random: () => number
}

/**
 * Gets the broker's alarms: https://www.rabbitmq.com/docs/connection-blocked,
 * https://www.rabbitmq.com/docs/alarms
 */
function createAlarms({ listener, clock, log }: Parts) {
  let blocked: Blocked | null = null
  return {
    blocked: () => blocked,
    /** The connection has ended. */
    end(): void {
      blocked = null
    },
    watch(model: ChannelModel, address: string): void {
      model.on('blocked', (reason) => {
        const why = `The message broker (${address}) is connected but takes no messages: ${String(reason)}. Give it memory or disk; \`rabbitmqctl status\` shows its alarms. Until then hosts notice changes only by their timers.`
        blocked = { why, sinceMs: clock.now() }
        log.error({ node: address, reason }, 'the message bus takes no messages')
        listener.blocked(why)
      })
      model.on('unblocked', () => {
        blocked = null
        log.info({ node: address }, 'the message bus takes messages again')
        listener.blocked(null)
      })
    },
  }
}

/** Begins to connect, and returns at once. */
export function keepConnected(parts: Parts): Connection {
  const { broker, listener, clock, log } = parts
  const closing = new AbortController()
  const readTls = createTlsReader(broker.tls)
  const alarms = createAlarms(parts)
  let node: string | null = null
  /** Resolves when a connection that was set up has ended. Rejects when it never was. */
  async function runConnection(address: string, model: ChannelModel): Promise<Ended> {
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
      listener.up()
      closing.signal.addEventListener('abort', leave, { once: true })
      if (closing.signal.aborted) leave()
      return { why: await ended, upMs: clock.monotonic() - since }
    } finally {
      ending.abort()
      alarms.end()
      closing.signal.removeEventListener('abort', leave)
      node = null
      listener.down()
      await hangUp(clock, model)
    }
  }

  /** One round: it ends when no node accepts, or with the connection to the one that did. */
  async function runRound(nodes: readonly string[]): Promise<Ended & { readonly node: string }> {
    let node = nodes[0] ?? ''
    const failed = (why: unknown): Ended => ({ why, upMs: 0 })
    const ended = await connectToFirst(parts, readTls, nodes, closing.signal).then((found) => {
      node = found.address
      return runConnection(found.address, found.model).catch(failed)
    }, failed)
    return { ...ended, node }
  }

  async function run(): Promise<void> {
    let { nodes } = broker
    let rounds = 0
    let told = false
    while (!closing.signal.aborted) {
      const { why, upMs, node: address } = await runRound(nodes)
      if (closing.signal.aborted) return
      if (upMs > 0) told = false
      rounds = upMs >= STABLE_MS ? 0 : rounds + 1
      nodes = startingAfter(nodes, address)
      const report = { node: address, error: why }
      // Logged once for each outage, not for each attempt.
      if (told) log.debug(report, 'the message bus is still unreachable')
      else log.warn(report, 'the message bus is unreachable; trying again')
      told = true
      const waitMs = backoffMs(rounds, parts.random)
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
 * Has the listener set up what it needs, then sends the broker a message from time to time until
 * the connection ends.
 */
async function setUp(
  { listener, clock }: Parts,
  alarms: ReturnType<typeof createAlarms>,
  model: ChannelModel,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  alarms.watch(model, address)
  const probe = await listener.setUp(model)
  const beat = async () => {
    for (;;) {
      if (alarms.blocked() === null) probe()
      await clock.sleep(PROBE_MS, signal)
    }
  }
  // What ends it also ends the connection.
  beat().catch(() => undefined)
}

/** How a connection ended, and how long it was up. */
interface Ended {
  readonly upMs: number
  readonly why: unknown
}

/** The nodes in the same circle, with this one last. */
function startingAfter(nodes: readonly string[], node: string): readonly string[] {
  const next = nodes.indexOf(node) + 1
  return [...nodes.slice(next), ...nodes.slice(0, next)]
}

/** A short pause before the first round, then longer before each further round. */
function backoffMs(rounds: number, random: () => number): number {
  const share = rounds === 0 ? 1 : JITTER_SHARE
  return pauseMs({ ...BACKOFF, jitter: { share, random } }, rounds + 1)
}

/** The result of `work`, or `unavailable` after this many milliseconds. The work goes on. */
function within<T>(clock: Parts['clock'], ms: number, work: () => Promise<T>): Promise<T> {
  const late = () => unavailable(`The broker did not answer within ${ms} ms.`)
  return withDeadline({ clock, ms, late }, work)
}

/** A connection to a node, before anything is set up. */
interface Found {
  readonly address: string
  readonly model: ChannelModel
}

/** The first node that accepts. Rejects with the last failure, or the reason of the signal. */
async function connectToFirst(
  parts: Pick<Parts, 'broker' | 'clock'>,
  readTls: TlsReader,
  nodes: readonly string[],
  signal: AbortSignal,
): Promise<Found> {
  const { clock } = parts
  const over = new AbortController()
  const tried = nodes.map(() => Promise.withResolvers<Found>())
  const attempt = async (address: string, at: number): Promise<void> => {
    const model = await connectTo(parts, readTls, address)
    if (over.signal.aborted) return await hangUp(clock, model)
    tried[at]?.resolve({ address, model })
    over.abort()
  }
  const tryAll = async (): Promise<void> => {
    for (const [at, address] of nodes.entries()) {
      if (over.signal.aborted) return
      const failing = attempt(address, at).catch((error: unknown) => tried[at]?.reject(error))
      await inTime(clock, NEXT_NODE_MS, failing)
    }
  }
  void tryAll()
  try {
    return await unlessAborted(signal, () => Promise.any(tried.map(({ promise }) => promise)))
  } catch (error) {
    throw error instanceof AggregateError ? error.errors.at(-1) : error
  } finally {
    over.abort()
  }
}

async function connectTo(
  { broker, clock }: Pick<Parts, 'broker' | 'clock'>,
  readTls: TlsReader,
  address: string,
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
    { noDelay: true, timeout: CONNECT_TIMEOUT_MS, ...tls },
  )
  try {
    return await within(clock, CONNECT_TIMEOUT_MS, () => connecting)
  } catch (error) {
    // If it succeeds later, it is closed.
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
    // `close` follows every `error`. Without a listener an error would end the process.
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
 * Ends a connection and its socket. amqplib only half-closes the socket of a silent connection, and
 * the kernel would keep it for a quarter of an hour. So the socket, which is missing in amqplib's
 * types, is destroyed.
 */
async function hangUp(clock: Parts['clock'], model: ChannelModel): Promise<void> {
  // A connection that came too late has no listener yet, so its error would end the process.
  model.on('error', () => undefined)
  await within(clock, CLOSE_TIMEOUT_MS, () => model.close()).catch(() => undefined)
  const { stream } = model.connection as { readonly stream?: { destroy?(): void } }
  stream?.destroy?.()
}
