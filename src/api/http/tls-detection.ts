/**
 * Detects TLS by the first byte of a connection, and decides which clients may use plain HTTP.
 *
 * 0x16 begins a TLS handshake record (RFC 8446, 5.1), and no HTTP request. Plain HTTP is only for
 * clients on this host, by the addresses of the socket. All others get a response that says so, and
 * their request is not read, because a signature in clear text may have been seen on the way.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls'
import { systemClock } from '../../lib/clock.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { createRates } from '../../lib/per-source.ts'
import type { BucketLimits } from '../../lib/token-bucket.ts'
import { isLoopback } from './connection-limits.ts'
import { endWith } from './last-answer.ts'

/** A server's certificate chain and key (PEM). */
interface Shown {
  readonly cert: string
  readonly key: string
}

/** Certificates, which may be renewed while the server runs. */
export interface ApiCertificates {
  /** The certificate for clients. Null while there is none. */
  api(): Shown | null
  /** The certificate for other hosts, which ask for this host by its name. */
  host(): Shown | null
  /** The name that they ask for. */
  readonly hostName: string
  onChange(listener: () => void): void
}

/** Settings of the detection. */
export interface TlsDetectionOptions {
  readonly certificates: ApiCertificates | undefined
  /** Time limit for the first byte, and for the TLS handshake. */
  readonly handshakeTimeoutMs: number
  /** Handshakes of one address. Those of this host do not count. */
  readonly handshakesOfOne: BucketLimits
  /** The HTTP response for a client that must use TLS. */
  readonly refusal: () => string
  readonly metrics: Metrics
}

const TLS_HANDSHAKE = 0x16
/** Maximum number of remembered addresses. Above it the oldest are forgotten. */
const ADDRESSES_LIMIT = 4096

/** Installs the detection in an HTTP server that does not listen yet. */
export function detectTls(server: Server, options: TlsDetectionOptions): void {
  const { certificates, handshakeTimeoutMs, metrics } = options
  const refused = metrics.counter(
    'atoll_api_plain_refused_total',
    'Connections without TLS from elsewhere that were refused',
  )
  const failed = metrics.counter(
    'atoll_api_tls_failed_total',
    'TLS handshakes of API clients that failed or were too many',
  )
  const serve = server.listeners('connection') as ((socket: Socket) => void)[]
  const hand = (socket: Socket) => {
    for (const one of serve) one.call(server, socket)
  }
  const secure = certificates === undefined ? null : createSecure(certificates, options, hand)
  secure?.on('tlsClientError', (_error, socket) => {
    failed.inc()
    socket.destroy()
  })
  const mayShakeHands = createRates<string>(options.handshakesOfOne, ADDRESSES_LIMIT)
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    firstByte(socket, handshakeTimeoutMs, (byte) => {
      if (byte === TLS_HANDSHAKE && secure !== null && certificates?.api() != null) {
        if (isHere(socket) || mayShakeHands(socket.remoteAddress ?? '', systemClock.monotonic())) {
          secure.emit('connection', socket)
          return
        }
        failed.inc()
        socket.destroy()
      } else if (byte === TLS_HANDSHAKE) socket.destroy()
      else if (isHere(socket) || certificates === undefined) hand(socket)
      else {
        refused.inc()
        endWith(socket, options.refusal())
      }
    })
  })
}

/** The TLS server. It never listens; connections are passed to it. */
function createSecure(
  certificates: ApiCertificates,
  { handshakeTimeoutMs }: TlsDetectionOptions,
  hand: (socket: Socket) => void,
) {
  let forHosts: SecureContext | undefined
  const secure = createTlsServer(
    {
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
      // Hosts that ask for this host by its name get another certificate than clients.
      SNICallback: (name, done) =>
        done(null, name === certificates.hostName ? forHosts : undefined),
    },
    hand,
  )
  const takeUp = () => {
    const [api, host] = [certificates.api(), certificates.host()]
    if (api !== null) secure.setSecureContext({ ...api, minVersion: 'TLSv1.2' })
    forHosts = host === null ? undefined : createSecureContext({ ...host, minVersion: 'TLSv1.2' })
  }
  takeUp()
  certificates.onChange(takeUp)
  return secure
}

/**
 * Calls with the first byte when it has arrived, without consuming it. Ends a connection that sends
 * none.
 */
function firstByte(socket: Socket, timeoutMs: number, then: (byte: number) => void): void {
  const late = setTimeout(() => socket.destroy(), timeoutMs)
  const gone = () => clearTimeout(late)
  // Without a listener a reset would end the process.
  const ignore = () => undefined
  // The server allows half-open connections (allowHalfOpen). A client that ends its side now has
  // nothing to say.
  const end = () => socket.destroy()
  const look = () => {
    const bytes: Buffer | null = socket.read()
    if (bytes === null) return
    gone()
    socket.off('readable', look)
    socket.off('error', ignore)
    socket.off('close', gone)
    socket.off('end', end)
    socket.unshift(bytes)
    then(bytes[0] ?? 0)
  }
  socket.on('error', ignore)
  socket.once('close', gone)
  socket.once('end', end)
  socket.on('readable', look)
}

/** Whether both ends are loopback addresses of this host. */
function isHere({ remoteAddress = '', localAddress = '' }: Socket): boolean {
  return isLoopback(remoteAddress) && isLoopback(localAddress)
}
