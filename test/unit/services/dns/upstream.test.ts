import { randomBytes } from 'node:crypto'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { upstreamReply } from '../../../../src/services/dns/answer.ts'
import { HEADER_BYTES, keyOf, readQuery, TYPE } from '../../../../src/services/dns/packet.ts'
import {
  agedBody,
  composeQuestion,
  QUESTION_RANDOM_BYTES,
  type Reading,
  readReply,
  type Sent,
  type UpstreamQuestion,
} from '../../../../src/services/dns/upstream.ts'
import { authorityOf } from '../../../../src/services/dns/zone.ts'
import { names, sampleZone } from './arbitraries.ts'

const zone = sampleZone()
const isOurs = (key: string) => authorityOf(zone, key) !== undefined
const question: UpstreamQuestion = {
  key: keyOf('www.example.com'),
  type: TYPE.A,
  dnssecOk: false,
  checkingDisabled: false,
}
const sent = composeQuestion(question, randomBytes(QUESTION_RANDOM_BYTES), true)

interface Parts {
  readonly answers?: readonly dnsPacket.Answer[]
  readonly authorities?: readonly dnsPacket.Answer[]
  readonly additionals?: readonly dnsPacket.Answer[]
  readonly rcode?: number
  readonly flags?: number
}

/** A reply to `to` by the `dns-packet` package, with the question as it was asked. */
function replyTo(to: Sent, parts: Parts = {}): Buffer {
  const asked = dnsPacket.decode(to.message).questions?.[0]
  return dnsPacket.encode({
    type: 'response',
    id: to.id,
    flags: 0x0180 | (parts.flags ?? 0) | (parts.rcode ?? 0),
    questions: asked === undefined ? [] : [asked],
    answers: [...(parts.answers ?? [])],
    authorities: [...(parts.authorities ?? [])],
    additionals: [...(parts.additionals ?? [])],
  })
}

const read = (bytes: Buffer): Reading => readReply(bytes, sent, question, isOurs)
const address = (name: string, data = '192.0.2.1', ttl = 300): dnsPacket.Answer => ({
  type: 'A',
  name,
  data,
  ttl,
})
const soa: dnsPacket.Answer = {
  type: 'SOA',
  name: 'example.com',
  ttl: 900,
  data: {
    mname: 'ns.example.com',
    rname: 'root.example.com',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 60,
  },
}

describe('composeQuestion', () => {
  it('asks what it should, in random letter case', () => {
    fc.assert(
      fc.property(names, fc.uint8Array({ minLength: 34, maxLength: 34 }), (name, random) => {
        const asked = { ...question, key: keyOf(name.toLowerCase()) }
        const { message, id } = composeQuestion(asked, random, true)
        const packet = dnsPacket.decode(message)
        expect(packet).toMatchObject({ id, flag_rd: true, questions: [{ type: 'A', class: 'IN' }] })
        expect(packet.questions?.[0]?.name.toLowerCase()).toBe(name.toLowerCase())
      }),
    )
    const variants = Array.from({ length: 20 }, () =>
      composeQuestion(question, randomBytes(QUESTION_RANDOM_BYTES), false).question.toString(),
    )
    expect(new Set(variants).size).toBeGreaterThan(10)
  })
})

describe('readReply believes', () => {
  it('an answer to the question, for its shortest TTL', () => {
    const reading = read(
      replyTo(sent, {
        answers: [
          { type: 'CNAME', name: 'www.example.com', data: 'web.example.net', ttl: 60 },
          address('web.example.net'),
        ],
      }),
    )
    expect(reading).toMatchObject({
      kind: 'answer',
      answer: { rcode: 0, ttlSeconds: 60, body: { answers: 2, authorities: 0 } },
    })
  })

  it.each([
    ['NXDOMAIN', { rcode: 3, authorities: [soa] }, 60],
    ['NODATA', { authorities: [soa] }, 60],
    ['NXDOMAIN without an SOA', { rcode: 3 }, 0],
    ['NODATA without an SOA', {}, 0],
    [
      'a CNAME to nowhere',
      { answers: [{ type: 'CNAME', name: 'www.example.com', data: 'x.example', ttl: 60 }] },
      0,
    ],
    [
      'a TTL with the top bit set',
      { answers: [address('www.example.com', '192.0.2.1', 0x8000_0000)] },
      0,
    ],
  ] as const)('%s', (_what, parts, ttlSeconds) => {
    expect(read(replyTo(sent, parts))).toMatchObject({ kind: 'answer', answer: { ttlSeconds } })
  })

  it('nothing of the additional section', () => {
    const plain = replyTo(sent, { answers: [address('www.example.com')] })
    const laden = replyTo(sent, {
      answers: [address('www.example.com')],
      additionals: [address('bank.example', '6.6.6.6')],
    })
    expect(read(laden)).toEqual(read(plain))
  })
})

