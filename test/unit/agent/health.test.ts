import { expect, it } from 'vitest'
import { failingServices } from '../../../src/agent/failing-services.ts'
import { agentHealth, clockHealth, servesClients } from '../../../src/agent/health.ts'

it.each([
  [3_600_000, /3600 s ahead of/],
  [-61_000, /61 s behind/],
])('a clock that is %d ms ahead is told of', (aheadMs, said) => {
  expect(clockHealth(aheadMs)).toMatchObject([{ name: 'clock', ok: false }])
  expect(clockHealth(aheadMs)[0]?.value).toMatch(said)
})

it.each([null, 0, 59_000, -59_000])('one that is %s ms ahead is healthy', (aheadMs) => {
  expect(clockHealth(aheadMs)).toMatchObject([{ name: 'clock', ok: true }])
})

it.each(['bus', 'clock', 'network', 'services', 'lease', 'agent-passes'])(
  'clients are served while %s is unhealthy',
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

it('a service that waits for something that hangs is unhealthy, though it was applied', () => {
  const services = [
    { name: 'machines', hanging: () => ['qemu-img does not finish'] },
    { name: 'containers', hanging: () => [] },
    { name: 'dns' },
  ]
  expect(failingServices(new Map([['machines', 'no QEMU']]), services)).toEqual({
    machines: 'no QEMU; qemu-img does not finish',
  })
  expect(failingServices(new Map(), services)).toEqual({
    machines: 'qemu-img does not finish',
  })
})

it('records that are away are told of with what does not answer', () => {
  const status = {
    passes: 1,
    lastPassAt: null,
    source: 'ledger' as const,
    generation: 1,
    failing: {},
    clockAheadMs: null,
    recordsTrouble: '10.0.0.1:3306 does not answer',
  }
  expect(agentHealth(status, 0, 1000)).toContainEqual({
    name: 'records',
    ok: false,
    value: 'unavailable; using the ledger: 10.0.0.1:3306 does not answer',
  })
})
