/**
 * The DNS resolver for the instances on this host. It listens on the addresses that
 * `resolverAddresses` names.
 *
 * - Its part of the want: `shared.names` and `shared.vpcs` (the zones, by the pure `zone.ts` and
 *   `names.ts`), `shared.subnets` (where to listen), and the addresses in `local.instances` (who
 *   may ask, beside the host itself). The pure `answerQuery` decides on each query.
 * - It keeps nothing outside this process. The sockets of an older daemon closed when it ended.
 * - If the daemon dies here, queries get no reply until the next start. Traffic of instances does
 *   not depend on DNS, and nothing becomes reachable that was not.
 * - Each pass compares the open sockets with the wanted addresses, and opens or closes what
 *   differs. It builds the zone again when networks have changed, and follows the names.
 */
import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ServiceSockets } from '../../host/host.ts'
import { loadLibc } from '../../host/libc.ts'
import { createDatagrams, type Datagrams } from '../../host/sockets/datagrams.ts'
import { createServiceSockets } from '../../host/sockets/listen.ts'
import { type Clock, nextTurn } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Counter, Metrics } from '../../lib/metrics.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { unavailable } from '../../model/errors.ts'
import { addressesOf, type Fact, type SharedWant } from '../../model/want.ts'
import { resolverAddresses } from '../../plan/service-addresses.ts'
import type { HostService, Pass } from '../service.ts'
import { answerQuery, failureReply, type Transport, upstreamReply } from './answer.ts'
import type { Server } from './exchange.ts'
import { Forwarder, type Outcome } from './forward.ts'
import { type Listener, listen, MAX_CONNECTIONS, MAX_DATAGRAM_BYTES } from './listener.ts'
import { InstanceNames } from './names.ts'
import { type Query, RCODE } from './packet.ts'
import { parseServer, serverName, serversInResolvConf, usableServers } from './servers.ts'
import { type Source, Sources } from './sources.ts'
import { agedBody, upstreamQuestion } from './upstream.ts'
import { authorityOf, buildZone, type Zone } from './zone.ts'

/** What the configuration says about DNS. */
export interface DnsSettings {
  /** Dotted, lower case, without a final dot. */
  readonly zone: string
  /** Each is `address` or `address:port`. Null means the servers of the host's own resolv.conf. */
  readonly forwarders: readonly string[] | null
  readonly timeoutMs: number
  readonly ttlSeconds: number
  /** Whether to forward names below `local`. */
  readonly forwardLocal: boolean
  readonly cacheEntries: number
  readonly maxOutstanding: number
}

/** Limits that tests and benchmarks change. */
export interface DnsLimits {
  readonly port: number
  /** It is short: a name that does not exist now may be that of an instance soon. */
  readonly negativeTtlSeconds: number
  readonly maxOutsideTtlSeconds: number
  readonly queriesPerSecond: number
  /** Questions that are forwarded, of one source and of all. */
  readonly questionsPerSecond: number
  readonly questionsPerSecondOfAll: number
  readonly maxOutstandingPerSource: number
  readonly maxConnectionsPerSource: number
}

const DEFAULT_LIMITS: DnsLimits = {
  port: 53,
  negativeTtlSeconds: 5,
  maxOutsideTtlSeconds: 3600,
  queriesPerSecond: 1024,
  questionsPerSecond: 50,
  questionsPerSecondOfAll: 1000,
  maxOutstandingPerSource: 128,
  maxConnectionsPerSource: 16,
}

export interface DnsParts {
  readonly settings: DnsSettings
  readonly limits?: Partial<DnsLimits>
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: Clock
  /** Replaces /etc/resolv.conf. */
  readonly resolvConf?: string
  /** Of the network namespace of those who ask; absent: the machine's own. */
  readonly sockets?: ServiceSockets
}

/** The DNS service. It listens from its first `apply` on. */
export function createDns(parts: DnsParts): HostService {
  return new DnsService(parts)
}

