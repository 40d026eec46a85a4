/** What the HTTP server makes of methods, paths and bodies before there is a call. */
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { actionOf, KEY, type RunningApi, runApi } from '../../../kit/api.ts'
import { signedHeaders } from '../../../kit/signed.ts'

interface Sent {
  readonly method: string
  readonly path?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function send({ port }: RunningApi, sent: Sent): Promise<Answer> {
  const { method, path = '/', body = '', headers = {} } = sent
  return await new Promise((resolve, reject) => {
    const ours = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    ours.on('error', reject)
    ours.end(body)
  })
}

const tags = actionOf('DescribeTags', async () => ({ Tags: [] }))
const form = 'Action=DescribeTags&Version=2016-11-15'
const signed = (sent: Parameters<typeof signedHeaders>[0]) => ({
  ...signedHeaders({ host: 'atoll', ...sent }, KEY),
})
const codeIn = ({ text }: Answer) => /<Code>(\w+)<\/Code>/.exec(text)?.[1]

describe('the API', () => {
  it.each<[string, Sent]>([
    ['GET', { method: 'GET', path: `/?${form}`, headers: signed({ method: 'GET', query: form }) }],
    ['POST', { method: 'POST', body: form, headers: signed({ body: form }) }],
    [
      'POST in pieces of no stated length',
      {
        method: 'POST',
        body: form,
        headers: { ...signed({ body: form }), 'transfer-encoding': 'chunked' },
      },
    ],
    [
      'POST of whatever content type',
      {
        method: 'POST',
        body: form,
        headers: { ...signed({ body: form }), 'content-type': 'text/plain' },
      },
    ],
  ])('is asked by %s', async (_, sent) => {
    await using api = await runApi([tags])
    const answer = await send(api, sent)
    expect(answer).toMatchObject({ status: 200, type: 'text/xml;charset=UTF-8' })
    expect(answer.text).toContain('<tagSet/>')
  })

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('is not asked by %s', async (method) => {
    await using api = await runApi([tags])
    const answer = await send(api, { method, headers: signed({ method }) })
    expect(answer.status).toBe(404)
    expect(codeIn(answer)).toBe('InvalidRequest')
  })

  it('answers HEAD with a head', async () => {
    await using api = await runApi([tags])
    const answer = await send(api, { method: 'HEAD', headers: signed({ method: 'HEAD' }) })
    expect(answer).toEqual({ status: 404, type: 'text/xml;charset=UTF-8', text: '' })
  })

  it.each(['/foo', '//', '/%', '/healthz/', '/..', '/?x/'])('is not at %s', async (path) => {
    await using api = await runApi([tags])
    const answer = await send(api, { method: 'GET', path })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).toContain('<Response><Errors>')
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['stated', {}],
    ['not stated', { 'transfer-encoding': 'chunked' }],
  ])('takes no body that is too large, its length %s', async (_, more) => {
    await using api = await runApi([tags], { limits: { bodyBytes: 1000 } })
    const body = `${form}&x=${'x'.repeat(1000)}`
    const answer = await send(api, {
      method: 'POST',
      body,
      headers: { ...signed({ body }), ...more },
    })
    expect(answer.status).toBe(413)
    expect(codeIn(answer)).toBe('RequestEntityTooLarge')
  })

  it('counts as one body what is not signed by it', async () => {
    await using api = await runApi([tags])
    const headers = signed({ body: form })
    const answer = await send(api, { method: 'POST', body: `${form}&MaxResults=5`, headers })
    expect(answer.status).toBe(401)
    expect(codeIn(answer)).toBe('AuthFailure')
  })
})

describe('GET /healthz', () => {
  it.each([
    [true, 200],
    [false, 503],
  ])('says without credentials that it is %s', async (healthy, status) => {
    await using api = await runApi([tags], { isHealthy: () => healthy })
    const answer = await send(api, { method: 'GET', path: '/healthz' })
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toEqual({ healthy })
    const head = await send(api, { method: 'HEAD', path: '/healthz' })
    expect(head).toEqual({ ...answer, text: '' })
  })
})
