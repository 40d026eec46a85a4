/**
 * The process `fence`, put together: datagrams of other hosts, what the agent says, and the
 * permission that follows from both.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { createAnswers } from '../fence/answers.ts'
import { encodeMessage, type Message, parseMessage } from '../fence/datagram.ts'
import type { Orders, openFenceFiles } from '../fence/files.ts'
import { createGates } from '../fence/gates.ts'
import { Keeper, type Stopper } from '../fence/keeper.ts'
import { createRounds } from '../fence/rounds.ts'
import type { PermissionGate } from '../host/nftables/permission-gate.ts'
import type { Watchdog } from '../host/watchdog.ts'
import type { Log } from '../lib/log.ts'
import { listenPrivately } from '../lib/private-socket.ts'
import { createQueue } from '../lib/queue.ts'
import { createTokenBucket, type TokenBucket } from '../lib/token-bucket.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import type { Guarded } from '../model/guarded.ts'
import type { HostName } from '../model/ids.ts'
import { mayRun, permittedUntilMs } from '../plan/failover/holder.ts'
import { isMajority } from '../plan/failover/membership.ts'
import type { Round } from '../plan/failover/round.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import { FENCE_SOCKET } from './fence-places.ts'
import {
  type FenceOrder,
  type FenceReply,
  type FenceState,
  parseFenceOrder,
} from './fence-protocol.ts'
import { createLineReader } from './protocol.ts'

export interface FenceServerParts {
  readonly build: string
  readonly orders: Orders
  readonly files: ReturnType<typeof openFenceFiles>
  readonly times: FailoverTimes
  /** CLOCK_BOOTTIME, in ms. */
  readonly nowMs: () => number
  /** No process of this host has answered since then, by that clock. */
  readonly startedAtMs: number
  readonly bootId: string
  readonly after: (ms: number, run: () => void) => () => void
  readonly randomBytes: (bytes: number) => Uint8Array
  readonly openGate: (network: number | null) => PermissionGate
  readonly watchdog: Watchdog | null
  readonly stopper: Stopper
  readonly log: Log
  /** The agent wants another process, with these orders. */
  readonly onRetire: () => void
}

/** What an answer says. */
type Said = Omit<FenceReply, 'kind' | 'n'>

/** Each is answered within a second. */
const MAX_CONSENTS = 64
/** Of one member: it asks for a grant every second or so, and for consent to what it takes over. */
const DATAGRAMS = { burst: 400, perSecond: 100 }
/** Between attempts to receive at the host's address, which may not be there yet. */
const REBIND_MS = 500
const MAX_SERIAL = 0x7fff_ffff

/** Runs from `begin` on. */
export class FenceServer {
  readonly #parts: FenceServerParts
  readonly #key: Buffer
  readonly #answers
  readonly #rounds
  readonly #gates
  readonly #keeper: Keeper
  readonly #agents = new Set<Socket>()
  readonly #inTurn = createQueue()
  readonly #server: Server
  #orders: Orders
  #udp: UdpSocket | null = null
  readonly #buckets = new Map<string, TokenBucket>()
  #consents = 0
  #isClosed = false