class DnsService implements HostService {
  readonly name = 'dns'
  readonly gate = false
  readonly passesGates = true
  readonly #settings: DnsSettings
  readonly #limits: DnsLimits
  readonly #resolvConf: string
  readonly #log: Log
  readonly #sockets: ServiceSockets
  readonly #sources: Sources
  readonly #clock: Clock
  readonly #forwarder: Forwarder
  readonly #queries: Counter<'transport' | 'result'>
  readonly #listeners = new Map<Ipv4, Listener>()
  readonly #names: InstanceNames
  #vpcs: SharedWant['vpcs'] = []
  #zone: Zone
  /** Names in the last warning. */
  #warnedOf = ''
  /** Made for the first datagram, because most VPCs on a host ask little. */
  #datagrams: Datagrams | undefined
  #servers: readonly Server[] | null = null
  /** What resolv.conf was when it was read last. */
  #resolvConfSeen = ''
  #rotation = 0

  constructor(parts: DnsParts) {
    this.#settings = parts.settings
    this.#limits = { ...DEFAULT_LIMITS, ...parts.limits }
    this.#resolvConf = parts.resolvConf ?? '/etc/resolv.conf'
    this.#sockets = parts.sockets ?? createServiceSockets()
    this.#log = parts.log
    this.#names = new InstanceNames(parts.settings.zone)
    this.#zone = this.#buildZone()
    const { maxOutstanding } = this.#settings
    const shared = { maxOutstanding, maxConnections: MAX_CONNECTIONS }
    this.#clock = parts.clock
    this.#sources = new Sources({ ...this.#limits, ...shared }, parts.clock)
    this.#queries = parts.metrics.counter(
      'atoll_dns_queries_total',
      'Queries by transport and result: a response code, forward, or why there was no reply',
      ['transport', 'result'],
    )
    this.#forwarder = new Forwarder({
      settings: { ...this.#settings, maxTtlSeconds: this.#limits.maxOutsideTtlSeconds },
      isOurs: (key) => authorityOf(this.#zone, key) !== undefined,
      clock: parts.clock,
      metrics: parts.metrics,
    })
  }

  async apply(pass: Pass): Promise<readonly Fact[]> {
    const { local, shared } = pass.want
    const addresses = resolverAddresses(shared)
    await this.#updateZone(shared)
    // The host's own queries come from the address that the service listens on. Nobody else can
    // use that address.
    const nics = local.instances.flatMap((instance) => instance.nics)
    const askers = nics.flatMap((nic) => (nic.resolver === false ? [] : addressesOf(nic)))
    this.#sources.replace([...askers, ...addresses])
    await this.#updateServers(new Set(addresses))
    await this.#updateListeners(addresses)
    return []
  }

  isDue(): boolean {
    return (
      this.#settings.forwarders === null && versionOf(this.#resolvConf) !== this.#resolvConfSeen
    )
  }

  async finish(): Promise<void> {
    for (const listener of this.#listeners.values()) listener.stopReading()
    await this.#forwarder.settled()
  }

  async close(): Promise<void> {
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    await Promise.all([...listeners.map((one) => one.close()), this.#forwarder.close()])
  }

  #buildZone(): Zone {
    const { negativeTtlSeconds } = this.#limits
    return buildZone(this.#vpcs, this.#names, { ...this.#settings, negativeTtlSeconds })
  }

  async #updateZone({ names, vpcs }: SharedWant): Promise<void> {
    if (!isDeepStrictEqual(this.#vpcs, vpcs)) {
      this.#vpcs = vpcs
      this.#zone = this.#buildZone()
    }
    // Queries are answered between the pieces.
    for (const _ of this.#names.follow(names)) await nextTurn()
    const { unusable } = this.#names
    const warning = unusable.join(' ')
    if (warning !== this.#warnedOf && warning !== '')
      this.#log.warn({ names: unusable }, 'names that DNS cannot serve')
    this.#warnedOf = warning
  }

  async #updateServers(ownAddresses: ReadonlySet<string>): Promise<void> {
    const { forwarders } = this.#settings
    if (forwarders === null) this.#resolvConfSeen = versionOf(this.#resolvConf)
    const wanted =
      forwarders === null
        ? serversInResolvConf(await readFile(this.#resolvConf, 'utf8').catch(() => ''))
        : forwarders.flatMap((text) => parseServer(text) ?? [])
    const servers = usableServers(wanted, ownAddresses, this.#limits.port)
    if (isDeepStrictEqual(servers, this.#servers)) return
    this.#servers = servers
    this.#forwarder.setServers(servers)
    const fields = { servers: servers.map(serverName) }
    if (servers.length > 0) this.#log.info(fields, 'forwarding to these resolvers')
    else this.#log.warn(fields, 'no resolver to forward to; only names of this cloud resolve')
  }

  /**
   * Opens and closes the sockets that differ. An address in use does not keep the others from
   * being served.
   */
  async #updateListeners(addresses: readonly Ipv4[]): Promise<void> {
    for (const [address, listener] of this.#listeners) {
      if (addresses.includes(address)) continue
      this.#listeners.delete(address)
      await listener.close()
      this.#log.info({ address }, 'no longer listening')
    }
    const failures: unknown[] = []
    for (const address of addresses) {
      if (this.#listeners.has(address)) continue
      try {
        this.#listeners.set(address, await this.#listen(address))
        this.#log.info({ address, port: this.#limits.port }, 'listening')
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0)
      throw unavailable('DNS cannot listen on every gateway address', new AggregateError(failures))
  }

  #listen(address: Ipv4): Promise<Listener> {
    return listen({
      address,
      sockets: this.#sockets,
      port: this.#limits.port,
      sources: this.#sources,
      datagrams: () => (this.#datagrams ??= createDatagrams(MAX_DATAGRAM_BYTES)),
      ask: (message, source, transport, send) => this.#ask(message, source, transport, send),
      onRefused: (reason, transport) => this.#count(transport, reason),
      clock: this.#clock,
      libc: loadLibc,
    })
  }

  #ask(message: Buffer, source: Source, transport: Transport, send: (reply: Buffer) => void): void {
    this.#rotation = (this.#rotation + 1) % 0x4000_0000
    const answer = answerQuery(message, this.#zone, transport, this.#rotation)
    switch (answer.kind) {
      case 'reply':
        this.#count(transport, RESULT_OF_RCODE.get(answer.rcode) ?? 'other')
        send(answer.bytes)
        return
      case 'forward':
        this.#count(transport, 'forward')
        this.#forward(answer.query, source, (outcome) =>
          send(replyFrom(outcome, answer.query, transport)),
        )
        return
      case 'drop':
        this.#count(transport, answer.reason)
    }
  }

  #forward(query: Query, source: Source, done: (outcome: Outcome) => void): void {
    const question = upstreamQuestion(query)
    const known = this.#forwarder.recall(question)
    if (known !== undefined) done(known)
    else if (!source.startWaiting()) done({ kind: 'failure' })
    // `ask` never rejects. A failure is one of its results.
    else
      void this.#forwarder.ask(question).then((outcome) => {
        source.doneWaiting()
        done(outcome)
      })
  }

  #count(transport: Transport, result: string): void {
    this.#queries.inc({ transport, result })
  }
}

/** Names, for the metric, of the response codes that we send ourselves. */
const RESULT_OF_RCODE: ReadonlyMap<number, string> = new Map(
  Object.entries(RCODE).map(([name, code]) => [code, name.toLowerCase()]),
)

/** Changes with each change of the file. Empty: it cannot be read. */
function versionOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return ''
  }
}

function replyFrom(outcome: Outcome, query: Query, transport: Transport): Buffer {
  if (outcome.kind === 'failure') return failureReply(query, transport)
  const body = agedBody(outcome.answer, outcome.ageSeconds)
  return upstreamReply(query, transport, outcome.answer.rcode, body)
}
