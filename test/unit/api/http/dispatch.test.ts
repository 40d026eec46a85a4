/** Signed forms in, XML out, without a server. */
import { describe, expect, it } from 'vitest'
import type { Action } from '../../../../src/api/action.ts'
import { getCallerIdentity } from '../../../../src/api/actions/get-caller-identity.ts'
import { createDispatcher } from '../../../../src/api/http/dispatch.ts'
import { createMetrics } from '../../../../src/lib/metrics.ts'
import { refused } from '../../../../src/model/errors.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { actionOf, KEY, parts } from '../../../kit/api.ts'
import { signedHeaders } from '../../../kit/signed.ts'

const LIMITS = {
  actionTimeoutMs: 30_000,
  maxInFlight: 10,
  pageItems: 10,
  answerBytes: 1000,
  requestBurst: 100,
  requestsPerSecond: 100,
  maxInFlightOfOne: 10,
  unreadBytesOfOne: 1000,
}

function open(run: Action['run']) {
  const metrics = createMetrics()
  const actions = [actionOf('DescribeTags', run), getCallerIdentity]
  const dispatcher = createDispatcher({
    parts: parts(),
    actions,
    log: silentLog,
    metrics,
    limits: LIMITS,
  })
  return { dispatcher, metrics }
}

interface Sent {
  readonly method?: string
  readonly query?: string
  readonly body?: string | Uint8Array
  readonly secret?: string
}

function requestOf({ method = 'POST', query = '', body = '', secret = KEY.secret }: Sent) {
  const signed = signedHeaders({ method, query, body }, { ...KEY, secret })
  const headers = Object.entries(signed).map(([name, value]) => [name, [value]] as const)
  return {
    method,
    path: '/',
    query,
    headers: Object.fromEntries(headers),
    body: Buffer.from(body),
    remote: '192.0.2.7',
  }
}

const stays = new AbortController().signal
const EC2 = 'Version=2016-11-15'
const STS = 'Version=2011-06-15'
const tags: Action['run'] = async ({ input }) => ({
  Tags: [{ Key: 'input', Value: JSON.stringify(input) }],
})

async function answerTo(sent: Sent, run: Action['run'] = tags) {
  const { dispatcher } = open(run)
  const { requestId, ...answer } = await dispatcher.dispatch(requestOf(sent), stays)
  return { ...answer, text: answer.text.replaceAll(requestId, 'ID') }
}

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
const ec2Error = (code: string, message: string) =>
  `${HEAD}<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>ID</RequestID></Response>`

