import { expect, it } from 'vitest'
import { clockHealth, servesClients } from '../../../src/agent/health.ts'

it.each([
  [3_600_000, /3600 s ahead of/],
  [-61_000, /61 s behind/],
])('a clock that is %d ms ahead is told of', (aheadMs, said) => {
  expect(clockHealth(aheadMs)).toMatchObject([{ name: 'clock', ok: false }])
  expect(clockHealth(aheadMs)[0]?.value).toMatch(said)
})

it.each([null, 0, 59_000, -59_000])('one that is %s ms ahead is well', (aheadMs) => {
  expect(clockHealth(aheadMs)).toMatchObject([{ name: 'clock', ok: true }])
})

it.each(['bus', 'clock', 'network', 'services', 'lease', 'agent-passes'])(
  'clients are served while %s is not well',
  (name) => {
    expect(
      servesClients([
        { name: 'records', ok: true, value: '' },
        { name, ok: false, value: '' },
      ]),
    ).toBe(true)
  },
)

it('clients are not served without the records', () => {
  expect(servesClients([{ name: 'records', ok: false, value: 'away' }])).toBe(false)
})
