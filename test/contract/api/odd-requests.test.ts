/**
 * Requests that no client of EC2 sends on purpose: whatever arrives on a connection, signed or not,
 * has one answer, a well-formed error document.
 */
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { KEY, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { signedHeaders } from '../../kit/signed.ts'

const SILENT_MS = 25_000
const SOUND = 'Action=DescribeRegions&Version=2016-11-15'

let cloud: Cloud
let api: RunningApi
beforeAll(async () => {
  cloud = await openCloud()
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  api = await runApi(allActions, { parts: { ...cloud.parts, clock: systemClock } })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

/** Sends bytes, and reads until the server closes the connection. */
function raw(bytes: Buffer | string): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect(api.port, '127.0.0.1')
    const chunks: Uint8Array[] = []
    socket.setTimeout(SILENT_MS, () => {
      socket.destroy()
      failed(new Error(`it is silent after ${JSON.stringify(Buffer.concat(chunks).toString())}`))
    })
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', failed)
    socket.on('close', () => done(Buffer.concat(chunks).toString()))
    socket.write(bytes)
  })
}

interface Head {
  readonly line?: string
  readonly signed?: boolean
  /** Of what is signed, if not of what the line has. */
  readonly query?: string
  readonly more?: readonly string[]
}

const HOST = 'atoll.test'

/** A whole request with a body. */
function requestOf(body: Buffer | string, head: Head = {}): Buffer {
  const { line = 'POST / HTTP/1.1', signed = true, query = '', more = [] } = head
  const method = line.split(' ')[0] ?? ''
  const { host: _host, ...signature } = signedHeaders({ method, query, body, host: HOST })
  const length = more.some((one) => /^transfer-encoding/i.test(one))
    ? []
    : [`Content-Length: ${Buffer.byteLength(body)}`]
  const lines = [
    line,
    `Host: ${HOST}`,
    ...(signed ? Object.entries(signature).map(([name, value]) => `${name}: ${value}`) : []),
    ...length,
    'Connection: close',
    ...more,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)])
}

