import { expect, it } from 'vitest'
import { configSchema, instanceMtuBytes } from '../../src/config.ts'

const vxlan = { mode: 'vxlan', address: '10.0.0.1' }

it.each([
  [{}, 1500],
  [{ fabric: vxlan }, 1450],
  [{ fabric: vxlan, network: { mtu: 8950 } }, 8950],
  [{ network: { mtu: 1400 } }, 1400],
])('instances of %j have an MTU of %d', (settings, mtu) => {
  expect(instanceMtuBytes(configSchema.parse(settings))).toBe(mtu)
})

it('refuses VXLAN without an address of this host', () => {
  const { error } = configSchema.safeParse({ fabric: { mode: 'vxlan' } })
  expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['fabric.address', 'is needed with mode vxlan'],
  ])
})
