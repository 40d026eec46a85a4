/** Which addresses are the world's, and what a setting adds to them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Inside,
  isFarName,
  objectionTo,
  parseReach,
} from '../../../src/images/outbound-policy.ts'
import { cidr, cidrContains, ipv4FromNumber } from '../../../src/model/addr.ts'

const nothing: Inside = { addresses: [], networks: [], near: [] }

function mayGo(
  address: string,
  reach: readonly string[] = [],
  inside = nothing,
  host = address,
  port = 443,
) {
  const entries = reach.map((text) => parseReach(text)).filter((one) => one !== undefined)
  return objectionTo({ host, address, port }, entries, inside) === null
}

describe('without a setting', () => {
  test.each([
    '1.1.1.1',
    '93.184.216.34',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00::1',
  ])('%s is the world', (address) => expect(mayGo(address)).toBe(true))

  test.each([
    ...[
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '169.254.169.254',
      '168.63.129.16',
      '172.16.0.1',
      '172.31.255.255',
    ],
    ...[
      '192.0.0.8',
      '192.0.2.1',
      '192.168.1.1',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.1',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
    ],
    ...[
      '::',
      '::1',
      '::7f00:1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::FFFF:10.0.0.1',
      '::ffff:a9fe:a9fe',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
    ],
    ...[
      '2002:7f00:1::',
      '2001:0:1::',
      '2001:db8::1',
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fec0::1',
      'ff02::1',
      '100::1',
      '3fff::1',
      '4000::1',
    ],
    ...['', 'localhost', '127.1', '1.1.1.1 ', '::1%lo', '[::1]'],
  ])('%s is not', (address) => expect(mayGo(address)).toBe(false))

  test('of IPv4 exactly what no registry keeps back, written as IPv6 or not', () => {
    const kept = [
      ...[
        '0.0.0.0/8',
        '10.0.0.0/8',
        '100.64.0.0/10',
        '127.0.0.0/8',
        '169.254.0.0/16',
        '172.16.0.0/12',
        '192.0.0.0/24',
        '192.0.2.0/24',
      ],
      ...[
        '192.88.99.0/24',
        '192.168.0.0/16',
        '198.18.0.0/15',
        '198.51.100.0/24',
        '203.0.113.0/24',
        '224.0.0.0/4',
        '240.0.0.0/4',
      ],
    ].map((text) => cidr(text))
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (value) => {
        const ip = ipv4FromNumber(value)
        const isWorld = !kept.some((net) => cidrContains(net, ip))
        const [high, low] = [value >>> 16, value & 0xffff].map((part) => part.toString(16))
        expect([mayGo(ip), mayGo(`::ffff:${ip}`), mayGo(`::ffff:${high}:${low}`)]).toEqual([
          isWorld,
          isWorld,
          isWorld,
        ])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('images.reach', () => {
  test('a network opens what is private in it, and nothing of loopback, link-local and the cloud', () => {
    const reach = ['10.0.0.0/8', '0.0.0.0/0', 'fd00::/8', '::/0']
    const addresses = ['10.0.0.7', '8.8.8.8', 'fd00::7']
    const inside = { addresses, networks: ['10.9.0.0/16'], near: ['10.0.0.1/8'] }
    for (const address of ['10.1.2.3', '192.168.0.1', 'fd00::1'])
      expect(mayGo(address, reach, inside)).toBe(true)
    for (const address of [
      '127.0.0.1',
      '169.254.169.254',
      '::1',
      '::ffff:127.0.0.1',
      'fe80::1',
      '0.0.0.0',
      '255.255.255.255',
    ])
      expect(mayGo(address, reach, inside), address).toBe(false)
    for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '8.8.8.8', 'fd00::7', '10.9.1.1'])
      expect(mayGo(address, reach, inside), address).toBe(false)
  })

  test('a network that the host is connected to is not the world, and is opened as a private one', () => {
    const inside = { ...nothing, near: ['8.8.8.1/24', 'fe80::1/64', '2001:4860::1/64'] }
    for (const address of ['8.8.8.8', '::ffff:8.8.8.8', '2001:4860::8888'])
      expect(mayGo(address, [], inside), address).toBe(false)
    expect(mayGo('8.8.9.8', [], inside)).toBe(true)
    expect(mayGo('8.8.8.8', ['8.8.8.0/24'], inside)).toBe(true)
  })

  test('an address that is named alone is reached, whatever it is, at its port', () => {
    const inside = { ...nothing, addresses: ['10.0.0.7'] }
    expect(mayGo('127.0.0.1', ['127.0.0.1'])).toBe(true)
    expect(mayGo('::ffff:127.0.0.1', ['127.0.0.1/32'])).toBe(true)
    expect(mayGo('10.0.0.7', ['10.0.0.7:8080'], inside, '10.0.0.7', 8080)).toBe(true)
    expect(mayGo('10.0.0.7', ['10.0.0.7:8080'], inside, '10.0.0.7', 8081)).toBe(false)
    expect(mayGo('::1', ['[::1]:443'])).toBe(true)
    expect(mayGo('127.0.0.2', ['127.0.0.1'])).toBe(false)
  })

  test('a name opens the private addresses that it leads to, for that name and port only', () => {
    const reach = ['Mirror.Example:8080']
    expect(mayGo('10.1.1.1', reach, nothing, 'mirror.example', 8080)).toBe(true)
    expect(mayGo('10.1.1.1', reach, nothing, 'mirror.example', 80)).toBe(false)
    expect(mayGo('10.1.1.1', reach, nothing, 'other.example', 8080)).toBe(false)
    expect(mayGo('127.0.0.1', reach, nothing, 'mirror.example', 8080)).toBe(false)
  })

  test.each([
    '',
    '/',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/129',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0.999',
    '*',
    'a b',
    'http://x',
    '[mirror]:1',
    'x:y',
  ])('%j is refused', (text) => expect(parseReach(text)).toBeUndefined())

  test('whatever is written there, it is read or refused', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseReach(text)))
    fc.assert(fc.property(fc.string(), (text) => void mayGo(text, ['0.0.0.0/0'])))
  })
})

test.each([
  ['mirror.example', true],
  ['a.b.example.org', true],
  ['localhost', false],
  ['db', false],
  ['x.localhost', false],
  ['printer.local', false],
  ['i-1.atoll.internal', false],
  ['127.0.0.1', false],
  ['::1', false],
  ['bad name.example', false],
])('a proxy may resolve %s: %s', (host, far) => expect(isFarName(host)).toBe(far))
