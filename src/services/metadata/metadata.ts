/**
 * Instance metadata at 169.254.169.254: one HTTP server for all instances of this host.
 *
 * - Its part of the want: `local.instances`. The pure `metadataTree` says what each instance may
 *   read, and the pure `answer` decides on each request. The source address of the connection tells
 *   who asks. The firewall guarantees that it is genuine.
 * - An older daemon leaves nothing. Its socket closed when it ended. Its tokens and the credentials
 *   of roles stay valid, because they are signed and not stored (`tokens.ts`,
 *   `role-credentials.ts`).
 * - If the daemon dies here, the kernel refuses connections until the next one listens. Before the
 *   first pass no caller is known, so nobody gets an answer.
 * - `apply` updates the callers, then listens. The links service creates the address. While it is
 *   missing, `apply` fails as `unavailable`, and the next pass tries again.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { ServiceSockets } from '../../host/host.ts'
import { createServiceSockets } from '../../host/sockets/listen.ts'
import type { Clock } from '../../lib/clock.ts'
import { loadTolerantClock } from '../../lib/deadline.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { createPlaces } from '../../lib/per-source.ts'
import type { BucketLimits, TokenBucket } from '../../lib/token-bucket.ts'
import { createTokenBucket } from '../../lib/token-bucket.ts'
import { type Ipv4, METADATA_ADDRESS } from '../../model/addr.ts'
import { unavailable } from '../../model/errors.ts'
import { KIB } from '../../model/sizes.ts'
import { addressesOf, type InstanceWant } from '../../model/want.ts'
import type { HostService, Pass } from '../service.ts'
import type { MetadataReply, MetadataRequest } from './answer.ts'
import { answer, problem, TOKEN_HEADER, TOKEN_TTL_HEADER } from './answer.ts'
import type { RoleCredentials } from './role-documents.ts'
import { createTokens } from './tokens.ts'
import type { Directory, TreeSettings } from './tree.ts'
import { metadataTree } from './tree.ts'

const USUAL_PLACE = { address: METADATA_ADDRESS, port: 80 }
/** Request line and headers. Real clients send less than 1 KiB. */
const MAX_HEADER_BYTES = 8 * KIB
const MAX_HEADERS = 64
const MAX_CONNECTIONS = 4096
const MAX_CONNECTIONS_PER_SOURCE = 32
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'
const HEADERS_TIMEOUT_MS = 5_000
const IDLE_TIMEOUT_MS = 10_000
/**
 * When the service is closed: how long the request of a new connection may be on its way, and how
 * long a request may take. Time in which this process does not run does not count, up to a limit.
 */
const ARRIVAL_MS = 100
const CLOSE_MS = 500
const MOST_STRETCH = 3
/**
 * Requests of one instance. EC2 has a similar limit for link-local services (1024 packets a second
 * and interface).
 */
const REQUEST_LIMITS = { burst: 500, perSecond: 250 }

export interface MetadataParts {
  readonly settings: TreeSettings
  /** The key that signs tokens, at least 16 bytes. It must stay the same across restarts. */
  readonly key: Uint8Array
  /** The credentials of instances' roles. Absent: instances get none. */
  readonly roles?: RoleCredentials
  /** Requests of one instance, for benchmarks. */
  readonly limits?: BucketLimits
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** Where to listen instead of 169.254.169.254 port 80. */
  readonly listen?: { readonly address: Ipv4; readonly port: number }
  /** Of the network namespace of those who ask; absent: the machine's own. */
  readonly sockets?: ServiceSockets
}

/** The address of an instance, and what it may read. */
interface Caller {
  readonly instance: InstanceWant
  readonly requests: TokenBucket
  /** Built at the first request after a pass. */
  tree: Directory | undefined
}

