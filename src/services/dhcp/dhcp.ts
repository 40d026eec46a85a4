/**
 * DHCP for this host's instances: one UDP socket for each NIC, bound to the NIC's link.
 *
 * - Its part of the want: the NICs of `local.instances`. The pure `answer` decides on each message.
 * - An older daemon leaves nothing. Its sockets closed when it ended, and leases are not stored,
 *   because the records have the address of each NIC. So a new daemon renews leases that it did not
 *   give.
 * - If the daemon dies here, instances keep their addresses until their leases end. Clients try to
 *   renew during the second half of a lease. This service opens and closes no traffic, so it is not
 *   a gate.
 * - Each pass binds a socket for every NIC whose link exists. The kernel binds by index, so a link
 *   that was created again needs a new socket.
 */
import type { Host } from '../../host/host.ts'
import type { LinkSocket } from '../../host/sockets/udp.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Counter, Gauge, Metrics } from '../../lib/metrics.ts'
import type { BucketLimits, TokenBucket } from '../../lib/token-bucket.ts'
import { createTokenBucket } from '../../lib/token-bucket.ts'
import { assertNever, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { nicLinkName } from '../../model/names.ts'
import type { InstanceWant } from '../../model/want.ts'
import type { HostService, Pass } from '../service.ts'
import type { Answer } from './answer.ts'
import { answer } from './answer.ts'
import type { DhcpSettings, Profile } from './options.ts'
import { profileOf } from './options.ts'

const SERVER_PORT = 67
const CLIENT_PORT = 68
/** Limits of one NIC, that benchmarks change. */
interface DhcpLimits {
  /**
   * Messages that are answered. A client sends one every few seconds at most (RFC 2131 section
   * 4.1).
   */
  readonly answer: BucketLimits
  /**
   * Datagrams that are read. Above this, the NIC's socket is closed until the next pass, because
   * the kernel drops datagrams more cheaply.
   */
  readonly read: BucketLimits
}

const DEFAULT_LIMITS: DhcpLimits = {
  answer: { burst: 20, perSecond: 5 },
  read: { burst: 500, perSecond: 100 },
}
/** Warnings about one NIC. */
const WARN_LIMITS = { burst: 3, perSecond: 1 / 60 }

export interface DhcpParts {
  readonly host: Pick<Host, 'nicIndexes' | 'bindUdp'>
  readonly settings: DhcpSettings
  readonly limits?: DhcpLimits
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
}

/** The open socket of one NIC. */
interface Listener {
  readonly link: string
  /** The link's interface index when the socket was bound. */
  readonly index: number
  readonly server: LinkSocket
  /** The client as of the last pass. */
  client: Client
  readonly limits: {
    readonly read: TokenBucket
    readonly answer: TokenBucket
    readonly warn: TokenBucket
  }
}

interface Client {
  readonly instance: InstanceId
  readonly profile: Profile
}

/** The DHCP service. It listens from its first `apply` on. */
export function createDhcp(parts: DhcpParts): HostService {
  return new DhcpService(parts)
}

class DhcpService implements HostService {
  readonly name = 'dhcp'
  readonly gate = false
  readonly passesGates = true
  readonly #parts: DhcpParts
  readonly #log: Log
  readonly #messages: Counter<'message' | 'outcome'>
  readonly #open: Gauge<never>
  readonly #listeners = new Map<string, Listener>()
  #served:
    | { readonly instances: readonly InstanceWant[]; readonly clients: ReadonlyMap<string, Client> }
    | undefined
  #closed = false
  /** Whether a socket was closed that is wanted. */
  #hasLost = false

  constructor(parts: DhcpParts) {
    this.#parts = parts
    this.#log = parts.log.child({ service: 'dhcp' })
    this.#messages = parts.metrics.counter(
      'atoll_dhcp_messages_total',
      'DHCP messages from instances, by type and outcome',
      ['message', 'outcome'],
    )
    this.#open = parts.metrics.gauge('atoll_dhcp_sockets', 'NICs on which DHCP is answered')
  }

  async apply(pass: Pass): Promise<readonly []> {
    const { host, settings } = this.#parts
    this.#hasLost = false
    const indexes = await host.nicIndexes()
    // Options are built once for each want, not in each pass.
    if (this.#served?.instances !== pass.want.local.instances)
      this.#served = {
        instances: pass.want.local.instances,
        clients: wantedClients(pass.want.local.instances, settings),
      }
    const wanted = this.#served.clients
    for (const listener of [...this.#listeners.values()]) {
      const client = wanted.get(listener.link)
      if (client !== undefined && indexes.get(listener.link) === listener.index)
        listener.client = client
      else this.#closeListener(listener)
    }
    const failures: unknown[] = []
    for (const [link, client] of wanted) {
      const index = indexes.get(link)
      if (index === undefined || this.#listeners.has(link)) continue
      if (pass.signal.aborted || this.#closed) break
      await this.#openListener(link, index, client).catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0)
      throw unavailable(
        `DHCP cannot listen on ${failures.length} of ${wanted.size} links`,
        new AggregateError(failures),
      )
    return []
  }

  isDue(): boolean {
    return this.#hasLost
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const listener of [...this.#listeners.values()]) this.#closeListener(listener)
  }

  async #openListener(link: string, index: number, client: Client): Promise<void> {
    const server = await this.#parts.host.bindUdp(link, SERVER_PORT)
    const now = this.#parts.clock.monotonic()
    const { limits = DEFAULT_LIMITS } = this.#parts
    const listener: Listener = {
      link,
      index,
      server,
      client,
      limits: {
        read: createTokenBucket(limits.read, now),
        answer: createTokenBucket(limits.answer, now),
        warn: createTokenBucket(WARN_LIMITS, now),
      },
    }
    server.listen(
      (bytes) => this.#receive(listener, bytes),
      (error) => {
        const { instance } = listener.client
        this.#log.warn({ link, instance, error }, 'DHCP socket failed; reopened next pass')
        this.#hasLost = true
        this.#closeListener(listener)
      },
    )
    this.#listeners.set(link, listener)
    this.#open.set(this.#listeners.size)
    if (this.#closed) this.#closeListener(listener)
  }

  #closeListener(listener: Listener): void {
    // The socket may have failed and then been removed by a pass. Closing it twice throws.
    if (this.#listeners.get(listener.link) !== listener) return
    this.#listeners.delete(listener.link)
    this.#open.set(this.#listeners.size)
    listener.server.close()
  }

  #receive(listener: Listener, bytes: Uint8Array): void {
    const { limits, link, client } = listener
    const now = this.#parts.clock.monotonic()
    if (!limits.read.take(now)) {
      this.#messages.inc({ message: 'unknown', outcome: 'flood' })
      this.#log.warn(
        { link, instance: client.instance },
        'DHCP flood from an instance; ignored until the next pass',
      )
      this.#hasLost = true
      this.#closeListener(listener)
      return
    }
    if (!limits.answer.take(now)) {
      this.#messages.inc({ message: 'unknown', outcome: 'rate-limited' })
      return
    }
    try {
      this.#act(listener, answer(bytes, client.profile))
    } catch (error) {
      // Nothing that a guest sends may end the daemon, even if we have a bug.
      this.#messages.inc({ message: 'unknown', outcome: 'bug' })
      this.#log.error(
        { link, instance: client.instance, error },
        'DHCP message could not be handled',
      )
    }
  }

  #act(listener: Listener, result: Answer): void {
    const { link, client, server } = listener
    const { instance, profile } = client
    const { message } = result
    const fields = { link, instance, ip: profile.ip, message }
    switch (result.kind) {
      case 'reply':
        this.#messages.inc({ message, outcome: result.reply })
        this.#log.debug({ ...fields, reply: result.reply, to: result.to }, 'DHCP reply')
        try {
          server.sendFrom(profile.server, result.bytes, CLIENT_PORT, result.to)
        } catch (error) {
          this.#messages.inc({ message, outcome: 'send-failed' })
          this.#log.debug({ ...fields, error }, 'DHCP reply could not be sent')
        }
        return
      case 'noted':
        this.#messages.inc({ message, outcome: 'noted' })
        if (message === 'decline' && listener.limits.warn.take(this.#parts.clock.monotonic()))
          this.#log.warn(fields, 'instance declined its address: another machine uses it')
        else this.#log.debug(fields, 'DHCP message noted')
        return
      case 'silent':
        this.#messages.inc({ message, outcome: result.reason })
        this.#log.debug({ ...fields, reason: result.reason }, 'DHCP message dropped')
        return
      default:
        assertNever(result)
    }
  }
}

/** Every NIC to serve, by the name of its link. */
function wantedClients(
  instances: readonly InstanceWant[],
  settings: DhcpSettings,
): ReadonlyMap<string, Client> {
  const clients = instances.flatMap(({ id, hostname, nics }) =>
    nics.map((nic): [string, Client] => [
      nicLinkName(nic.id),
      { instance: id, profile: profileOf(nic, hostname, settings) },
    ]),
  )
  return new Map(clients)
}
