/** The HTTP API answers all input with an XML document that EC2 clients can read. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  DescribeVpcsCommand,
  EC2Client,
  EC2ServiceException,
  RebootInstancesCommand,
} from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import type { Action } from '../../../src/api/action.ts'
import { getCallerIdentity } from '../../../src/api/actions/get-caller-identity.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { refused, unavailable } from '../../../src/model/errors.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { actionOf, CREDENTIALS, known, type RunningApi, runApi } from '../../kit/api.ts'
import { signedHeaders } from '../../kit/signed.ts'

/** RebootInstances, doing something else. */
function reboot(run: Action['run']): Action {
  return actionOf('RebootInstances', run)
}

function clientOf(api: RunningApi): EC2Client {
  return new EC2Client({
    region: 'atoll',
    endpoint: api.url,
    credentials: CREDENTIALS,
    maxAttempts: 1,
  })
}

async function failureOf(api: RunningApi): Promise<EC2ServiceException> {
  const failure = await clientOf(api)
    .send(new RebootInstancesCommand({ InstanceIds: ['i-1'] }))
    .catch((error: unknown) => error)
  if (failure instanceof EC2ServiceException) return failure
  throw new Error('the SDK did not understand the answer', { cause: failure })
}

/** Sends bytes and reads to the end of the connection. */
async function raw(api: RunningApi, bytes: string): Promise<string> {
  const socket = connect(api.port, '127.0.0.1')
  socket.write(bytes)
  return await text(socket)
}

/** A request as it is to be made of a host, whose name is signed. */
function signed(body: Buffer<ArrayBuffer> | string) {
  return (host: string): RequestInit => {
    const { host: _host, ...headers } = signedHeaders({ body, host })
    return { method: 'POST', body, headers }
  }
}

function expectError(answer: string, code: string): void {
  expect(answer).toMatch(
    new RegExp(
      `^<\\?xml version="1.0" encoding="UTF-8"\\?>\n<Response><Errors><Error><Code>${code}</Code><Message>[^<]+</Message></Error></Errors><RequestID>[0-9a-f-]{36}</RequestID></Response>$`,
    ),
  )
}

