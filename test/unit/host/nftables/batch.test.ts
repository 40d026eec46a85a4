import { expect, it } from 'vitest'
import {
  addElements,
  batchOf,
  dropAll,
  emptyChain,
  emptySet,
  returnWhile,
  serialKey,
} from '../../../../src/host/nftables/batch.ts'
import { messagesIn } from '../../../../src/host/nftables/messages.ts'

it('frames changes as one transaction, whose answers have numbers', () => {
  const at = { family: 'inet', table: 't', set: 's' } as const
  const batch = batchOf(
    [
      addElements(at, [serialKey(7)], 4_000),
      emptySet(at),
      emptyChain('arp', 't', 'c'),
      returnWhile('inet', 't', 'c', { serial: 7, set: 's' }),
      dropAll('inet', 't', 'c', 'counted'),
    ],
    100,
  )
  const found = [...messagesIn(batch)].map(({ type, body }) => [type, body.readUInt32LE(8)])
  const nft = (message: number) => (10 << 8) | message
  expect(found).toEqual([
    [0x10, 0],
    [nft(12), 100],
    [nft(14), 101],
    [nft(8), 102],
    [nft(6), 103],
    [nft(6), 104],
    [0x11, 0],
  ])
  expect(batch.length % 4).toBe(0)
})
