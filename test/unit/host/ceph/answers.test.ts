/** What programs of Ceph answer, and what somebody else might answer in their place. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  parseInfo,
  parseLockAddress,
  parseLockers,
  parseWatchers,
} from '../../../../src/host/ceph/answers.ts'

const info = (more: object) => JSON.stringify({ name: 'atoll-vol-1', size: 1024, ...more })

it('takes the size and the parent of an image', () => {
  expect(parseInfo(info({}), 'p')).toEqual({ sizeBytes: 1024, parent: null })
  const parent = { pool: 'p', pool_namespace: '', image: 'base', snapshot: 'base' }
  expect(parseInfo(info({ parent }), 'p')).toEqual({ sizeBytes: 1024, parent: 'base' })
})

it.each([
  ['nothing', ''],
  ['no JSON', 'rbd: error'],
  ['no object', '[]'],
  ['no size', '{}'],
  ['a size that is text', info({ size: '1024' })],
  ['a negative size', info({ size: -1 })],
  ['a size beyond all disks', info({ size: 2 ** 60 })],
  ['a parent elsewhere', info({ parent: { pool: 'other', image: 'base' } })],
  ['a parent without a name', info({ parent: { pool: 'p' } })],
  ['a parent with an endless name', info({ parent: { pool: 'p', image: 'x'.repeat(1000) } })],
])('refuses %s', (_what, text) => {
  expect(parseInfo(text, 'p')).toBeUndefined()
})

const lock = (addr: unknown, cookie: unknown = 'me') =>
  JSON.stringify({ name: 'a', type: 'shared', lockers: [{ name: 'client.1', cookie, addr }] })

it.each([
  ['10.0.0.1:0/123', '10.0.0.1'],
  ['v1:10.0.0.1:0/123', '10.0.0.1'],
  ['[fd00::1]:0/4294967295', 'fd00::1'],
])('takes the address of %s', (text, address) => {
  expect(parseLockAddress(lock(text), 'me')).toBe(address)
  expect(parseLockAddress(lock(text, 'another'), 'me')).toBeUndefined()
})

it.each([
  '',
  '10.0.0.1',
  '10.0.0:0/1',
  '10.0.0.256:0/1',
  '-:/0',
  '[::g]:0/1',
  '10.0.0.1:0/1 --yes',
  'a\n10.0.0.1:0/1',
  7,
  null,
])('takes no address of %j', (text) => {
  expect(parseLockAddress(lock(text), 'me')).toBeUndefined()
})

it('takes the users of an image, or none of them', () => {
  const watchers = [{ address: '[fd00::1]:0/1' }, { address: 'v1:10.0.0.1:0/2' }]
  const clients = [
    { address: 'fd00::1', client: '[fd00::1]:0/1' },
    { address: '10.0.0.1', client: '10.0.0.1:0/2' },
  ]
  expect(parseWatchers(JSON.stringify({ watchers }))).toEqual(clients)
  expect(parseLockers(JSON.stringify(watchers))).toEqual(clients)
  const more = [...watchers, { address: '-' }]
  expect(parseWatchers(JSON.stringify({ watchers: more }))).toBeUndefined()
  expect(parseLockers(JSON.stringify(more))).toBeUndefined()
  const many = Array.from({ length: 101 }, () => watchers[0])
  expect(parseLockers(JSON.stringify(many))).toBeUndefined()
})

it('throws at nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      parseInfo(text, 'p')
      parseLockAddress(text, 'me')
      parseWatchers(text)
      parseLockers(text)
    }),
  )
})
