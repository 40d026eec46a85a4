/**
 * Sends instances to the hosts that they move to: the files of stopped ones, and running ones
 * (`live-sender.ts`).
 *
 * It listens only while an instance leaves. Who asks is known by its certificate, which the
 * cluster's own authority has signed, and gets an instance only if that moves to it.
 */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import { digestOf } from '../../lib/digest.ts'
import type { Log } from '../../lib/log.ts'
import { AtollError, messageOf, refused } from '../../model/errors.ts'
import type { DepartingWant } from '../../model/move.ts'
import { MIB } from '../../model/sizes.ts'
import type { Mover, PackedFile } from '../driver.ts'
import { LIVE_PROTOCOL, parseLiveRequest } from './live-protocol.ts'
import { createLiveSender, type LiveSender, type LiveSources } from './live-sender.ts'
import { createPace, type Pace } from './pace.ts'
import { type MoveRequest, parseMoveRequest, parseOffset } from './protocol.ts'

/** How this host shows itself to others, and knows them (PEM). */
export interface MoveIdentity {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

interface SenderOptions extends LiveSources {
  /** The address and port to listen at. */
  readonly at: { readonly address: string; readonly port: number }
  readonly identity: () => Promise<MoveIdentity>
  readonly bytesPerSecond: number
  readonly moverOf: (want: DepartingWant) => Mover | undefined
  readonly clock: Clock
  readonly log: Log
}

export interface Sender {
  /** What may be fetched from now on. Errors: those of listening. */
  offer(wants: readonly DepartingWant[]): Promise<void>
  close(): Promise<void>
}

/** Connections of all hosts together. */
const CONNECTIONS_MAX = 32
const HEADERS_TIMEOUT_MS = 10_000
/** What is read from the disk at once. */
const CHUNK_BYTES = MIB / 2
const STATUS = { ok: 200, part: 206, notFound: 404, forbidden: 403, unavailable: 503, refused: 409 }

interface Answering {
  readonly live: LiveSender
  readonly pace: Pace
  /** What may be fetched now. */
  readonly offers: () => readonly DepartingWant[]
  readonly signal: AbortSignal
}

/** Answers requests, and takes connections over which an instance is passed on. */
function createAnswers(options: SenderOptions, { live, pace, offers, signal }: Answering) {
  /** What whoever asks may get; otherwise how that is answered. */
  function wantOf(
    request: IncomingMessage,
    asked: Pick<MoveRequest, 'instance' | 'move'> | undefined,
  ): DepartingWant | number {
    const want = offers().find(
      ({ instance, move }) => instance === asked?.instance && move === asked.move,
    )
    if (want === undefined) return STATUS.notFound
    return nameOf(request) === want.to ? want : STATUS.forbidden
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    const running = parseLiveRequest(path)
    const asked = parseMoveRequest(path)
    const want = wantOf(request, running ?? asked)
    if (typeof want === 'number') return end(response, want, NOT_HERE)
    if (running?.what === 'send') return await live.send(want, response)
    if (running?.what === 'live') return end(response, STATUS.ok, await live.describe(want))
    if (asked === undefined) return end(response, STATUS.notFound, NOT_HERE)
    await send(options, { request, response, asked, want, pace, signal })
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const asked = parseLiveRequest(request.url ?? '')
    const want = wantOf(request, asked)
    const isOurs = request.headers.upgrade === LIVE_PROTOCOL
    if (typeof want === 'number' || !isOurs || (asked?.what !== 'disk' && asked?.what !== 'memory'))
      return void socket.destroy()
    live.connect(want, asked.what, socket, head)
  }
  return { answer, upgrade }
}

/** Offers nothing at first. */
export function createSender(options: SenderOptions): Sender {
  const { at, log } = options
  const pace = createPace(options.bytesPerSecond, options.clock)
  const live = createLiveSender({ ...options, pace })
  const closing = new AbortController()
  let offered: readonly DepartingWant[] = []
  const offers = () => offered
  const { answer, upgrade } = createAnswers(options, { live, pace, offers, signal: closing.signal })
  let server: Server | null = null
  let shown = ''

  async function listen(): Promise<void> {
    const identity = await options.identity()
    const text = JSON.stringify(identity)
    if (server !== null) {
      if (text !== shown) server.setSecureContext(identity)
      shown = text
      return
    }
    shown = text
    const made = createServer(
      {
        ...identity,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
        headersTimeout: HEADERS_TIMEOUT_MS,
      },
      (request, response) => {
        answer(request, response).catch((error: unknown) => {
          log.warn({ error, path: request.url }, 'an instance could not be sent')
          const isRefused = error instanceof AtollError && error.kind === 'refused'
          const problem = { refused: isRefused, message: messageOf(error) }
          if (response.headersSent) response.destroy()
          else end(response, isRefused ? STATUS.refused : STATUS.unavailable, problem)
        })
      },
    )
    made.on('upgrade', upgrade)
    made.maxConnections = CONNECTIONS_MAX
    made.listen({ host: at.address, port: at.port })
    await once(made, 'listening')
    made.on('error', (error) => log.warn({ error }, 'hosts cannot fetch instances from here'))
    server = made
  }

  async function stopListening(): Promise<void> {
    const had = server
    server = null
    if (had === null) return
    had.closeAllConnections()
    had.close()
    await once(had, 'close')
  }

  return {
    async offer(wants) {
      offered = wants
      live.keep(wants)
      await (wants.length > 0 ? listen() : stopListening())
    },
    async close() {
      closing.abort()
      live.keep([])
      await stopListening()
    },
  }
}

const NOT_HERE = { refused: false, message: 'this instance does not move to that host' }

function nameOf({ socket }: IncomingMessage): string | null {
  if (!(socket instanceof TLSSocket)) return null
  const { CN } = socket.getPeerCertificate().subject
  return typeof CN === 'string' ? CN : null
}

interface Sending {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asked: MoveRequest
  readonly want: DepartingWant
  readonly pace: Pace
  readonly signal: AbortSignal
}

/** The files of an instance. */
async function filesOf(
  { moverOf, liveMoverOf }: SenderOptions,
  want: DepartingWant,
  signal: AbortSignal,
): Promise<readonly PackedFile[]> {
  const files =
    want.live === true
      ? liveMoverOf(want)?.files(want.instance)
      : moverOf(want)?.pack(want.instance, want.bootCount, signal)
  if (files === undefined)
    throw refused('UnsupportedOperation', `${want.driver} moves no such instances`)
  return await files
}

async function send(options: SenderOptions, sending: Sending): Promise<void> {
  const { response, asked, want, signal } = sending
  const packed = await filesOf(options, want, signal)
  if (asked.file === null) {
    const files = await Promise.all(
      packed.map(async ({ name, path }) => ({ name, bytes: (await stat(path)).size })),
    )
    return end(response, STATUS.ok, { files })
  }
  const file = packed[asked.file]
  if (file === undefined) return end(response, STATUS.notFound, NOT_HERE)
  if (!asked.digest) return await sendFile(sending, file.path)
  await using opened = await open(file.path)
  end(response, STATUS.ok, { digest: await digestOf(opened, signal) })
}

async function sendFile({ request, response, pace, signal }: Sending, path: string): Promise<void> {
  const { size, mtimeMs, ino } = await stat(path)
  const tag = `"${ino}-${size}-${mtimeMs}"`
  const { range, 'if-range': ifRange } = request.headers
  const asked = range === undefined || ifRange !== tag ? null : parseOffset(range, size)
  const start = asked ?? 0
  response.writeHead(asked === null ? STATUS.ok : STATUS.part, {
    'content-length': size - start,
    etag: tag,
    ...(asked === null ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
  })
  if (size === 0) {
    response.end()
    return
  }
  const content = createReadStream(path, { start, end: size - 1, highWaterMark: CHUNK_BYTES })
  async function* paced(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      await pace(chunk.length)
      yield chunk
    }
  }
  await pipeline(content, paced, response, { signal })
}

function end(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(text)
}

/** The rate of a setting in MiB/s. */
export function bytesPerSecond(mibPerSecond: number): number {
  return mibPerSecond * MIB
}
