import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Packet } from '../../../../src/services/dhcp/packet.ts'
import { formatPacket, OPTION, parsePacket } from '../../../../src/services/dhcp/packet.ts'
import { anyOptions, anyPacket, bytesOf, request } from './arbitrary.ts'

function parsed(bytes: Uint8Array): Packet {
  const result = parsePacket(bytes)
  if (result.kind !== 'packet') throw new Error(result.reason)
  return result.packet
}

/** The reason why these bytes are no packet. */
function reason(bytes: Uint8Array): string | undefined {
  const result = parsePacket(bytes)
  return result.kind === 'malformed' ? result.reason : undefined
}

/** A discover whose option bytes, `file` and `sname` are exactly these. */
function raw(
  options: readonly number[],
  file: readonly number[] = [],
  sname: readonly number[] = [],
) {
  const bytes = new Uint8Array(240 + options.length)
  bytes.set(bytesOf(request('discover')).subarray(0, 240))
  bytes.set(options, 240)
  bytes.set(file, 108)
  bytes.set(sname, 44)
  return bytes
}

describe('format, then parse', () => {
  test('gives the packet back when everything fits', () => {
    fc.assert(
      fc.property(anyPacket(anyOptions(20)), (packet) => {
        expect(parsed(formatPacket(packet, 1500))).toEqual(packet)
      }),
    )
  })

  test('joins values over 255 bytes again (RFC 3396)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 256, maxLength: 1200 }), (value) => {
        const packet = request('discover', {}, [[121, value]])
        expect(parsed(bytesOf(packet)).options.get(121)).toEqual(value)
      }),
    )
  })

  test('keeps to the size, whatever the options, and says nothing that was not asked for', () => {
    fc.assert(
      fc.property(
        anyPacket(anyOptions(300)),
        fc.integer({ min: 300, max: 1500 }),
        (packet, maxBytes) => {
          const bytes = formatPacket(packet, maxBytes)
          expect(bytes.length).toBeGreaterThanOrEqual(300)
          expect(bytes.length).toBeLessThanOrEqual(maxBytes)
          const kept = parsed(bytes).options
          for (const [code, value] of kept) expect(value).toEqual(packet.options.get(code))
        },
      ),
    )
  })

  test('uses file and sname when the options field is full (RFC 2131 section 4.1)', () => {
    const values = [200, 201, 202, 203].map(
      (code) => [code, new Uint8Array(50).fill(code)] as const,
    )
    const packet = request('discover', {}, values)
    const bytes = formatPacket(packet, 300)
    expect(bytes.length).toBe(300)
    // One in options, two in file, one in sname.
    expect(bytes[108]).toBe(201)
    expect(bytes[44]).toBe(203)
    expect(new Map(parsed(bytes).options)).toEqual(packet.options)
  })

  test('says nothing of what its memory had before', () => {
    const clean = bytesOf(request('discover'))
    vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((bytes) => Buffer.alloc(bytes, 0xa5))
    expect(bytesOf(request('discover'))).toEqual(clean)
  })
})
afterEach(() => vi.restoreAllMocks())

test('each field that is used ends with the end option', () => {
  // 126 bytes of value fill the 128 of file, and leave no room for the end.
  const values = [62, 126, 125].map(
    (length, index) => [200 + index, new Uint8Array(length)] as const,
  )
  const bytes = formatPacket(request('discover', {}, values), 300)
  expect(bytes[108]).toBe(202)
  expect(bytes[108 + 127]).toBe(OPTION.end)
  expect(parsed(bytes).options.has(201)).toBe(false)
})

describe('parse', () => {
  test('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1600 }), (bytes) => void parsePacket(bytes)))
  })

  test('never throws on a packet with some bytes changed or cut off', () => {
    const change = fc.tuple(fc.nat(600), fc.nat(255))
    fc.assert(
      fc.property(
        anyPacket(anyOptions(40)),
        fc.array(change, { maxLength: 8 }),
        fc.nat(1500),
        (packet, changes, length) => {
          const bytes = formatPacket(packet, 1500).slice()
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          parsePacket(bytes)
          parsePacket(bytes.subarray(0, length))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('reads options, then file, then sname, and joins their parts in that order', () => {
    const bytes = raw([52, 1, 3, 61, 1, 1, 255], [61, 1, 2, 255], [61, 1, 3, 255])
    expect(parsed(bytes).options.get(61)).toEqual(Uint8Array.of(1, 2, 3))
  })

  test.each([
    [1, Uint8Array.of(1, 2)],
    [2, Uint8Array.of(1, 3)],
  ])('reads only the fields that overload %i names', (overload, value) => {
    const bytes = raw([52, 1, overload, 61, 1, 1, 255], [61, 1, 2, 255], [61, 1, 3, 255])
    expect(parsed(bytes).options.get(61)).toEqual(value)
  })

  test('skips padding and takes a field without the end option', () => {
    expect(parsed(raw([0, 0, 53, 1, 1])).options.get(OPTION.messageType)).toEqual(Uint8Array.of(1))
  })

  test('reads nothing after the end option', () => {
    expect(parsed(raw([53, 1, 1, 255, 61, 9])).options.has(61)).toBe(false)
  })

  test.each([
    ['too-short', new Uint8Array(239)],
    ['too-long', new Uint8Array(1501)],
    ['bad-op', new Uint8Array(300)],
    ['bad-hardware-length', bytesOf(request('discover')).with(2, 17)],
    ['no-cookie', bytesOf(request('discover')).with(236, 0)],
    ['option-overrun', raw([53])],
    ['option-overrun', raw([53, 2, 1])],
    ['option-overrun', raw([52, 1, 1], [61, 200])],
    ['bad-overload', raw([52, 1, 0, 255])],
    ['bad-overload', raw([52, 1, 4, 255])],
    ['bad-overload', raw([52, 2, 1, 1, 255])],
  ])('names what is wrong: %s', (expected, bytes) => {
    expect(reason(bytes)).toBe(expected)
  })
})
