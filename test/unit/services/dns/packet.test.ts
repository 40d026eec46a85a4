import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  HEADER_BYTES,
  keyOf,
  lowerKey,
  nameToWire,
  parentKey,
  RCODE,
  readName,
  readQuery,
  readRecord,
} from '../../../../src/services/dns/packet.ts'
import { names, queryBytes } from './arbitraries.ts'

describe('readQuery', () => {
  it('reads whatever an independent encoder writes', () => {
    fc.assert(
      fc.property(names, fc.nat(65_535), fc.boolean(), (name, id, withEdns) => {
        const read = readQuery(queryBytes(name, 'A', { id, edns: withEdns ? {} : null }))
        expect(read).toMatchObject({
          kind: 'query',
          query: { id, key: keyOf(name.toLowerCase()), type: 1, class: 1 },
        })
        if (read.kind === 'query') expect(read.query.edns === null).toBe(!withEdns)
      }),
    )
  })

  it('never throws, and never reads a query out of half of one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        readQuery(Buffer.from(bytes))
      }),
    )
    fc.assert(
      fc.property(names, fc.double({ min: 0, max: 0.999, noNaN: true }), (name, part) => {
        const bytes = queryBytes(name, 'A', { edns: {} })
        const read = readQuery(bytes.subarray(0, Math.floor(bytes.length * part)))
        expect(read.kind).not.toBe('query')
      }),
    )
  })

  it('never throws on a query with a few bytes changed', () => {
    const change = fc.tuple(fc.nat(300), fc.nat(255))
    fc.assert(
      fc.property(names, fc.array(change, { minLength: 1, maxLength: 5 }), (name, changes) => {
        const bytes = queryBytes(name, 'A', { edns: {} })
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        readQuery(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  const plain = () => queryBytes('a.example', 'A')
  const edit = (bytes: Buffer, at: number, value: number) => {
    bytes.writeUInt16BE(value, at)
    return bytes
  }
  it.each([
    ['11 bytes', plain().subarray(0, 11), { kind: 'drop', reason: 'short' }],
    ['a response', edit(plain(), 2, 0x8180), { kind: 'drop', reason: 'response' }],
    ['opcode NOTIFY', edit(plain(), 2, 0x2000), { kind: 'error', rcode: RCODE.NOTIMP }],
    ['no question', edit(plain(), 4, 0), { kind: 'error', rcode: RCODE.FORMERR }],
    ['two questions', edit(plain(), 4, 2), { kind: 'error', rcode: RCODE.FORMERR }],
    ['an answer announced', edit(plain(), 6, 1), { kind: 'error', rcode: RCODE.FORMERR }],
    [
      'bytes after the end',
      Buffer.concat([plain(), Buffer.of(0)]),
      { kind: 'error', rcode: RCODE.FORMERR },
    ],
    [
      'a pointer in the question',
      edit(plain(), HEADER_BYTES, 0xc00c),
      { kind: 'error', rcode: RCODE.FORMERR },
    ],
    ['a label of 64', edit(plain(), HEADER_BYTES, 0x4000), { kind: 'error', rcode: RCODE.FORMERR }],
    [
      'two OPT records',
      (() => {
        const once = queryBytes('a.example', 'A', { edns: {} })
        return edit(Buffer.concat([once, once.subarray(-11)]), 10, 2)
      })(),
      { kind: 'error', rcode: RCODE.FORMERR },
    ],
    [
      'a name of 256 bytes',
      Buffer.concat([
        plain().subarray(0, HEADER_BYTES),
        ...Array(128).fill(Buffer.of(1, 97)),
        Buffer.of(0, 0, 1, 0, 1),
      ]),
      { kind: 'error', rcode: RCODE.FORMERR },
    ],
  ])('refuses %s', (_what, bytes, expected) => {
    expect(readQuery(bytes)).toMatchObject(expected)
  })
})

describe('readName', () => {
  it('follows a pointer and ends where its own bytes do', () => {
    const wire = Buffer.concat([
      Buffer.alloc(HEADER_BYTES),
      nameToWire('example.com'),
      Buffer.from('\x03WWW\xc0\x0c', 'latin1'),
    ])
    const start = HEADER_BYTES + 13
    expect(readName(wire, start)).toEqual({ key: keyOf('www.example.com'), end: start + 6 })
  })

  it.each([
    ['points to itself', 'c00c'],
    ['points forward', 'c010' + '00000000'],
    ['points into the header', 'c000'],
    ['points in a circle', '01610161c00c'],
  ])('refuses a name that %s', (_what, hex) => {
    const wire = Buffer.concat([Buffer.alloc(HEADER_BYTES), Buffer.from(hex, 'hex')])
    expect(readName(wire, HEADER_BYTES)).toBeUndefined()
  })

  it.each([
    [127, keyOf('')],
    [128, undefined],
  ])('follows %i pointers in a row: to %j', (count, key) => {
    const chain = Buffer.alloc(HEADER_BYTES + 2 + count * 2)
    for (let at = HEADER_BYTES + 2; at < chain.length; at += 2)
      chain.writeUInt16BE(0xc000 | (at - 2), at)
    expect(readName(chain, chain.length - 2)?.key).toBe(key)
  })

  it('ends, without throwing, on any bytes and at any place', () => {
    // Many pointers, so that chains of them are common.
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0xc0, 12, 14, 16, 0, 1))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 300 }), fc.nat(320), (bytes, start) => {
        const name = readName(Buffer.from(bytes), start)
        if (name !== undefined) expect(name.key.length).toBeLessThanOrEqual(255)
        readRecord(Buffer.from(bytes), start)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('keys', () => {
  it('fold ASCII letters and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const folded = Buffer.from(lowerKey(Buffer.from(bytes).toString('latin1')), 'latin1')
        const expected = bytes.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))
        expect([...folded]).toEqual([...expected])
      }),
    )
  })

  it('lose one label at a time', () => {
    expect(parentKey(keyOf('a.b.c'))).toBe(keyOf('b.c'))
    expect(parentKey(keyOf('c'))).toBe('\0')
    expect(parentKey('\0')).toBeUndefined()
  })
})
