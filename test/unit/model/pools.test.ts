/** Ranges and pools of floating IPs. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  cidrAddress,
  cidrContains,
  cidrSize,
  ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
} from '../../../src/model/addr.ts'
import {
  formatRange,
  freeOfPool,
  networksOfRange,
  parseRange,
  poolSize,
  poolWith,
  rangeContains,
  rangeSize,
} from '../../../src/model/pools.ts'

const ranges = fc.tuple(fc.nat(0xffff_ffff), fc.nat(300)).map(([first, more]) => ({
  first: ipv4FromNumber(first),
  last: ipv4FromNumber(Math.min(first + more, 0xffff_ffff)),
}))

it.each([
  ['203.0.113.9', '203.0.113.9', '203.0.113.9'],
  ['203.0.113.9-203.0.113.11', '203.0.113.9', '203.0.113.11'],
  ['203.0.113.9 - 203.0.113.11', '203.0.113.9', '203.0.113.11'],
  ['203.0.113.8/29', '203.0.113.9', '203.0.113.14'],
  ['203.0.113.8/31', '203.0.113.8', '203.0.113.9'],
  ['203.0.113.8/32', '203.0.113.8', '203.0.113.8'],
  ['0.0.0.0/0', '0.0.0.1', '255.255.255.254'],
])('%s is from %s to %s', (text, first, last) => {
  expect(parseRange(text)).toEqual({ first, last })
})

it.each([
  '',
  '-',
  '203.0.113.9-',
  '203.0.113.9-203.0.113.8',
  '203.0.113.9/29',
  '203.0.113.8/33',
  '203.0.113.256',
  '203.0.113.1-203.0.113.8/29',
])('%j is no range', (text) => {
  expect(parseRange(text)).toBeUndefined()
})

it('is read as it is written', () => {
  fc.assert(
    fc.property(ranges, (range) => {
      expect(parseRange(formatRange(range))).toEqual(range)
    }),
  )
})

it('is a few networks with the same addresses', () => {
  fc.assert(
    fc.property(ranges, (range) => {
      const nets = networksOfRange(range)
      expect(nets.reduce((sum, net) => sum + cidrSize(net), 0)).toBe(rangeSize(range))
      for (const net of nets) {
        expect(ipv4ToNumber(net.network) % cidrSize(net)).toBe(0)
        expect(rangeContains(range, net.network)).toBe(true)
        expect(rangeContains(range, cidrAddress(net, cidrSize(net) - 1))).toBe(true)
      }
      expect(nets.some((net) => cidrContains(net, range.last))).toBe(true)
      expect(nets.length).toBeLessThanOrEqual(64)
    }),
  )
})

it('hands out each free address once, wherever it begins', () => {
  const pool = {
    name: 'public',
    zones: null,
    ranges: [
      { first: ipv4('203.0.113.9'), last: ipv4('203.0.113.11') },
      { first: ipv4('198.51.100.7'), last: ipv4('198.51.100.7') },
    ],
  }
  const all = ['203.0.113.9', '203.0.113.10', '203.0.113.11', '198.51.100.7']
  const taken = new Set([ipv4('203.0.113.10')])
  for (const from of [0, 1, 3, 4_294_967_295])
    expect([...freeOfPool(pool, taken, from)].toSorted()).toEqual(
      all.filter((ip) => ip !== '203.0.113.10').toSorted(),
    )
  expect([...freeOfPool(pool, new Set(), 3)][0]).toBe('198.51.100.7')
  expect(poolSize(pool)).toBe(4)
  expect(poolWith([pool], ipv4('198.51.100.7'))).toBe(pool)
  expect(poolWith([pool], ipv4('198.51.100.8'))).toBeUndefined()
})