describe('an answer', () => {
  it.each<[string, Sent]>([
    ['a body', { body: `Action=DescribeTags&MaxResults=7&${EC2}` }],
    ['a query string', { method: 'GET', query: `Action=DescribeTags&MaxResults=7&${EC2}` }],
    ['both', { query: 'Action=DescribeTags', body: `MaxResults=7&${EC2}` }],
  ])('is the same whether parameters come in %s', async (_, sent) => {
    expect(await answerTo(sent)).toStrictEqual({
      status: 200,
      text: `${HEAD}<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><tagSet><item><key>input</key><value>{&quot;MaxResults&quot;:7}</value></item></tagSet></DescribeTagsResponse>`,
    })
  })

  it('of STS is in the words of STS', async () => {
    const { status, text: xml } = await answerTo({ body: `Action=GetCallerIdentity&${STS}` })
    expect(status).toBe(200)
    expect(xml).toBe(
      `${HEAD}<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><UserId>admin</UserId><Account>000000000001</Account><Arn>arn:aws:iam::000000000001:user/admin</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
    )
  })
})

describe('a refusal', () => {
  it.each<[string, Sent, number, string, string]>([
    [
      'no action',
      { body: EC2 },
      400,
      'MissingParameter',
      'The request must contain the parameter Action',
    ],
    [
      'nothing at all',
      {},
      400,
      'MissingParameter',
      'The request must contain the parameter Action',
    ],
    [
      'an action that there is none of',
      { body: `Action=${'Make%26Coffee'.repeat(20)}&${EC2}` },
      400,
      'InvalidAction',
      // As much of it as is said back.
      `The action ${'Make&amp;Coffee'.repeat(5)}Make&amp;Coff is not valid for this web service.`,
    ],
    [
      'a parameter that EC2 does not know',
      { body: `Action=DescribeTags&Nope.1=x&${EC2}` },
      400,
      'UnknownParameter',
      'The parameter Nope.1 is not recognized',
    ],
    [
      'a body that is not UTF-8',
      { body: Uint8Array.of(0x41, 0xff, 0xfe) },
      400,
      'MalformedQueryString',
      'The query string is malformed: the body is not UTF-8',
    ],
    [
      'a wrong secret',
      { body: `Action=DescribeTags&${EC2}`, secret: 'another' },
      401,
      'AuthFailure',
      'AWS was not able to validate the provided access credentials',
    ],
  ])('of a request with %s', async (_, sent, status, code, message) => {
    const answer = await answerTo(sent)
    expect(answer.text).toBe(ec2Error(code, message))
    expect(answer.status).toBe(status)
  })

  it('says what an action says, escaped', async () => {
    const run = () => Promise.reject(refused('InvalidVpcID.NotFound', '<no> "such" & so on'))
    expect(await answerTo({ body: `Action=DescribeTags&${EC2}` }, run)).toStrictEqual({
      status: 400,
      text: ec2Error('InvalidVpcID.NotFound', '&lt;no&gt; &quot;such&quot; &amp; so on'),
    })
  })

  it('of a bug says nothing of it', async () => {
    const run = () => Promise.reject(new Error('secret: hunter2'))
    const { status, text: xml } = await answerTo({ body: `Action=DescribeTags&${EC2}` }, run)
    expect([status, xml]).toEqual([500, expect.not.stringContaining('hunter2')])
  })

  it('of an answer that is too long says how to ask for less', async () => {
    const run = async () => ({ Tags: [{ Key: 'k', Value: 'v'.repeat(2000) }] })
    const { text: xml } = await answerTo({ body: `Action=DescribeTags&${EC2}` }, run)
    expect(xml).toContain('<Code>ResponseTooLarge</Code>')
  })

  it.each<[string, Sent]>([
    ['its action', { body: `Action=GetCallerIdentity&Nope=1&${EC2}` }],
    ['its version', { body: STS }],
    ['its query string, when it is not proved', { query: STS, secret: 'another' }],
  ])('is in the words of STS by %s', async (_, sent) => {
    expect((await answerTo(sent)).text).toMatch(
      /^<\?xml .*\?>\n<ErrorResponse xmlns="https:\/\/sts/,
    )
  })
})

describe('what never became a request', () => {
  it('is told so, and counted by itself', async () => {
    const { dispatcher, metrics } = open(tags)
    const complaint = {
      status: 413,
      code: 'RequestEntityTooLarge',
      message: 'too <large>',
    } as const
    const { status, requestId, text } = dispatcher.refuse(complaint)
    expect(status).toBe(413)
    expect(text.replace(requestId, 'ID')).toBe(
      ec2Error('RequestEntityTooLarge', 'too &lt;large&gt;'),
    )
    const exposed = await metrics.render()
    expect(exposed).toContain('atoll_api_malformed_total 1')
    expect(exposed).not.toContain('atoll_api_requests_total{')
  })
})

describe('checkHead', () => {
  it('lets a head pass that names a key which exists, proved or not', async () => {
    const { dispatcher } = open(tags)
    expect(await dispatcher.checkHead(requestOf({ secret: 'another' }))).toBeUndefined()
  })

  it.each<[string, Record<string, readonly string[]>, string]>([
    ['no signature', {}, 'MissingAuthenticationToken'],
    ['no form', { authorization: ['Basic abc'] }, 'IncompleteSignature'],
  ])('turns a head away with %s', async (_, headers, code) => {
    const { dispatcher } = open(tags)
    const answer = await dispatcher.checkHead({ headers, query: '', remote: '192.0.2.7' })
    expect(answer?.text).toContain(`<Code>${code}</Code>`)
  })
})
