/**
 * The S3 side of fetching, against answers that a real service gives too seldom; a real one is in
 * the lab.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test, vi } from 'vitest'
import type { Opened, Source } from '../../../src/images/source.ts'
import { createS3 } from '../../../src/images/source-s3.ts'
import { AtollError } from '../../../src/model/errors.ts'
import { type FileServer, startFileServer } from '../../kit/file-server.ts'

// The SDK takes a while to load.
vi.setConfig({ testTimeout: 60_000 })

const content = randomBytes(10_000)
const tag = '"0123456789abcdef"'
const never = new AbortController().signal

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
function object(request: IncomingMessage, response: ServerResponse): void {
  const match = request.headers['if-match']
  if (match !== undefined && match !== tag) {
    fault(response, 412, 'PreconditionFailed')
    return
  }
  const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (offset >= content.length) {
    fault(response, 416, 'InvalidRange')
    return
  }
  const range = `bytes ${offset}-${content.length - 1}/${content.length}`
  response.writeHead(offset === 0 ? 200 : 206, {
    etag: tag,
    'content-length': content.length - offset,
    ...(offset === 0 ? {} : { 'content-range': range }),
  })
  response.end(content.subarray(offset))
}

function fault(response: ServerResponse, status: number, code: string): void {
  const document = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`
  response.writeHead(status, { 'content-type': 'application/xml' }).end(document)
}

function sourceAt(...servers: readonly FileServer[]): Source & Disposable {
  const endpoints = servers.map(({ url }) => new URL(url).origin)
  const s3 = createS3({ endpoints, region: 'here', accessKeyId: 'a', secretAccessKey: 'b' })
  return { ...s3.source('bucket', 'a/key.img'), [Symbol.dispose]: () => s3.close() }
}

async function bytesOf({ body }: Opened): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('an object, whole and from the middle on', async () => {
  await using server = await startFileServer((request, response) => {
    expect(request.url).toMatch(/^\/bucket\/a\/key\.img/)
    expect(request.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=a\//)
    object(request, response)
  })
  using source = sourceAt(server)
  const whole = await source.open(null, never)
  expect(whole).toMatchObject({ offset: 0, totalBytes: content.length, validator: tag })
  expect(await bytesOf(whole)).toEqual(content)
  const rest = await source.open({ offset: 4_000, validator: tag }, never)
  expect(rest).toMatchObject({ offset: 4_000, totalBytes: content.length, validator: tag })
  expect(await bytesOf(rest)).toEqual(content.subarray(4_000))
})

test.each([
  ['another object by now', { offset: 10, validator: '"other"' }],
  ['an object that ends before', { offset: content.length, validator: tag }],
])('%s is begun anew', async (_what, from) => {
  await using server = await startFileServer(object)
  using source = sourceAt(server)
  const opened = await source.open(from, never)
  expect(opened.offset).toBe(0)
  expect(await bytesOf(opened)).toEqual(content)
})

test('each opening begins with the next endpoint, and passes over those that fail', async () => {
  await using good = await startFileServer(object)
  await using ill = await startFileServer((_request, response) => fault(response, 503, 'SlowDown'))
  await using deaf = await startFileServer((request) => request.socket.destroy())
  using source = sourceAt(ill, good, deaf)
  for (let n = 0; n < 3; n += 1)
    expect(await bytesOf(await source.open(null, never))).toEqual(content)
  // First ill then good; good; deaf, ill and good.
  expect([ill.ranges.length, good.ranges.length, deaf.ranges.length]).toEqual([2, 3, 1])
})

test.each([
  ['refused', 404, 'NoSuchKey', 1],
  ['refused', 403, 'AccessDenied', 1],
  ['unavailable', 500, 'InternalError', 2],
  ['unavailable', 429, 'TooManyRequests', 2],
] as const)('%s when it answers %d', async (kind, status, code, asked) => {
  await using server = await startFileServer((_request, response) => fault(response, status, code))
  using source = sourceAt(server, server)
  const error: unknown = await source.open(null, never).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(AtollError)
  expect(error).toMatchObject({ kind, message: expect.stringContaining(code) })
  expect(server.ranges).toHaveLength(asked)
})