/** Status and code of the one answer. Fails for anything but one document. */
function saidBy(answer: string): string {
  const whole = answer.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const end = whole.indexOf('\r\n\r\n')
  const [head, body] = [whole.slice(0, end), whole.slice(end + 4)]
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? []
  const [, length] = /^content-length: (\d+)$/im.exec(head) ?? []
  expect(Number(length), JSON.stringify(answer)).toBe(Buffer.byteLength(body))
  const [, code] =
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<Response><Errors><Error><Code>(\w+)<\/Code><Message>(?:[^<&\p{Cc}]|&[#\w]+;)+<\/Message><\/Error><\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/u.exec(
      body,
    ) ?? []
  expect(code, body).toBeDefined()
  return `${status} ${code}`
}

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')
const PARTS =
  '--x\r\nContent-Disposition: form-data; name="Action"\r\n\r\nDescribeRegions\r\n--x--\r\n'
const MANY = Array.from({ length: 10_000 }, (_, at) => `InstanceId.${at + 1}=i-1`).join('&')

describe('one error document answers', () => {
  it.each<[string, Buffer | string, string]>([
    ['a nonsense form', 'Action=%00&&&', '400 InvalidAction'],
    ['a form without an action', '&&&', '400 MissingParameter'],
    ['nothing', '', '400 MissingParameter'],
    ['JSON', '{"Action": "DescribeRegions"}', '400 MissingParameter'],
    ['XML', '<Action>DescribeRegions</Action>', '400 MissingParameter'],
    ['a form in parts', PARTS, '400 MissingParameter'],
    ['zeros', Buffer.alloc(1000), '400 InvalidRequest'],
    ['bytes that are no text', Buffer.of(0xff, 0xfe, 0xfd), '400 MalformedQueryString'],
    ['a compressed form', gzipSync(SOUND), '400 MalformedQueryString'],
    ['a form after a byte order mark', `\ufeff${SOUND}`, '400 MissingParameter'],
    ['a form in UTF-16', utf16(SOUND), '400 MalformedQueryString'],
    ['a half sequence', `${SOUND}&RegionName.1=%e2%82`, '400 MalformedQueryString'],
    ['half a percent sequence', `${SOUND}&RegionName.1=%`, '400 MalformedQueryString'],
    ['a parameter twice', `${SOUND}&DryRun=true&DryRun=false`, '400 InvalidParameterValue'],
    ['an action twice', `Action=RunInstances&${SOUND}`, '400 InvalidParameterValue'],
    ['10,000 parameters', `Action=DescribeInstances&${MANY}`, '400 InvalidRequest'],
    ['4,097 separators', '&'.repeat(4_097), '400 InvalidRequest'],
    ['a long name', `${SOUND}&${'a'.repeat(257)}=b`, '400 InvalidRequest'],
    ['a deep name', `${SOUND}&${'Filter.1.'.repeat(20)}Name=b`, '400 UnknownParameter'],
    ['a name of an object', `${SOUND}&__proto__.x=1&constructor=1`, '400 UnknownParameter'],
    ['a control character', `${SOUND}&RegionName.1=%0b`, '400 InvalidParameterValue'],
  ])('%s', async (_what, body, expected) => {
    expect(saidBy(await raw(requestOf(body)))).toBe(expected)
    // A stranger's body is not looked at.
    const unsigned = await raw(requestOf(body, { signed: false }))
    expect(saidBy(unsigned)).toBe('403 MissingAuthenticationToken')
  })

  it.each<[string, Buffer | string, string]>([
    ['another path', requestOf(SOUND, { line: 'POST /x HTTP/1.1' }), '404 InvalidRequest'],
    [
      'a method that is not served',
      requestOf('', { line: 'PUT / HTTP/1.1' }),
      '404 InvalidRequest',
    ],
    ['OPTIONS *', requestOf('', { line: 'OPTIONS * HTTP/1.1' }), '404 InvalidRequest'],
    ['TRACE', requestOf('', { line: 'TRACE / HTTP/1.1' }), '404 InvalidRequest'],
    ['M-SEARCH', requestOf('', { line: 'M-SEARCH / HTTP/1.1' }), '404 InvalidRequest'],
    ['QUERY', requestOf(SOUND, { line: 'QUERY / HTTP/1.1' }), '404 InvalidRequest'],
    ['CONNECT', requestOf('', { line: `CONNECT ${HOST}:443 HTTP/1.1` }), '404 InvalidRequest'],
    [
      'a method that nobody knows',
      requestOf('', { line: 'BREW / HTTP/1.1' }),
      '400 InvalidRequest',
    ],
    ['HTTP/1.0 without a Host', `POST / HTTP/1.0\r\n\r\n`, '403 MissingAuthenticationToken'],
    ['HTTP/0.9', 'GET /\r\n\r\n', '403 MissingAuthenticationToken'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400 InvalidRequest'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', '403 MissingAuthenticationToken'],
    [
      'a signature in the query string',
      requestOf('', {
        line: `GET /?${SOUND}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00 HTTP/1.1`,
        signed: false,
      }),
      '403 MissingAuthenticationToken',
    ],
    [
      'two signatures',
      requestOf(SOUND, { more: ['Authorization: AWS4-HMAC-SHA256 a=b'] }),
      '400 IncompleteSignature',
    ],
    [
      'garbage for chunks',
      requestOf('zz\r\nAction', { more: ['Transfer-Encoding: chunked'] }),
      '400 InvalidRequest',
    ],
    [
      'chunks and a length',
      requestOf('0\r\n\r\n', { more: ['Content-Length: 5', 'Transfer-Encoding: chunked'] }),
      '400 InvalidRequest',
    ],
    [
      'another transfer encoding',
      requestOf(SOUND, { more: ['Transfer-Encoding: gzip'] }),
      '400 InvalidRequest',
    ],
    [
      'an expectation that nobody knows',
      requestOf('', { more: ['Expect: the-unexpected'] }),
      '400 MissingParameter',
    ],
    [
      'a client that waits for a go-ahead',
      requestOf('', { more: ['Expect: 100-continue'] }),
      '400 MissingParameter',
    ],
    [
      'an offer of HTTP/2',
      requestOf('', { more: ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings'] }),
      '400 MissingParameter',
    ],
    [
      'a type that is none',
      requestOf(SOUND, { more: ['Content-Type: ,;=/'] }),
      '415 InvalidRequest',
    ],
    [
      'a long header',
      requestOf('', { more: [`X-Long: ${'a'.repeat(20_000)}`] }),
      '431 InvalidRequest',
    ],
    [
      'many headers',
      requestOf('', { more: Array.from({ length: 3_000 }, (_, at) => `x${at}: b`) }),
      '431 InvalidRequest',
    ],
  ])('%s', async (_what, bytes, expected) => {
    expect(saidBy(await raw(bytes))).toBe(expected)
  })
})

it('a request line with a whole address is one for its path', async () => {
  const answer = await raw(requestOf(SOUND, { line: `POST http://${HOST}/ HTTP/1.1` }))
  expect(answer).toMatch(/^HTTP\/1\.1 200 .*<DescribeRegionsResponse/s)
  const without = await raw(
    requestOf('', { line: `GET http://${HOST}?${SOUND} HTTP/1.1`, query: SOUND }),
  )
  expect(without).toMatch(/^HTTP\/1\.1 200 .*<DescribeRegionsResponse/s)
})

it('a HEAD has the head of an answer', async () => {
  const answer = await raw(requestOf('', { line: 'HEAD / HTTP/1.1' }))
  expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n.*\r\n\r\n$/s)
})
