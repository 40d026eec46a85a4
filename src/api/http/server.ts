/**
 * The API's HTTP server: one port and one path for EC2 and STS.
 *
 * It passes raw requests to `dispatch.ts`, because a signature covers raw bytes, and limits size
 * and time of everything that a client sends. Every response is an XML document (or JSON, for
 * clients that speak it), because the AWS CLI crashes on anything else.
 */
import { once } from 'node:events'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { BucketLimits } from '../../lib/token-bucket.ts'
import { unavailable } from '../../model/errors.ts'
import { KIB, MIB } from '../../model/sizes.ts'
import type { Action, ApiParts } from '../action.ts'
import type { CallLimits } from '../call.ts'
import type { Upgrader } from '../console/server.ts'
import { faultOf } from '../faults.ts'
import { AWS_JSON_TYPE } from '../wire/aws-json.ts'
import { type BodyLimits, createBodyLimiter } from './body-limits.ts'
import {
  answerBrokenHttp,
  answerOddRequests,
  NOT_HERE,
  useTlsAnswer,
  XML_TYPE,
} from './broken-http.ts'
import { cannotListen, listensElsewhere } from './cannot-listen.ts'
import { type ConnectionLimits, type Connections, limitConnections } from './connection-limits.ts'
import { type ApiAnswer, type Complaint, createDispatcher, type Dispatcher } from './dispatch.ts'
import { limitLinger } from './last-answer.ts'
import { type ApiCertificates, detectTls } from './tls-detection.ts'

/** Limits of a client, above which it is refused or disconnected. */
interface ApiLimits extends ConnectionLimits, BodyLimits, CallLimits {
  /** Request line and headers, in bytes. */
  readonly headerBytes: number
  /** Time limit for sending the head of a request. */
  readonly headTimeoutMs: number
  /** Time limit for sending a whole request. */
  readonly requestTimeoutMs: number
  /** Time limit for reading a response. */
  readonly answerTimeoutMs: number
  /** Time limit for the first byte, and another one for the TLS handshake. */
  readonly handshakeTimeoutMs: number
  /** TLS handshakes of one address. Each takes 1 ms of CPU time. */
  readonly handshakesOfOne: BucketLimits
  /** How long an idle connection is kept. */
  readonly keepAliveTimeoutMs: number
  /** How long requests under way may take when the server closes. */
  readonly closeTimeoutMs: number
}

/** The limits unless `limits` names others. */
const DEFAULT_API_LIMITS: ApiLimits = {
  bodyBytes: MIB,
  headerBytes: 16 * KIB,
  maxConnections: 1024,
  maxConnectionsOfOne: 256,
  reservedForLoopback: 64,
  maxPipelined: 8,
  receivedBytes: 64 * MIB,
  receivedBytesOfOne: 16 * MIB,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  answerTimeoutMs: 60_000,
  handshakeTimeoutMs: 10_000,
  handshakesOfOne: { burst: 200, perSecond: 50 },
  // Longer than clients' own, so that clients close connections, and no request arrives at a
  // closing socket.
  keepAliveTimeoutMs: 75_000,
  closeTimeoutMs: 5000,
  actionTimeoutMs: 30_000,
  maxInFlight: 256,
  maxInFlightOfOne: 64,
  requestBurst: 1_000,
  requestsPerSecond: 100,
  unreadBytesOfOne: 32 * MIB,
  pageItems: 1000,
  answerBytes: 16 * MIB,
}

/** What the API needs. */
export interface ApiOptions {
  readonly parts: ApiParts
  /** The actions to answer. Their names must be in the generated model. */
  readonly actions: readonly Action[]
  /** Address to listen on. */
  readonly listen: string
  /** 0 chooses a free port. */
  readonly port: number
  /** A descriptor that listens there already. Absent or null: there is none. */
  readonly listener?: number | null
  readonly log: Log
  readonly metrics: Metrics
  readonly limits?: Partial<ApiLimits>
  /** Accepts connections that are upgraded. */
  readonly upgrader?: Upgrader
  /** Whether this host is healthy, for `GET /healthz`. Absent: always. */
  readonly isHealthy?: () => boolean | Promise<boolean>
  /** With certificates, clients on other machines must use TLS. Without, nobody can. */
  readonly certificates?: ApiCertificates
}