describe('an answer in XML is given', () => {
  it.each([
    ['another path', '/foo', {}, 404, 'InvalidRequest'],
    ['another path with broken encoding', '/%zz', {}, 404, 'InvalidRequest'],
    ['another method', '/', { method: 'DELETE' }, 404, 'InvalidRequest'],
    ['no signature', '/?Action=DescribeVpcs', {}, 403, 'MissingAuthenticationToken'],
    [
      'another content type',
      '/',
      { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
      403,
      'MissingAuthenticationToken',
    ],
    ['bytes that are no form', '/', signed(Buffer.of(0xff, 0xfe)), 400, 'MalformedQueryString'],
    ['a broken form', '/', signed('Action=%zz'), 400, 'MalformedQueryString'],
    [
      'a body over the limit',
      '/',
      signed('a'.repeat(1024 * 1024 + 1)),
      413,
      'RequestEntityTooLarge',
    ],
  ])('to %s', async (_what, path, init, status, code) => {
    await using api = await runApi([])
    const request = typeof init === 'function' ? init(`127.0.0.1:${api.port}`) : init
    const response = await fetch(`${api.url}${path}`, request)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('text/xml;charset=UTF-8')
    expect(
      Math.abs(Date.parse(known(response.headers.get('date') ?? undefined)) - Date.now()),
    ).toBeLessThan(60_000)
    const body = await response.text()
    expectError(body, code)
    expect(body).toContain(`<RequestID>${response.headers.get('x-amzn-requestid')}</RequestID>`)
  })

  it.each([
    ['what is not HTTP', 'HELLO\r\n\r\n', 400],
    ['a broken header', 'GET / HTTP/1.1\r\nbad header\r\n\r\n', 400],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    ['a head over the limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ])('to %s', async (_what, bytes, status) => {
    await using api = await runApi([])
    const [head = '', body = ''] = (await raw(api, bytes)).split('\r\n\r\n')
    expect(head).toMatch(
      new RegExp(`^HTTP/1.1 ${status} .*\r\nDate: .*GMT\r\nContent-Type: text/xml`),
    )
    expectError(body, 'InvalidRequest')
  })

  it('to a request without a Host', async () => {
    await using api = await runApi([])
    const answer = await raw(
      api,
      'GET / HTTP/1.1\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 x=y\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 400 .*<Code>IncompleteSignature</s)
  })

  it('to a client that never finishes its request', async () => {
    await using api = await runApi([], { limits: { requestTimeoutMs: 200 } })
    const head = Object.entries(signedHeaders({})).map(([name, value]) => `${name}: ${value}\r\n`)
    const answer = await raw(
      api,
      `POST / HTTP/1.1\r\n${head.join('')}Content-Length: 100\r\n\r\nAction=`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 408 .*<Code>InvalidRequest</s)
  })

  it('in the form of STS to those who speak its version', async () => {
    await using api = await runApi([getCallerIdentity])
    for (const query of ['Version=2011-06-15&Action=AssumeRole', 'Action=GetCallerIdentity']) {
      const body = await (await fetch(`${api.url}/?${query}`)).text()
      expect(body).toMatch(
        /<ErrorResponse xmlns="https:\/\/sts.*<Error><Type>Sender<\/Type><Code>MissingAuth/s,
      )
    }
  })
})

describe('an action', () => {
  it.each([
    [
      'refuses',
      () => refused('InvalidInstanceID.NotFound', "The instance ID 'i-1' does not exist"),
      400,
      'InvalidInstanceID.NotFound',
      "The instance ID 'i-1' does not exist",
    ],
    [
      'cannot',
      () => unavailable('The records do not answer'),
      503,
      'Unavailable',
      'The records do not answer',
    ],
    ['breaks', () => new Error('root password is hunter2'), 500, 'InternalError', /^(?!.*hunter2)/],
    ['breaks strangely', () => null, 500, 'InternalError', /./],
  ])('that %s is reported as EC2 would', async (_what, thrown, status, code, message) => {
    await using api = await runApi([reboot(() => Promise.reject(thrown()))])
    const failure = await failureOf(api)
    expect(failure.name).toBe(code)
    expect(failure.message).toMatch(message)
    expect(failure.$metadata.httpStatusCode).toBe(status)
  })

  it('that answers what EC2 does not know is a bug', async () => {
    await using api = await runApi([actionOf('DescribeVpcs', async () => ({ Vpc: 1 }))])
    const failure = await clientOf(api)
      .send(new DescribeVpcsCommand())
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'InternalError' })
  })

  it('that nobody has is not valid for this web service', async () => {
    await using api = await runApi([])
    const failure = await failureOf(api)
    expect(failure.name).toBe('InvalidAction')
    expect(failure.message).toBe('The action RebootInstances is not valid for this web service.')
  })

  it('that EC2 does not have cannot be served', async () => {
    const action = actionOf('MakeCoffee' as Action['name'], async () => ({}))
    await expect(runApi([action])).rejects.toMatchObject({ kind: 'bug' })
    await expect(runApi([getCallerIdentity, getCallerIdentity])).rejects.toMatchObject({
      kind: 'bug',
    })
  })

  it('that takes too long is cut off, and is told', async () => {
    const told = Promise.withResolvers<void>()
    const slow = reboot(({ signal }) => {
      signal.addEventListener('abort', () => told.resolve())
      return new Promise(() => {})
    })
    await using api = await runApi([slow], { limits: { actionTimeoutMs: 20 } })
    expect(await failureOf(api)).toMatchObject({ name: 'Unavailable' })
    await told.promise
  })

  it('learns that its client is gone', async () => {
    const started = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    const slow = reboot(({ signal }) => {
      signal.addEventListener('abort', () => told.resolve())
      started.resolve()
      return new Promise(() => {})
    })
    await using api = await runApi([slow], { limits: { actionTimeoutMs: 600_000 } })
    const client = new AbortController()
    const sent = clientOf(api).send(new RebootInstancesCommand({ InstanceIds: ['i-1'] }), {
      abortSignal: client.signal,
    })
    await started.promise
    client.abort()
    await expect(sent).rejects.toThrow()
    await told.promise
  })
})

describe('limits', () => {
  it('of connections for one client: what it opens beyond is closed, and another client is served', async () => {
    await using api = await runApi([], { limits: { maxConnectionsOfOne: 2 } })
    const idle = [connect(api.port, '127.0.0.1'), connect(api.port, '127.0.0.1')]
    await Promise.all(idle.map((socket) => once(socket, 'connect')))
    await once(connect(api.port, '127.0.0.1').resume(), 'close')
    const other = connect({ port: api.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    other.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(await text(other)).toContain('MissingAuthenticationToken')
    idle[0]?.destroy()
    const freed = async () => (await fetch(api.url).catch(() => undefined))?.status === 403
    await expect.poll(freed).toBe(true)
    idle[1]?.destroy()
  })

  it('hold on requests in flight, and more are told to come again', async () => {
    const started = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const slow = reboot(async () => {
      started.resolve()
      await release.promise
      return {}
    })
    await using api = await runApi([slow], { limits: { maxInFlight: 1 } })
    const first = clientOf(api).send(new RebootInstancesCommand({ InstanceIds: ['i-1'] }))
    await started.promise
    expect(await failureOf(api)).toMatchObject({
      name: 'RequestLimitExceeded',
      $metadata: expect.objectContaining({ httpStatusCode: 503 }),
    })
    release.resolve()
    await first
  })

  it('leave a request that is under way time to end when the server closes', async () => {
    const started = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const slow = reboot(async () => {
      started.resolve()
      await release.promise
      return {}
    })
    const api = await runApi([slow])
    const first = clientOf(api).send(new RebootInstancesCommand({ InstanceIds: ['i-1'] }))
    await started.promise
    const second = connect(api.port, '127.0.0.1')
    second.write('GET /foo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n')
    // Only once the server has the beginning of the second request does it count as under way.
    await fetch(`${api.url}/foo`)
    const closed = api.api.close()
    second.write('\r\n')
    expect(await text(second)).toMatch(/^HTTP\/1.1 404 .*<Code>InvalidRequest</s)
    release.resolve()
    await first
    await closed
    await expect(fetch(api.url)).rejects.toThrow()
  })

  it('hold on closing: what does not end in time is cut off', async () => {
    const started = Promise.withResolvers<void>()
    const stuck = reboot(() => {
      started.resolve()
      return new Promise(() => {})
    })
    const api = await runApi([stuck], { limits: { closeTimeoutMs: 50, actionTimeoutMs: 600_000 } })
    const sent = failureOf(api)
    await started.promise
    await api.api.close()
    await expect(sent).rejects.toThrow()
  })

  it('of one port: a second server is told that it is taken', async () => {
    await using api = await runApi([])
    await expect(runApi([], { port: api.port })).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('every request', () => {
  it('is one line and one count', async () => {
    const lines: object[] = []
    const log: Log = {
      debug: () => {},
      info: (fields, message) => lines.push({ message, ...fields }),
      warn: () => {},
      error: () => {},
      child: () => log,
    }
    const metrics = createMetrics()
    await using api = await runApi([reboot(async () => ({}))], { log, metrics })
    await clientOf(api).send(new RebootInstancesCommand({ InstanceIds: ['i-1'] }))
    await fetch(api.url)
    await fetch(`${api.url}/foo`)
    // A client has its answer before the request is over here.
    await eventually('both are logged', () => lines.length === 2)
    expect(lines).toEqual([
      expect.objectContaining({
        message: 'api request',
        action: 'RebootInstances',
        code: 'OK',
        status: 200,
        account: '000000000001',
        user: 'admin',
        remote: '127.0.0.1',
        ms: expect.any(Number),
        request: expect.stringMatching(/^[0-9a-f-]{36}$/),
      }),
      expect.objectContaining({
        action: 'unknown',
        code: 'MissingAuthenticationToken',
        status: 403,
      }),
    ])
    const exposed = await metrics.render()
    expect(exposed).toContain('atoll_api_requests_total{action="RebootInstances",code="OK"} 1')
    expect(exposed).toContain(
      'atoll_api_requests_total{action="unknown",code="MissingAuthenticationToken"} 1',
    )
    expect(exposed).toContain('atoll_api_malformed_total 1')
    expect(exposed).toContain('atoll_api_requests_in_flight 0')
  })
})
