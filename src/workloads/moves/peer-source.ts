/** Fetches from another host (`protocol.ts`): lists, digests, and files that can be continued. */
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { z } from 'zod'
import { type Opened, type Position, parseContentRange, type Source } from '../../images/source.ts'
import { parseJson } from '../../lib/json.ts'
import { explain, refused, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import {
  ANSWER_MAX_BYTES,
  digestSchema,
  formatMoveRequest,
  listSchema,
  type MoveRequest,
  type OfferedFile,
  problemSchema,
} from './protocol.ts'
import type { MoveIdentity } from './sender.ts'

/** Another host. */
export interface MovePeer {
  readonly name: HostName
  readonly address: string
  readonly port: number
  readonly identity: MoveIdentity
}

const OK = 200
const PARTIAL_CONTENT = 206
/** A digest is answered when the other host has read the whole file. */
const SILENT_MS = 600_000
/**
 * When the kernel asks a silent host whether it is there (`TCP_KEEPIDLE`, tcp(7)). Node has it ask
 * ten times, each second: one that has lost its power closes no connection.
 */
const ASKED_AFTER_MS = 10_000

/** The files of an instance. Errors: `refused` and `unavailable`, as the other host says. */
export async function listFiles(
  peer: MovePeer,
  of: Pick<MoveRequest, 'instance' | 'move'>,
  signal: AbortSignal,
): Promise<readonly OfferedFile[]> {
  const asked = { ...of, file: null, digest: false }
  return (await readAnswer(peer, asked, listSchema, signal)).files
}

/** The digest of a file, `sha256:…`. Errors: as `listFiles`. */
export async function digestOfFile(
  peer: MovePeer,
  of: Omit<MoveRequest, 'digest'>,
  signal: AbortSignal,
): Promise<string> {
  return (await readAnswer(peer, { ...of, digest: true }, digestSchema, signal)).digest
}

/** A file. */
export function fileSource(
  peer: MovePeer,
  of: Omit<MoveRequest, 'digest'>,
  { name, bytes }: OfferedFile,
): Source {
  const asked = { ...of, digest: false }
  return {
    name: `${peer.name}:${name}`,
    verb: 'Copying',
    isOutside: false,
    async open(from: Position | null, signal): Promise<Opened> {
      const headers =
        from === null ? {} : { range: `bytes=${from.offset}-`, 'if-range': from.validator }
      const sent = ask(peer, formatMoveRequest(asked), headers, signal)
      const response = await answerOf(peer, sent, signal)
      const { etag = '' } = response.headers
      const part = parseContentRange(response.headers['content-range'] ?? '')
      if (response.statusCode === PARTIAL_CONTENT && from !== null && part?.offset === from.offset)
        return { offset: from.offset, totalBytes: bytes, validator: etag, body: response }
      if (response.statusCode === OK)
        return { offset: 0, totalBytes: bytes, validator: etag, body: response }
      throw await problemIn(peer, response)
    },
  }
}

async function readAnswer<T>(
  peer: MovePeer,
  asked: MoveRequest,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T> {
  return await readJson(peer, formatMoveRequest(asked), schema, signal)
}

/** An answer that is JSON. Errors: as `listFiles`. */
export async function readJson<T>(
  peer: MovePeer,
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T> {
  const response = await answerOf(peer, ask(peer, path, {}, signal), signal)
  if (response.statusCode !== OK) throw await problemIn(peer, response)
  const parsed = schema.safeParse(parseJson(await textOf(peer, response)))
  if (parsed.success) return parsed.data
  throw unavailable(`${peer.name} answers in a way that this version does not understand`)
}

/** A request to another host, which is sent at once. */
export function ask(
  { name, address, port, identity }: MovePeer,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): ClientRequest {
  const sent = request({
    ...identity,
    ...{ host: address, port, servername: name, minVersion: 'TLSv1.3', agent: false },
    ...{ path, headers, signal, timeout: SILENT_MS },
  })
  sent.setSocketKeepAlive(true, ASKED_AFTER_MS)
  sent.on('timeout', () => sent.destroy(new Error('it is silent')))
  // A connection may break when the answer has begun. Whoever reads that is told.
  sent.on('error', () => undefined)
  sent.end()
  return sent
}

/** The answer of another host. Errors: `unavailable`. */
export async function answerOf(
  { name, address, port }: MovePeer,
  sent: ClientRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  try {
    const [response]: IncomingMessage[] = await once(sent, 'response')
    if (response !== undefined) return response
    throw new Error('it does not answer')
  } catch (error) {
    signal.throwIfAborted()
    throw unavailable(`${name} (${address}:${port}) cannot be reached: ${explain(error)}`, error)
  }
}

/** Why there is no answer. */
export async function problemIn(peer: MovePeer, response: IncomingMessage): Promise<Error> {
  const { data } = problemSchema.safeParse(parseJson(await textOf(peer, response)))
  const message = `${peer.name}: ${data?.message ?? `status ${response.statusCode}`}`
  return data?.refused === true ? refused('UnsupportedOperation', message) : unavailable(message)
}

async function textOf({ name }: MovePeer, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += chunk.length
      if (bytes > ANSWER_MAX_BYTES) throw new Error('its answer is too long')
      chunks.push(chunk)
    }
  } catch (error) {
    throw unavailable(`${name} broke off: ${explain(error)}`, error)
  }
  return Buffer.concat(chunks).toString('utf8')
}