/** The API of one host. */
export interface Api {
  /**
   * Starts to answer, and returns the port. Rejects with `unavailable` when the address is in use.
   */
  listen(): Promise<{ readonly port: number }>
  /** Accepts no more connections, answers requests that end in time, and closes. */
  close(): Promise<void>
}

/**
 * Creates the API, which does not listen yet. Throws a `bug` when an action is unknown to the
 * generated model.
 */
export function createApi(options: ApiOptions): Api {
  const { parts, actions, log, metrics } = options
  const limits = { ...DEFAULT_API_LIMITS, ...options.limits }
  const dispatcher = createDispatcher({ parts, actions, log, metrics, limits })
  const server = createServer(dispatcher, limits, options)
  detectTls(server.server, {
    certificates: options.certificates,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    handshakesOfOne: limits.handshakesOfOne,
    refusal: () => useTlsAnswer(dispatcher),
    metrics,
  })
  const connections = limitConnections(server.server, limits, metrics)
  checkRequests(server, dispatcher, connections, limits)
  return {
    async listen() {
      const { listen: host, port: wanted, listener = null } = options
      if (listener !== null) await listenAt(server, listener)
      else
        await server.listen({ host, port: wanted }).catch((error: unknown) => {
          throw cannotListen(host, wanted, error)
        })
      const address = server.server.address()
      if (typeof address !== 'object' || address === null) return { port: wanted }
      const isAsSet = address.address === host && (wanted === 0 || address.port === wanted)
      if (listener !== null && !isAsSet)
        throw listensElsewhere(`${address.address} port ${address.port}`, host, wanted)
      return { port: address.port }
    },
    close: () => closeServer(server, limits.closeTimeoutMs),
  }
}

/** Listens on a descriptor, which Fastify has no option for. */
async function listenAt(server: FastifyInstance, fd: number): Promise<void> {
  await server.ready()
  const listening = once(server.server, 'listening')
  server.server.listen({ fd })
  await listening
}

const SLOW_CLIENT_CHECK_MS = 5000

function createServer(
  dispatcher: Dispatcher,
  limits: ApiLimits,
  { log, upgrader, isHealthy = () => true }: ApiOptions,
): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // The signature check answers a missing Host header, in XML.
    http: {
      maxHeaderSize: limits.headerBytes,
      requireHostHeader: false,
      headersTimeout: Math.min(limits.headTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      // A client that only offers an upgrade (Java's offers HTTP/2) is answered without one.
      shouldUpgradeCallback: (request) => upgrader?.wants(request) ?? false,
      // Node checks for slow clients only this often.
      connectionsCheckingInterval: Math.min(limits.requestTimeoutMs, SLOW_CLIENT_CHECK_MS),
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    clientErrorHandler: (error, socket) => answerBrokenHttp(dispatcher, error, socket),
    frameworkErrors: (_error, _request, reply) => send(reply, dispatcher.refuse(NOT_HERE)),
  })
  if (upgrader !== undefined) server.server.on('upgrade', upgrader.take)
  answerOddRequests(server.server, dispatcher)
  server.server.maxConnections = limits.maxConnections
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => body,
  )
  server.route({
    method: ['GET', 'POST'],
    url: '/',
    handler: async (request, reply) => {
      const answer = await dispatch(dispatcher, request, reply)
      limitReading(reply, limits.answerTimeoutMs)
      return send(reply, answer)
    },
  })
  server.route({
    method: HEALTH_METHODS,
    url: HEALTH_PATH,
    handler: async (_request, reply) => {
      const healthy = await isHealthy()
      return reply.code(healthy ? 200 : 503).send({ healthy })
    },
  })
  server.setErrorHandler((error, _request, reply) => {
    const fault = unreadable(error, limits)
    if (fault.status >= 500) log.error({ error }, 'api server failed because of a bug')
    return send(reply, dispatcher.refuse(fault))
  })
  return server
}

/**
 * For load balancers and monitoring, without credentials: whether this host is healthy, and nothing
 * more.
 */
const HEALTH_PATH = '/healthz'
const HEALTH_METHODS = ['GET', 'HEAD']

