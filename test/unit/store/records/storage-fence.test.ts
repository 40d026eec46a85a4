/** What a storage is to refuse, as it is in the records. */
import { describe, expect, it } from 'vitest'
import { fenceText, parseStorageFence, type StorageFence } from '../../../../src/model/storage.ts'
import { reached, storageFence } from '../../../../src/store/records/columns.ts'

const isAddress = (text: string) => reached.storageAddress.safeParse(text).success
const fenceOf = (address: string, isEnding = false): StorageFence => ({
  ...{ storage: 'rbd-0123456789abcdef', address, id: 'a-b_c.1', isEnding },
})

describe.each(['10.0.0.9', '255.255.255.255', 'fd00::9', '::', '::ffff:10.0.0.9'])('%s', (text) => {
  it('is an address of a host, and is read again in what is to be refused', () => {
    expect(isAddress(text)).toBe(true)
    for (const fence of [fenceOf(text), fenceOf(text, true)]) {
      expect(parseStorageFence(fenceText(fence))).toEqual(fence)
      expect(storageFence.safeParse(fenceText(fence)).success).toBe(true)
    }
  })
})

it.each(['', 'FD00::9', 'fd00::9%eth0', '10.0.0', 'abc', '10.0.0.9#x', '10.0.0.9:0/0'])(
  'no host has the address %j',
  (text) => {
    expect(isAddress(text)).toBe(false)
  },
)

it.each([
  '',
  'rbd-0123456789abcdef@10.0.0.9',
  'rbd-0123456789abcdef@10.0.0.9#',
  'rbd-0123456789abcdef@10.0.0.9#a b',
  'rbd-0123456789abcdef@10.0.0.9 --force#a',
  'rbd-0123@10.0.0.9#a',
])('nothing is to be refused by %j', (text) => {
  expect(storageFence.safeParse(text).success).toBe(false)
})