/** The metadata service. */
export function createMetadata(parts: MetadataParts): HostService {
  const { settings, clock, metrics, roles, limits = REQUEST_LIMITS } = parts
  const log = parts.log.child({ service: 'metadata' })
  const { listen = USUAL_PLACE, sockets = createServiceSockets() } = parts
  const tokens = createTokens(parts.key)
  const requests = metrics.counter('atoll_metadata_requests_total', 'Metadata requests by status', [
    'status',
  ])
  const dropped = metrics.counter(
    'atoll_metadata_dropped_total',
    'Metadata connections that were closed without an answer from the tree, by reason',
    ['reason'],
  )
  let callers: ReadonlyMap<string, Caller> = new Map()
  const admit = createAdmission((source) => callers.has(source))

  function onConnection(socket: Socket): void {
    const reason = admit(socket)
    if (reason === undefined) return
    dropped.inc({ reason })
    log.debug({ source: socket.remoteAddress, reason }, 'metadata connection refused')
    socket.destroy()
  }

  function reply(incoming: IncomingMessage): MetadataReply {
    // Looked up for each request: the address may have a new owner since the connection was made.
    const caller = callers.get(incoming.socket.remoteAddress ?? '')
    if (caller === undefined) return problem(404)
    if (!caller.requests.take(clock.monotonic())) return problem(429)
    caller.tree ??= metadataTree(caller.instance, settings, roles)
    const { id, metadata: options } = caller.instance
    const known = { instance: id, tree: caller.tree, options }
    return answer(readRequest(incoming), known, tokens, clock.now())
  }

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    try {
      const result = reply(incoming)
      requests.inc({ status: String(result.status) })
      if (!server.listening) outgoing.shouldKeepAlive = false
      send(outgoing, result, incoming.method === 'HEAD')
    } catch (error) {
      // Nothing that a guest sends may end the daemon, even if we have a bug.
      requests.inc({ status: '500' })
      log.error({ source: incoming.socket.remoteAddress, error }, 'metadata request failed')
      incoming.socket.destroy()
    }
  }

  const server = limitedServer(onRequest)
  server.on('connection', onConnection)
  server.on('clientError', (_error, socket) => {
    dropped.inc({ reason: 'malformed' })
    // `destroy`, not only `end`: a client that never closes its side would keep its place for ever.
    if (socket.writable) socket.end(BAD_REQUEST, () => socket.destroy())
    else socket.destroy()
  })
  // Errors while it listens are logged here. `apply` reports errors of starting.
  server.on('error', (error) => {
    if (server.listening) log.warn({ error }, 'metadata server error')
  })

  return {
    name: 'metadata',
    gate: false,
    passesGates: true,
    async apply(pass: Pass) {
      roles?.keep(pass.want.local.instances)
      callers = callersOf(pass.want.local.instances, callers, limits, clock.monotonic())
      if (!server.listening) await startListening(server, sockets, listen)
      return []
    },
    isDue: () => !server.listening,
    close: () => closeServer(server, clock),
  }
}

/**
 * Answers requests that have begun, for a moment. The `close` of Node's HTTP server would end
 * connections of which the request is still on its way, too.
 */
async function closeServer(server: Server, clock: Clock): Promise<void> {
  if (!server.listening) return
  const ended = once(server, 'close')
  NetServer.prototype.close.call(server)
  const patient = loadTolerantClock(clock, MOST_STRETCH)
  let stop = patient.after(ARRIVAL_MS, () => {
    server.closeIdleConnections()
    stop = patient.after(CLOSE_MS, () => server.closeAllConnections())
  })
  await ended
  stop()
  // What else there is of it: the timer that looks for slow clients.
  server.close()
}

/**
 * Admits connections of known sources, up to a number for each. The returned function says why it
 * refuses one.
 */
function createAdmission(
  isKnown: (source: string) => boolean,
): (socket: Socket) => 'unknown-source' | 'too-many' | undefined {
  const places = createPlaces<string>({
    total: MAX_CONNECTIONS,
    limitOfOne: MAX_CONNECTIONS_PER_SOURCE,
  })
  return (socket) => {
    const source = socket.remoteAddress ?? ''
    if (!isKnown(source)) return 'unknown-source'
    if (!places.take(source)) return 'too-many'
    socket.once('close', () => places.give(source))
    return undefined
  }
}

/** The callers by address. A caller keeps its request limit from pass to pass. */
function callersOf(
  instances: readonly InstanceWant[],
  before: ReadonlyMap<string, Caller>,
  limits: BucketLimits,
  nowMs: number,
): ReadonlyMap<string, Caller> {
  const entries = instances.flatMap((instance) =>
    instance.nics.flatMap(addressesOf).map((ip): [string, Caller] => {
      const old = before.get(ip)
      const requests =
        old?.instance.id === instance.id ? old.requests : createTokenBucket(limits, nowMs)
      return [ip, { instance, requests, tree: undefined }]
    }),
  )
  return new Map(entries)
}

function limitedServer(
  onRequest: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      // The Host header is not used. Scripts may send a bare HTTP/1.0 request without it.
      requireHostHeader: false,
    },
    onRequest,
  )
  server.maxHeadersCount = MAX_HEADERS
  // Refused connections may still be closing.
  server.maxConnections = 2 * MAX_CONNECTIONS
  // For clients that neither send nor read.
  server.setTimeout(IDLE_TIMEOUT_MS)
  return server
}

async function startListening(
  server: Server,
  sockets: ServiceSockets,
  { address, port }: { readonly address: Ipv4; readonly port: number },
): Promise<void> {
  await sockets.listenTcp(server, address, port).catch((error: unknown) => {
    throw unavailable(`metadata cannot listen on ${address}:${port}`, error)
  })
}

function readRequest(incoming: IncomingMessage): MetadataRequest {
  const { headers } = incoming
  const length = headers['content-length']
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '/',
    token: single(headers[TOKEN_HEADER]),
    tokenTtl: single(headers[TOKEN_TTL_HEADER]),
    isForwarded: headers['x-forwarded-for'] !== undefined,
    hasBody: headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0'),
  }
}

/** Node joins repeated headers of these names with commas. No token or number contains one. */
function single(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(', ')
}

function send(outgoing: ServerResponse, reply: MetadataReply, isHead: boolean): void {
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
  outgoing.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': body.length,
    ...reply.headers,
    // An announced body is not read, and a client above its limit must not go on. So the connection
    // closes after the answer.
    ...(reply.status === 413 || reply.status === 429 ? { connection: 'close' } : {}),
  })
  outgoing.end(isHead ? undefined : body)
}
