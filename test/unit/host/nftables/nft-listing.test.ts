/** The fingerprint of a table: it ignores counters and handles, and nothing else. */
import { expect, test } from 'vitest'
import { tableFingerprint } from '../../../../src/host/nftables/nft-listing.ts'

interface Table {
  readonly handle: number
  readonly packets: number
  readonly elements: readonly unknown[]
  readonly verdict: string
}

const USUAL: Table = {
  handle: 3,
  packets: 7,
  elements: ['10.0.0.1', '10.0.0.2'],
  verdict: 'accept',
}

function listing(changes: Partial<Table> = {}): string {
  const { handle, packets, elements, verdict } = { ...USUAL, ...changes }
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6' } },
      { table: { family: 'inet', name: 'atoll', handle } },
      { counter: { name: 'dropped', handle, packets, bytes: packets * 60 } },
      { set: { name: 'services', handle, elem: elements } },
      {
        set: { name: 'nics', elem: ['at-h1', 'at-h2'].map((val, at) => counted(val, packets, at)) },
      },
      { rule: { chain: 'input', handle, expr: [{ [verdict]: null }] } },
    ],
  })
}

/** The second element comes first when it has counted more. */
function counted(val: string, packets: number, at: number) {
  return { elem: { counter: { packets: packets * at, bytes: 1 }, val } }
}

test.each<[string, Partial<Table>]>([
  ['handles', { handle: 99 }],
  ['counters', { packets: 12_345 }],
  ['the order of elements', { elements: ['10.0.0.2', '10.0.0.1'] }],
])('is blind to %s', (_what, changes) => {
  expect(tableFingerprint(listing(changes))).toBe(tableFingerprint(listing()))
})

test.each<[string, Partial<Table>]>([
  ['a missing element', { elements: ['10.0.0.1'] }],
  ['another element', { elements: ['10.0.0.1', '10.0.0.3'] }],
  ['another verdict', { verdict: 'drop' }],
])('sees %s', (_what, changes) => {
  expect(tableFingerprint(listing(changes))).not.toBe(tableFingerprint(listing()))
})

test('what packets put into a set is no change; its size is', () => {
  const filled = (size: number, elem: readonly string[]) =>
    tableFingerprint(JSON.stringify({ nftables: [{ set: { name: 'dns', size, elem } }] }))
  expect(filled(10, ['at-h1', 'at-h2'])).toBe(filled(10, []))
  expect(filled(20, [])).not.toBe(filled(10, []))
})
