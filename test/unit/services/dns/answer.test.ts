import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerQuery, type Transport } from '../../../../src/services/dns/answer.ts'
import {
  names,
  type QueryOptions,
  queryBytes,
  sampleZone,
  WEB_ADDRESSES,
  ZONE,
} from './arbitraries.ts'

const zone = sampleZone()

interface Reply {
  readonly rcode: string
  readonly aa: boolean
  readonly tc: boolean
  readonly answers: readonly string[]
  readonly soa: string | undefined
  readonly bytes: Buffer
  readonly packet: dnsPacket.DecodedPacket
}

/** What an independent decoder makes of our reply. */
function decodeReply(bytes: Buffer): Reply {
  const packet = dnsPacket.decode(bytes)
  // The decoder must have used every byte: no count is too small and nothing trails.
  expect(dnsPacket.decode.bytes).toBe(bytes.length)
  const decoded = packet as dnsPacket.DecodedPacket & { rcode: string }
  return {
    rcode: decoded.rcode,
    aa: packet.flag_aa,
    tc: packet.flag_tc,
    answers: (packet.answers ?? []).map(
      (one) => `${one.type} ${'data' in one ? String(one.data) : ''}`,
    ),
    soa: packet.authorities?.find(({ type }) => type === 'SOA')?.name,
    bytes,
    packet,
  }
}

function ask(
  name: string,
  type: string,
  options: QueryOptions & { readonly transport?: Transport; readonly rotation?: number } = {},
): Reply {
  const answer = answerQuery(
    queryBytes(name, type, options),
    zone,
    options.transport ?? 'udp',
    options.rotation ?? 0,
  )
  if (answer.kind !== 'reply') throw new Error(`not a reply: ${answer.kind}`)
  return decodeReply(answer.bytes)
}

const INSTANCE = `i-00000000000000001.${ZONE}`
const REVERSE_APEX = '31.172.in-addr.arpa'

describe('every kind of name by every type', () => {
  const types = ['A', 'AAAA', 'PTR', 'SOA', 'NS', 'MX', 'TXT', 'CNAME', 'SRV', 'DS', 'HINFO']
  const kinds: Readonly<
    Record<string, { name: string; apex: string; has: readonly string[] | null }>
  > = {
    instance: { name: INSTANCE, apex: ZONE, has: ['A'] },
    'IP-based name': { name: `ip-172-31-0-7.${ZONE}`, apex: ZONE, has: ['A'] },
    'Name tag': { name: `web.${ZONE}`, apex: ZONE, has: ['A'] },
    'no such name': { name: `nobody.${ZONE}`, apex: ZONE, has: null },
    'below a name': { name: `www.${INSTANCE}`, apex: ZONE, has: null },
    apex: { name: ZONE, apex: ZONE, has: ['SOA', 'NS'] },
    'name server': { name: `a.ns.${ZONE}`, apex: ZONE, has: ['A'] },
    'above the name server': { name: `ns.${ZONE}`, apex: ZONE, has: [] },
    reverse: { name: `7.0.${REVERSE_APEX}`, apex: REVERSE_APEX, has: ['PTR'] },
    'reverse, unallocated': { name: `77.0.${REVERSE_APEX}`, apex: REVERSE_APEX, has: null },
    'reverse, half a name': { name: `0.${REVERSE_APEX}`, apex: REVERSE_APEX, has: [] },
    'reverse apex': { name: REVERSE_APEX, apex: REVERSE_APEX, has: ['SOA', 'NS'] },
    localhost: { name: 'localhost', apex: 'localhost', has: ['A', 'AAAA', 'SOA', 'NS'] },
    'below localhost': { name: 'app.localhost', apex: 'localhost', has: ['A', 'AAAA'] },
    'loopback reverse': { name: '1.0.0.127.in-addr.arpa', apex: '127.in-addr.arpa', has: ['PTR'] },
    'link-local reverse': {
      name: '9.9.254.169.in-addr.arpa',
      apex: '254.169.in-addr.arpa',
      has: null,
    },
    mDNS: { name: 'printer.local', apex: 'local', has: null },
    invalid: { name: 'x.invalid', apex: 'invalid', has: null },
  }
  const cases = Object.entries(kinds).flatMap(([kind, about]) =>
    types.map((type) => ({ kind, type, ...about })),
  )
  it.each(cases)('$kind, $type', ({ name, apex, has, type }) => {
    const told = ask(name, type)
    expect(told.aa).toBe(true)
    if (has === null) expect(told).toMatchObject({ rcode: 'NXDOMAIN', answers: [], soa: apex })
    else if (has.includes(type)) {
      expect(told).toMatchObject({ rcode: 'NOERROR', soa: undefined })
      expect(told.answers.length).toBeGreaterThan(0)
      expect(told.packet.answers?.every((one) => one.name === name && one.type === type)).toBe(true)
    } else expect(told).toMatchObject({ rcode: 'NOERROR', answers: [], soa: apex })
  })
})

