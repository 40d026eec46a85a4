import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  broadcastAddress,
  cidr,
  cidrAddress,
  cidrContains,
  cidrOverlaps,
  cidrSize,
  formatCidr,
  gatewayOf,
  ipv4,
  ipv4FromBytes,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  macFromRandom,
  netmask,
  parseCidr,
  parseIpv4,
  parseMac,
} from '../../../src/model/addr.ts'

const anyValue = fc.integer({ min: 0, max: 0xffff_ffff })
const anyCidr = fc.tuple(anyValue, fc.integer({ min: 0, max: 32 })).map(([value, prefix]) => {
  const size = 2 ** (32 - prefix)
  return { network: ipv4FromNumber(Math.floor(value / size) * size), prefix }
})

describe('addresses', () => {
  it('go to numbers, bytes and text and back', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const ip = ipv4FromNumber(value)
        expect(ipv4ToNumber(ip)).toBe(value)
        expect(ipv4FromBytes(ipv4ToBytes(ip))).toBe(ip)
        expect(parseIpv4(ip)).toBe(ip)
      }),
    )
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.-4',
    '0x1.2.3.4',
    '1..2.3',
  ])('refuses %j', (text) => expect(parseIpv4(text)).toBeUndefined())
})

describe('networks', () => {
  it('contain exactly their own addresses', () => {
    fc.assert(
      fc.property(anyCidr, anyValue, (net, value) => {
        const first = ipv4ToNumber(net.network)
        const inside = value >= first && value < first + cidrSize(net)
        expect(cidrContains(net, ipv4FromNumber(value))).toBe(inside)
        expect(parseCidr(formatCidr(net))).toEqual(net)
      }),
    )
  })

  it('overlap exactly when one contains the other', () => {
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        expect(cidrOverlaps(a, b)).toBe(cidrOverlaps(b, a))
        if (cidrContains(a, broadcastAddress(b))) expect(cidrOverlaps(a, b)).toBe(true)
      }),
    )
  })

  it('know their gateway, netmask and edges', () => {
    const net = cidr('172.31.16.0/20')
    expect([gatewayOf(net), netmask(20), broadcastAddress(net), cidrAddress(net, 4)]).toEqual([
      '172.31.16.1',
      '255.255.240.0',
      '172.31.31.255',
      '172.31.16.4',
    ])
    expect(() => cidrAddress(net, 4096)).toThrow(RangeError)
  })

  it.each(['10.0.0.1/24', '10.0.0.0/33', '10.0.0.0', '10.0.0.0/08', '10.0.0.0/8/8', '/8'])(
    'refuses %j',
    (text) => expect(parseCidr(text)).toBeUndefined(),
  )
})

describe('Ethernet addresses', () => {
  it('made at random are local and unicast', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), (random) => {
        const mac = macFromRandom(random)
        expect(parseMac(mac)).toBe(mac)
        expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2)
      }),
    )
  })

  it.each(['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '02:00:00:00:00', '02:00:00:00:00:0g'])(
    'refuses %s',
    (text) => expect(parseMac(text)).toBeUndefined(),
  )

  it('are lower case whatever they were', () =>
    expect(parseMac('02-AB-cd-00-00-01')).toBe('02:ab:cd:00:00:01'))
})

it('ipv4 is for literals only', () => expect(() => ipv4('nonsense')).toThrow(RangeError))