  constructor(parts: FenceServerParts) {
    const { orders, files, log, watchdog, nowMs, bootId, randomBytes, times, stopper } = parts
    this.#parts = parts
    this.#orders = orders
    this.#key = Buffer.from(orders.key, 'base64')
    const trouble = (what: string, error: unknown) => log.error({ error }, what)
    const shared = { ...parts, host: orders.host }
    this.#answers = createAnswers(shared)
    this.#gates = createGates({ open: parts.openGate, trouble })
    this.#rounds = createRounds({
      ...shared,
      send: (to, message) => this.#send(to, message),
      answerSelf: this.#answers.toSelf,
    })
    const before = files.readPermission(bootId)
    this.#keeper = new Keeper(
      {
        ...shared,
        ...{ times, watchdog, stopper, trouble, gates: this.#gates, rounds: this.#rounds },
        serial: () => Buffer.from(randomBytes(4)).readUInt32LE(0) & MAX_SERIAL,
        save: (permission) => files.writePermission(bootId, permission),
        changed: () => this.#tellAll(),
      },
      // Larger than any term of a process that has left nothing.
      before ?? { term: Math.floor(nowMs()), grantedAtMs: null, id: '' },
      files.readGuarded(),
    )
    this.#server = createServer((socket) => this.#meet(socket))
  }

  /** Errors: what keeps it from listening, or the kernel from having its tables. */
  async begin(): Promise<void> {
    await this.#gates.guard(this.#parts.files.readGuarded() ?? [])
    this.#adopt(this.#orders)
    this.#keeper.begin()
    this.#bind()
    await listenPrivately(this.#server, { file: FENCE_SOCKET })
  }

  /**
   * Stops everything that it guards, and disarms the watchdog after that. Resolves then: never
   * while something does not end.
   */
  async stop(): Promise<void> {
    await new Promise<void>((stopped) => this.#keeper.stop(stopped))
  }

  /** What it guards goes on, and the watchdog stays armed for the next process. */
  close(): void {
    this.#isClosed = true
    this.#keeper.close()
    this.#udp?.close()
    this.#server.close()
    for (const socket of this.#agents) socket.destroy()
    this.#gates.close()
  }

  #adopt(orders: Orders): void {
    this.#buckets.clear()
    this.#orders = orders
    this.#answers.adopt(orders.membership)
    this.#keeper.adopt(orders.membership)
  }

  #bind(): void {
    if (this.#isClosed) return
    const { log, after } = this.#parts
    const { address, port } = this.#orders
    const udp = createSocket('udp4')
    this.#udp = udp
    udp.on('message', (bytes, from) => this.#receive(bytes, from.address))
    udp.on('error', (error) => {
      log.warn({ error, address, port }, 'questions of other hosts cannot be received')
      udp.close()
      // Nothing can be sent by it, either.
      this.#udp = null
      after(REBIND_MS, () => this.#bind())
    })
    udp.bind(port, address)
  }

  #send(to: HostName, message: Message): void {
    const address = this.#orders.addresses.get(to)
    if (address === undefined) return
    // Lost ones are asked again with the next question.
    this.#udp?.send(encodeMessage(message, this.#key), this.#orders.port, address, () => undefined)
  }

  #receive(bytes: Buffer, from: string): void {
    // Before anything is computed for a stranger.
    if (!this.#isMember(from) || !this.#mayCome(from)) return
    const message = parseMessage(bytes, this.#key)
    if (message === null) return
    const reply = this.#answers.to(message)
    if (reply !== null) this.#send(message.by, reply)
    else this.#rounds.hear(message)
  }

  /** This process runs before all others, so nobody may make it run all the time. */
  #mayCome(from: string): boolean {
    const nowMs = this.#parts.nowMs()
    const bucket = this.#buckets.get(from) ?? createTokenBucket(DATAGRAMS, nowMs)
    this.#buckets.set(from, bucket)
    return bucket.take(nowMs)
  }

  #isMember(from: string): boolean {
    for (const address of this.#orders.addresses.values()) if (address === from) return true
    return false
  }

  #meet(socket: Socket): void {
    this.#agents.add(socket)
    socket.setEncoding('utf8')
    const read = createLineReader(
      (line) => this.#obey(socket, line),
      () => socket.destroy(),
    )
    socket.on('data', (text: string) => read(text))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#agents.delete(socket))
    this.#say(socket, this.#state())
  }

  #obey(socket: Socket, line: string): void {
    const order = parseFenceOrder(line)
    if (order === null) {
      socket.destroy()
      return
    }
    const reply = (said: Said) => this.#say(socket, { kind: 'reply', n: order.n, ...said })
    this.#carryOut(order).then(reply, (error: unknown) => reply({ error: messageOf(error) }))
  }

  async #carryOut(order: FenceOrder): Promise<Said> {
    switch (order.kind) {
      case 'orders':
        return this.#reread()
      case 'guard':
        return await this.#inTurn(() => this.#guard(order.guarded))
      case 'consent':
        return await this.#askConsent(order.about)
      default:
        return order satisfies never
    }
  }

  #reread(): Said {
    const orders = this.#parts.files.readOrders()
    if (orders === null) throw unavailable('the orders cannot be read')
    if (identityOf(orders) !== identityOf(this.#orders)) {
      this.#parts.onRetire()
      throw unavailable('another process goes on with these orders')
    }
    this.#adopt(orders)
    this.#tellAll()
    return {}
  }

  async #guard(guarded: readonly Guarded[]): Promise<Said> {
    // The next process has to know it before anything of it runs.
    this.#parts.files.writeGuarded(guarded)
    await this.#gates.guard(guarded)
    await new Promise<void>((taken) => this.#keeper.guard(guarded, taken))
    return {}
  }

  async #askConsent(about: HostName): Promise<Said> {
    const { membership, host } = this.#orders
    if (this.#consents >= MAX_CONSENTS) throw unavailable('too many questions at once')
    if (!membership.members.includes(host)) throw unavailable('this host is no member')
    this.#consents += 1
    const { id, askedAtMs, yes } = await new Promise<Round>((resolve) => {
      this.#rounds.begin({
        ...{ question: 'consent', about, membership, askedAtMs: this.#parts.nowMs() },
        told: (round, isOver) => {
          if (isOver || isMajority(membership, round.yes)) resolve(round)
        },
      })
    })
    this.#consents -= 1
    return { round: { id, askedAtMs, ...membership, yes: [...yes] } }
  }

  #state(): FenceState {
    const { build, times, nowMs, watchdog } = this.#parts
    const { permission } = this.#keeper
    const untilMs = mayRun(permission, nowMs(), times) ? permittedUntilMs(permission, times) : null
    const { version } = this.#orders.membership
    const { term, id } = permission
    const kind = this.#keeper.feeds() ? (watchdog?.kind ?? null) : null
    return { kind: 'state', build, term, id, untilMs, version, watchdog: kind }
  }

  #tellAll(): void {
    for (const socket of this.#agents) this.#say(socket, this.#state())
  }

  #say(socket: Socket, said: FenceState | FenceReply): void {
    socket.write(`${JSON.stringify(said)}\n`)
  }
}

/** What a process cannot change while it runs. */
function identityOf({ membership: _, addresses: __, ...rest }: Orders): string {
  return JSON.stringify(Object.entries(rest).toSorted())
}