describe('what the answers say', () => {
  it.each([
    [INSTANCE, 'A', ['A 172.31.0.7']],
    [`7.0.${REVERSE_APEX}`, 'PTR', [`PTR ${INSTANCE}`]],
    [ZONE, 'NS', [`NS a.ns.${ZONE}`]],
    [`a.ns.${ZONE}`, 'A', ['A 169.254.169.253']],
    ['localhost', 'AAAA', ['AAAA ::1']],
  ])('%s %s', (name, type, answers) => {
    expect(ask(name, type).answers).toEqual(answers)
  })

  it('gives negative answers the TTL of RFC 2308, as TTL and as minimum', () => {
    const soa = ask(`nobody.${ZONE}`, 'A').packet.authorities?.[0]
    expect(soa).toMatchObject({
      ttl: 5,
      data: { minimum: 5, mname: `a.ns.${ZONE}`, rname: `hostmaster.${ZONE}` },
    })
  })

  it('rotates the addresses of a name and never loses one', () => {
    const rounds = [0, 1, 2, 3].map((rotation) => ask(`web.${ZONE}`, 'A', { rotation }).answers)
    for (const round of rounds)
      expect(round.toSorted()).toEqual(WEB_ADDRESSES.map((ip) => `A ${ip}`))
    expect(rounds.map((round) => round[0])).toEqual(
      [0, 1, 2, 0].map((index) => `A ${WEB_ADDRESSES[index]}`),
    )
  })

  it('answers ANY with next to nothing (RFC 8482)', () => {
    const told = ask(`many.${ZONE}`, 'ANY')
    expect(told.packet.answers).toMatchObject([{ type: 'HINFO', data: { cpu: 'RFC8482', os: '' } }])
    expect(ask(`nobody.${ZONE}`, 'ANY').rcode).toBe('NXDOMAIN')
  })

  it('repeats the letter case that was asked and does not mind it', () => {
    const bits = fc.array(fc.boolean(), { minLength: INSTANCE.length, maxLength: INSTANCE.length })
    fc.assert(
      fc.property(bits, (upper) => {
        const name = [...INSTANCE]
          .map((char, at) => (upper[at] ? char.toUpperCase() : char))
          .join('')
        const { packet, answers } = ask(name, 'A')
        expect(packet.questions?.[0]?.name).toBe(name)
        expect(packet.answers?.[0]?.name).toBe(name)
        expect(answers).toEqual(['A 172.31.0.7'])
      }),
    )
  })
})

describe('what is refused', () => {
  it.each([
    ['class CH', 'version.bind', 'TXT', { class: 'CH' }],
    ['class ANY', INSTANCE, 'A', { class: 'ANY' }],
    ['a zone transfer', ZONE, 'AXFR', { transport: 'tcp' }],
    ['a zone transfer by UDP', ZONE, 'AXFR', {}],
    ['an incremental transfer', ZONE, 'IXFR', { transport: 'tcp' }],
    ['recursion that was not asked for', 'example.com', 'A', { recursion: false }],
  ] as const)('%s', (_what, name, type, options) => {
    expect(ask(name, type, options)).toMatchObject({ rcode: 'REFUSED', answers: [] })
  })
})

describe('EDNS (RFC 6891)', () => {
  it('is answered when it was used, and only then', () => {
    const opt = ask(INSTANCE, 'A', { edns: { dnssecOk: true } }).packet.additionals?.[0]
    expect(opt).toMatchObject({ type: 'OPT', udpPayloadSize: 1232, ednsVersion: 0, flag_do: true })
    expect(ask(INSTANCE, 'A').packet.additionals).toEqual([])
  })

  it('of a later version gets BADVERS', () => {
    const { packet, rcode } = ask(INSTANCE, 'A', { edns: { version: 1 } })
    expect(rcode).toBe('NOERROR')
    expect(packet.additionals?.[0]).toMatchObject({ extendedRcode: 1, ednsVersion: 0 })
  })
})

describe('size', () => {
  it.each([
    ['udp', null, 512],
    ['udp', 100, 512],
    ['udp', 900, 900],
    ['udp', 65_000, 1232],
    ['tcp', null, 65_535],
    ['tcp', 512, 65_535],
  ] as const)('%s with a buffer of %s gets at most %s bytes', (transport, buffer, most) => {
    const edns = buffer === null ? null : { bytes: buffer }
    const told = ask(`many.${ZONE}`, 'A', { transport, edns })
    expect(told.bytes.length).toBeLessThanOrEqual(most)
    expect(told.tc).toBe(transport === 'udp')
    // What is cut is whole records, and as few as possible.
    if (told.tc) expect(told.bytes.length).toBeGreaterThan(most - 16)
    else expect(told.answers).toHaveLength(200)
  })
})

describe('anything at all', () => {
  it('gets a reply that can be read, a place with the forwarders, or silence', () => {
    const transports = fc.constantFrom<Transport>('udp', 'tcp')
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        transports,
        fc.nat(),
        (bytes, transport, rotation) => {
          const answer = answerQuery(Buffer.from(bytes), zone, transport, rotation)
          if (answer.kind === 'reply')
            expect(answer.bytes.readUInt16BE(0)).toBe(Buffer.from(bytes).readUInt16BE(0))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('a name outside is forwarded, a name inside never', () => {
    fc.assert(
      fc.property(names, (name) => {
        const outside = answerQuery(queryBytes(`${name}.com`, 'A'), zone, 'udp', 0)
        expect(outside.kind).toBe('forward')
        const inside = answerQuery(queryBytes(`${name}.${ZONE}`, 'A'), zone, 'udp', 0)
        expect(inside.kind).toBe('reply')
      }),
    )
  })
})
