/** What `atoll hosts` says of hosts whose storage refuses by address. */
import { expect, it } from 'vitest'
import { storageLines } from '../../src/cli-storage.ts'
import { hostName } from '../kit/records.ts'

const POOL = 'rbd-0123456789abcdef'
const at = { name: hostName('h1'), storage: POOL, storageAddress: '10.0.0.9' }
const storageFence = { storage: POOL, address: '10.0.0.9', id: 'takeover', isEnding: false }

it.each([
  ['a host of which all is known', at],
  ['a host that reaches none', { ...at, storage: null, storageAddress: null }],
  ['a directory, which locks', { ...at, storage: 'st-0123456789abcdef', storageAddress: null }],
  ['a daemon of an older version', { name: at.name }],
])('is nothing of %s', (_what, host) => {
  expect(storageLines(host)).toEqual([])
})

it('is that its address is not known', () => {
  const [line, ...others] = storageLines({ ...at, storageAddress: null, storageFence: null })
  expect(line).toMatch(/^h1: .*does not know from which address/)
  expect(others).toEqual([])
})

it('is what the storage has to refuse', () => {
  const [line, ...others] = storageLines({ ...at, storageFence })
  expect(line).toMatch(/^h1: .*10\.0\.0\.9/)
  expect(others).toEqual([])
})
