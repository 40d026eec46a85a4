/**
 * The protocol by which stopped Galera nodes exchange their positions: one line over TCP, signed
 * with a key that is derived from the cluster's secret.
 *
 * The client sends a nonce of 32 hexadecimal digits and a line feed. The answer is one line of
 * JSON. Its signature covers the nonce, so old answers cannot be replayed. Answers that exceed the
 * limits or have a wrong signature are ignored.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { z } from 'zod'
import type { Heard, Position } from './decide.ts'

const NONCE = /^[0-9a-f]{32}$/
const LINE_LIMIT_BYTES = 16 * 1024
const ANSWER_DEADLINE_MS = 1000
const CONNECTIONS_LIMIT = 32

const text = z.string().max(200)
const answerSchema = z.strictObject({
  node: text,
  nonce: z.string().regex(NONCE),
  history: text.nullable(),
  commit: z.int(),
  leftLast: z.boolean(),
  view: z.strictObject({ id: text, me: text, members: z.array(text).max(64) }).nullable(),
  mac: z.string().regex(/^[0-9a-f]{64}$/),
})

/** The signed answer of a node to this nonce. */
export function formatAnswer(
  node: string,
  position: Position,
  nonce: string,
  secret: string,
): string {
  const { history, commit, leftLast, view } = position
  const body = { node, nonce, history, commit, leftLast, view }
  return `${JSON.stringify({ ...body, mac: sign(body, secret) })}\n`
}

/** The position in an answer; null unless it is from that node, for this nonce, and signed. */
export function parseAnswer(
  line: string,
  node: string,
  nonce: string,
  secret: string,
): Position | null {
  const parsed = answerSchema.safeParse(parseJson(line))
  if (!parsed.success) return null
  const { mac, ...body } = parsed.data
  if (body.node !== node || body.nonce !== nonce) return null
  const { history, commit, leftLast, view } = body
  const expected = sign({ node, nonce, history, commit, leftLast, view }, secret)
  if (!timingSafeEqual(Buffer.from(mac, 'hex'), Buffer.from(expected, 'hex'))) return null
  return { history, commit, leftLast, view }
}

function sign(body: unknown, secret: string): string {
  return createHmac('sha256', `galera-start ${secret}`).update(JSON.stringify(body)).digest('hex')
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

/** Serves this node's position until closed. Rejects when it cannot listen at the address. */
export async function servePosition(options: {
  readonly node: string
  readonly address: string
  readonly port: number
  readonly position: Position
  readonly secret: string
}): Promise<Disposable> {
  const { node, position, secret } = options
  const server = createServer((socket) => {
    void readLine(socket).then((nonce) => {
      if (nonce !== null && NONCE.test(nonce))
        socket.end(formatAnswer(node, position, nonce, secret))
      else socket.destroy()
    })
  })
  server.maxConnections = CONNECTIONS_LIMIT
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.address, resolve)
  })
  return { [Symbol.dispose]: () => server.close() }
}

/** Asks a node for its position; null without a valid answer within a second. */
export async function askPosition(
  node: string,
  port: number,
  secret: string,
): Promise<Heard | null> {
  const nonce = randomBytes(16).toString('hex')
  const socket = tcpConnect({ host: node, port })
  socket.once('connect', () => socket.write(`${nonce}\n`))
  const line = await readLine(socket)
  socket.destroy()
  const position = line === null ? null : parseAnswer(line, node, nonce, secret)
  return position === null ? null : { kind: 'waiting', position }
}

/** Reads one line; null when it is too long, too late or incomplete. Never rejects. */
function readLine(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const deadline = setTimeout(() => socket.destroy(), ANSWER_DEADLINE_MS)
    const finish = (line: string | null): void => {
      clearTimeout(deadline)
      resolve(line)
    }
    socket.on('error', () => finish(null))
    socket.on('close', () => finish(null))
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
      const end = bytes.indexOf('\n')
      if (end >= 0) finish(bytes.subarray(0, end).toString('utf8'))
      else if (bytes.length > LINE_LIMIT_BYTES) socket.destroy()
    })
  })
}