describe('readReply does not believe', () => {
  const good = () => replyTo(sent, { answers: [address('www.example.com')] })
  const edited = (at: number, value: number) => {
    const bytes = good()
    bytes[at] = value ^ (bytes[at] ?? 0)
    return bytes
  }
  const otherQuestion = composeQuestion(
    { ...question, key: keyOf('www.example.org') },
    randomBytes(34),
    true,
  )
  const otherType = composeQuestion({ ...question, type: TYPE.AAAA }, randomBytes(34), true)
  it.each([
    ['another id', edited(1, 1), 'stray'],
    ['a query', edited(2, 0x80), 'stray'],
    ['another name', replyTo({ ...otherQuestion, id: sent.id }), 'stray'],
    ['another type', replyTo({ ...otherType, id: sent.id }), 'stray'],
    ['another class', edited(HEADER_BYTES + sent.question.length - 1, 2), 'stray'],
    ['no question', good().fill(0, 4, 6), 'stray'],
    ['another letter case', edited(HEADER_BYTES + 1, 0x20), 'recased'],
    ['a cut answer', replyTo(sent, { flags: 0x0200 }), 'truncated'],
  ])('%s', (_what, bytes, kind) => {
    expect(read(bytes).kind).toBe(kind)
  })

  it.each([
    ['SERVFAIL', { rcode: 2 }, 'failure'],
    ['REFUSED', { rcode: 5 }, 'failure'],
    [
      'a referral',
      { authorities: [{ type: 'NS', name: 'com', data: 'a.gtld-servers.net', ttl: 1 }] },
      'lame',
    ],
    ['a record of our zone', { answers: [address('web.atoll.internal', '6.6.6.6')] }, 'ours'],
    [
      'our zone after a CNAME',
      {
        answers: [
          { type: 'CNAME', name: 'www.example.com', data: 'WEB.atoll.INTERNAL', ttl: 60 },
          address('WEB.atoll.INTERNAL', '6.6.6.6'),
        ],
      },
      'ours',
    ],
    [
      'a name server for our zone',
      {
        answers: [address('www.example.com')],
        authorities: [{ type: 'NS', name: 'atoll.internal', data: 'evil.example', ttl: 60 }],
      },
      'ours',
    ],
    [
      'a reverse name of ours',
      {
        answers: [{ type: 'PTR', name: '7.0.31.172.in-addr.arpa', data: 'evil.example', ttl: 60 }],
      },
      'ours',
    ],
  ] as const)('%s', (_what, parts, reason) => {
    expect(read(replyTo(sent, parts as Parts))).toMatchObject({ kind: 'useless', reason })
  })

  it('a cut-off message, wherever it is cut', () => {
    const bytes = replyTo(sent, { answers: [address('www.example.com')], authorities: [soa] })
    for (let length = 0; length < bytes.length; length += 1)
      expect(read(bytes.subarray(0, length)).kind).not.toBe('answer')
    expect(read(bytes).kind).toBe('answer')
  })
})

describe('any bytes', () => {
  it('are read without throwing, and what is believed can be read by others', () => {
    const change = fc.tuple(fc.nat(400), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        const bytes = replyTo(sent, {
          answers: [
            { type: 'CNAME', name: 'www.example.com', data: 'web.example.net', ttl: 60 },
            address('web.example.net'),
          ],
          authorities: [soa],
        })
        // Changes spare the header and the question: those are the business of the cases above.
        const start = HEADER_BYTES + sent.question.length
        for (const [at, value] of changes) bytes[start + (at % (bytes.length - start))] = value
        const reading = read(bytes)
        if (reading.kind === 'answer') agedBody(reading.answer, 10)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an answer that is longer than its client can take', () => {
  it('has as many whole records as fit, and says that there are more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 31, max: 200 }), (count) => {
        const cname = { type: 'CNAME', name: 'www.example.com', data: 'w.example.net', ttl: 60 }
        const many = Array.from({ length: count }, (_, index) =>
          address('w.example.net', `192.0.2.${index}`),
        )
        const reading = read(replyTo(sent, { answers: [cname as dnsPacket.Answer, ...many] }))
        if (reading.kind !== 'answer') throw new Error(reading.kind)
        const asked = readQuery(
          dnsPacket.encode({
            type: 'query',
            id: 7,
            flags: dnsPacket.RECURSION_DESIRED,
            questions: [{ type: 'A', name: 'www.example.com' }],
          }),
        )
        if (asked.kind !== 'query') throw new Error(asked.kind)
        const reply = upstreamReply(asked.query, 'udp', 0, agedBody(reading.answer, 0))
        const told = dnsPacket.decode(reply)
        expect(reply.length).toBeLessThanOrEqual(512)
        expect(told.flag_tc).toBe(true)
        // No further record would have fitted: the longest here is 29 bytes.
        expect(reply.length).toBeGreaterThan(512 - 29)
        expect(told.answers?.slice(1).map((one) => ('data' in one ? one.data : ''))).toEqual(
          many.slice(0, (told.answers?.length ?? 0) - 1).map((one) => 'data' in one && one.data),
        )
      }),
    )
  })
})

describe('agedBody', () => {
  it('takes the age off every TTL, down to nothing', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), (ttl, age) => {
        const reading = read(
          replyTo(sent, { answers: [address('www.example.com', '192.0.2.1', ttl)] }),
        )
        if (reading.kind !== 'answer') throw new Error(reading.kind)
        const before = Buffer.from(reading.answer.body.bytes)
        const body = agedBody(reading.answer, age)
        const whole = Buffer.concat([
          Buffer.from('0000818000010001', 'hex'),
          Buffer.alloc(4),
          sent.question,
          body.bytes,
        ])
        expect(dnsPacket.decode(whole).answers?.[0]).toMatchObject({ ttl: Math.max(0, ttl - age) })
        expect(reading.answer.body.bytes).toEqual(before)
      }),
    )
  })
})
