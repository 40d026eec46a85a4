import { expect, test } from 'vitest'
import { cidr } from '../../../src/model/addr.ts'
import { networks } from '../../../src/plan/networks.ts'

const some = networks(
  'some',
  ['10.0.0.0/8', '192.0.2.1/32', '192.0.2.0/24', '198.51.100.0/24', '192.0.2.9/32'].map(cidr),
)

test('there is a match for each length, the longest first', () => {
  expect(some.match('ip daddr')).toEqual([
    'ip daddr @some_32',
    'ip daddr & 255.255.255.0 @some_24',
    'ip daddr 10.0.0.0/8',
  ])
})

test('a length with several networks has a set of what they begin with', () => {
  expect(some.sets).toMatchObject([
    { name: 'some_32', items: ['192.0.2.1', '192.0.2.9'] },
    { name: 'some_24', items: ['192.0.2.0', '198.51.100.0'] },
  ])
})

test('the same network counts once, in whatever order', () => {
  const twice = ['10.1.0.0/16', '10.0.0.0/16', '10.1.0.0/16'].map(cidr)
  expect(networks('a', twice)).toMatchObject({ sets: networks('a', twice.toReversed()).sets })
  expect(networks('a', twice).sets).toMatchObject([{ items: ['10.0.0.0', '10.1.0.0'] }])
})

test('no network has no match', () => {
  expect(networks('none', [])).toMatchObject({ sets: [] })
  expect(networks('none', []).match('ip saddr')).toEqual([])
})

test('the whole world is a network', () => {
  expect(networks('all', [cidr('0.0.0.0/0')]).match('ip saddr')).toEqual(['ip saddr 0.0.0.0/0'])
})
