import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalIpv6Cidr } from '../../../src/model/addr6.ts'
import { formatPeer, isPortRange, parsePeer } from '../../../src/model/group-rule.ts'

test.each([
  ['::/0', '::/0'],
  ['2001:DB8::1/32', '2001:db8::/32'],
  ['2001:db8:0:0:1:0:0:1/128', '2001:db8::1:0:0:1/128'],
  ['1:0:0:2:0:0:0:3/127', '1:0:0:2::2/127'],
  ['fe80::/10', 'fe80::/10'],
  ['1:2:3:4:5:6:7:8/64', '1:2:3:4::/64'],
  ['0:1:1:1:1:1:1:1/128', '0:1:1:1:1:1:1:1/128'],
])('the network %s is %s', (text, canonical) => {
  expect(canonicalIpv6Cidr(text)).toBe(canonical)
  expect(canonicalIpv6Cidr(canonical)).toBe(canonical)
})

test.each([
  '::',
  '::/129',
  '::/-1',
  ':::/0',
  '1::2::3/64',
  '1:2:3:4:5:6:7/64',
  '1:2:3:4:5:6:7:8:9/64',
  '1:2:3:4:5:6:7:8::/64',
  '12345::/16',
  'g::/16',
  '::ffff:1.2.3.4/96',
  '::/0/0',
  '/0',
  '10.0.0.0/8',
])('%s is no IPv6 network', (text) => {
  expect(canonicalIpv6Cidr(text)).toBeUndefined()
})

test('any address is read as the URL parser reads it', () => {
  fc.assert(
    fc.property(
      fc.ipV6().filter((text) => !text.includes('.')),
      (text) => {
        const { hostname } = new URL(`http://[${text}]/`)
        expect(canonicalIpv6Cidr(`${text}/128`)).toBe(`${hostname.slice(1, -1)}/128`)
      },
    ),
  )
})

test.each([
  '10.0.0.0/8',
  '0.0.0.0/0',
  '2001:db8::/32',
  'sg-00000000000000070',
  'pl-00000000000000070',
])('the peer %s is written as it is read', (text) => {
  const peer = parsePeer(text)
  expect(peer && formatPeer(peer)).toBe(text)
})

test.each(['10.0.0.1/8', '10.0.0.0', 'i-00000000000000070', '2001:DB8::/32', ''])(
  '%s is no peer',
  (text) => expect(parsePeer(text)).toBeUndefined(),
)

test.each([
  [6, 22, 80, true],
  [6, 0, 65_535, true],
  [6, 80, 22, false],
  [17, -1, -1, false],
  [6, 0, 65_536, false],
  [1, -1, -1, true],
  [1, 8, -1, true],
  [1, 8, 0, true],
  [1, -1, 0, false],
  [1, 256, 0, false],
  [-1, -1, -1, true],
  [-1, 0, 0, false],
  [47, -1, -1, true],
  [47, 1, 1, false],
])('protocol %i with %i to %i: %s', (protocol, fromPort, toPort, isGood) => {
  expect(isPortRange({ protocol, fromPort, toPort })).toBe(isGood)
})
