/**
 * Load for HTTP servers: requests that are made before, over plain keep-alive connections. It must
 * cost less than any server, so it knows no more of HTTP than it needs.
 */
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/** What is loaded: a server on loopback, and its requests, one after another. */
export interface Target {
  readonly port: number
  readonly next: () => Buffer
}

/** What was measured. */
export interface Run {
  readonly perSecond: number
  /** Time of each answer. */
  readonly ms: readonly number[]
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** A connection with one request at a time. It is opened again when the server has closed it. */
interface Connection {
  ask(request: Buffer): Promise<Answer>
  close(): void
}

/** Connections of an open loop. Requests that find none free wait, and their time counts. */
const CONNECTIONS_MAX = 48
/** Requests that are sent in one turn of the event loop when several are due. */
const SENT_AT_ONCE = 32
const BLANK_LINE = Buffer.from('\r\n\r\n')
/** After `HTTP/1.1 `. */
const STATUS_AT = 9
const STATUS_DIGITS = 3

/** `clients` clients for `ms` milliseconds, each with its next request after the last answer. */
export async function closedLoop(target: Target, clients: number, ms: number): Promise<Run> {
  const took: number[] = []
  const began = performance.now()
  const client = async () => {
    const connection = connect(target.port)
    do {
      const sent = performance.now()
      expectSuccess(await connection.ask(target.next()))
      took.push(performance.now() - sent)
    } while (performance.now() < began + ms)
    connection.close()
  }
  await Promise.all(Array.from({ length: clients }, client))
  return { perSecond: (took.length * 1000) / (performance.now() - began), ms: took }
}

/**
 * `perSecond` requests a second for `ms` milliseconds, however long the answers take. The time of
 * an answer counts from when its request was due, so that a slow server hides nothing.
 */
export async function openLoop(target: Target, perSecond: number, ms: number): Promise<Run> {
  const took: number[] = []
  const free: Connection[] = []
  const waiting: ((connection: Connection) => void)[] = []
  let made = 0
  const take = async (): Promise<Connection> => {
    const known = free.pop()
    if (known !== undefined) return known
    if (made >= CONNECTIONS_MAX) return await new Promise((resolve) => waiting.push(resolve))
    made += 1
    return connect(target.port)
  }
  const ask = async (dueMs: number) => {
    const connection = await take()
    expectSuccess(await connection.ask(target.next()))
    took.push(performance.now() - dueMs)
    const next = waiting.shift()
    if (next === undefined) free.push(connection)
    else next(connection)
  }
  const began = performance.now()
  const count = Math.max(1, Math.round((perSecond * ms) / 1000))
  const asked: Promise<void>[] = []
  for (let index = 0; index < count; index += 1) {
    const dueMs = began + (index * 1000) / perSecond
    const early = dueMs - performance.now()
    if (early > 0) await delay(early)
    else if (index % SENT_AT_ONCE === 0) await nextTurn()
    asked.push(ask(dueMs))
  }
  await Promise.all(asked)
  for (const connection of free) connection.close()
  return { perSecond: (count * 1000) / (performance.now() - began), ms: took }
}

/** The body of the answer to one request. Rejects when it is no success. */
export async function askOnce(port: number, request: Buffer): Promise<string> {
  const connection = connect(port)
  const answer = await connection.ask(request)
  connection.close()
  expectSuccess(answer)
  return answer.body.toString()
}

function expectSuccess({ status, body }: Answer): void {
  if (status !== 200) throw new Error(`the server answered ${status}: ${body.toString()}`)
}

/** An answer under way. */
interface Pending {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
  readonly chunks: Buffer[]
  bytes: number
  /** Null before the head is complete. */
  head: Head | null
}

interface Head {
  readonly status: number
  /** Of the head. */
  readonly bytes: number
  /** Of head and body. Null: until the server closes. */
  readonly all: number | null
  /** The server closes after it, as moto's does each time. */
  readonly isLast: boolean
}

function connect(port: number): Connection {
  let socket: Socket | null = null
  let pending: Pending | null = null

  const end = (error: Error | null): void => {
    const ended = pending
    pending = null
    if (ended === null) return
    if (error === null && ended.head !== null) ended.resolve(answerOf(ended, ended.head))
    else ended.reject(error ?? new Error('the server closed the connection'))
  }
  const onData = (chunk: Buffer): void => {
    if (pending === null) return
    pending.chunks.push(chunk)
    pending.bytes += chunk.length
    pending.head ??= readHead(pending)
    const all = pending.head?.all ?? null
    if (all === null || pending.bytes < all) return
    if (pending.head?.isLast === true) {
      socket?.destroy()
      socket = null
    }
    end(null)
  }
  const open = (): Socket => {
    const opened = createConnection({ port, host: '127.0.0.1', noDelay: true })
    opened.on('data', onData)
    opened.on('error', (error) => end(error))
    opened.on('close', () => {
      if (socket !== opened) return
      socket = null
      end(pending?.head?.all === null ? null : new Error('the server closed the connection'))
    })
    return opened
  }
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject, chunks: [], bytes: 0, head: null }
        socket ??= open()
        socket.write(request)
      }),
    close() {
      socket?.destroy()
    },
  }
}

function readHead(pending: Pending): Head | null {
  const [first] = pending.chunks
  // Nearly always the head is in the first chunk.
  const bytes = pending.chunks.length === 1 ? first : Buffer.concat(pending.chunks)
  const end = bytes?.indexOf(BLANK_LINE) ?? -1
  if (bytes === undefined || end === -1) return null
  const text = bytes.toString('latin1', 0, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  const head = end + BLANK_LINE.length
  return {
    status: Number(text.slice(STATUS_AT, STATUS_AT + STATUS_DIGITS)),
    bytes: head,
    all: length === undefined ? null : head + Number(length),
    isLast: /\r\nconnection: *close/i.test(text),
  }
}

function answerOf({ chunks }: Pending, { status, bytes }: Head): Answer {
  const [first] = chunks
  const whole = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  return { status, body: whole.subarray(bytes) }
}