/** Checks every request before its body, so that an invalid one costs no more than that. */
function checkRequests(
  server: FastifyInstance,
  dispatcher: Dispatcher,
  connections: Connections,
  limits: ApiLimits,
): void {
  const bodies = createBodyLimiter(limits)
  server.addHook('onRequest', async (request, reply) => {
    const { raw } = request
    const { socket } = raw
    reply.raw.once('close', () => connections.end(socket))
    if (!connections.begin(socket)) {
      reply.hijack()
      socket.destroy()
      return reply
    }
    if (raw.url === HEALTH_PATH && HEALTH_METHODS.includes(request.method)) return
    if (request.is404) return answerEarly(request, reply, dispatcher.refuse(NOT_HERE))
    const answer = await dispatcher.checkHead({
      headers: raw.headersDistinct,
      query: targetOf(request).query,
      remote: request.ip,
    })
    if (answer !== undefined) return answerEarly(request, reply, answer)
    const isEmpty = raw.headers['transfer-encoding'] === undefined
    const release = bodies.take(
      request.ip,
      raw.headers['content-length'] ?? (isEmpty ? '0' : undefined),
    )
    if (release === null) return answerEarly(request, reply, dispatcher.refuse(TOO_MANY_BODIES))
    reply.raw.once('close', release)
  })
}

/** Answers without the body, which is discarded as it arrives, but not for long. */
function answerEarly(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: ApiAnswer,
): FastifyReply {
  const { raw } = request
  reply.raw.once('finish', () => {
    if (!raw.complete) limitLinger(raw.socket, raw)
  })
  return send(reply, answer)
}

/** Disconnects a client that does not read its response. */
function limitReading(reply: FastifyReply, timeoutMs: number): void {
  const { raw } = reply
  const late = setTimeout(() => raw.destroy(), timeoutMs)
  raw.once('close', () => clearTimeout(late))
}

const IDLE_CHECK_MS = 50

/**
 * Node does not close connections that become idle after closing began. They are closed repeatedly
 * until none is left.
 */
async function closeServer(server: FastifyInstance, timeoutMs: number): Promise<void> {
  const idle = setInterval(() => server.server.closeIdleConnections(), IDLE_CHECK_MS)
  const late = setTimeout(() => server.server.closeAllConnections(), timeoutMs)
  try {
    await server.close()
  } finally {
    clearInterval(idle)
    clearTimeout(late)
  }
}

async function dispatch(
  dispatcher: Dispatcher,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ApiAnswer> {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    // An error takes a stack trace, and nobody waits for an answer that is sent.
    gone.abort(reply.raw.writableFinished ? 'answered' : unavailable('The client is gone'))
  })
  const asked = {
    method: request.method,
    ...targetOf(request),
    headers: request.raw.headersDistinct,
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    remote: request.ip,
  }
  return dispatcher.dispatch(asked, gone.signal)
}

/**
 * Path and query string of the request line. Proxies' clients send a whole address there (RFC 9112,
 * 3.2.2).
 */
function targetOf({ raw }: FastifyRequest): { readonly path: string; readonly query: string } {
  const target = (raw.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '')
  const [path = '', ...query] = target.split('?')
  return { path: path || '/', query: query.join('?') }
}

/** In responses from old records: their time. */
const AS_OF_HEADER = 'x-atoll-records-as-of'

function send(reply: FastifyReply, answer: ApiAnswer): FastifyReply {
  return (
    reply
      .code(answer.status)
      .header('content-type', answer.isJson === true ? AWS_JSON_TYPE : XML_TYPE)
      .header('x-amzn-requestid', answer.requestId)
      .headers(answer.asOf === undefined ? {} : { [AS_OF_HEADER]: answer.asOf })
      // Fastify adds a character set to the type of JSON text.
      .send(answer.isJson === true ? Buffer.from(answer.text) : answer.text)
  )
}

const TOO_MANY_BODIES = {
  status: 503,
  code: 'RequestLimitExceeded',
  message: 'Request limit exceeded: too many bytes of requests are being received',
} as const

/** The error for a request that fastify cannot pass on, by fastify's error codes. */
function unreadable(error: unknown, limits: ApiLimits): Complaint {
  const { code, statusCode } = errorFields(error)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return {
      status: 413,
      code: 'RequestEntityTooLarge',
      message: `The request body is larger than ${limits.bodyBytes} bytes`,
    }
  }
  if (statusCode !== undefined && statusCode < 500) {
    return { status: statusCode, code: 'InvalidRequest', message: 'The HTTP request is malformed' }
  }
  return faultOf(error)
}

function errorFields(error: unknown): { readonly code?: unknown; readonly statusCode?: number } {
  return typeof error === 'object' && error !== null ? error : {}
}
