/** What is ready for machines that move to a host while they run. */
import { expect, test } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import { nicLinkName } from '../../../src/model/names.ts'
import type { HostWant, InstanceWant } from '../../../src/model/want.ts'
import { budgetTables } from '../../../src/plan/budgets.ts'
import { permissionsOf } from '../../../src/plan/permits.ts'
import { planRuleset } from '../../../src/plan/ruleset.ts'
import { arrivingPlugs, withStandby } from '../../../src/plan/standby.ts'
import { hostWant, instance, LONE_FIREWALL } from '../../../tools/kit/instance.ts'

const here = instance(1)
const PUBLIC = ipv4('203.0.113.9')
const coming = changed(instance(2), {
  publicIp: PUBLIC,
  secondary: [{ ip: ipv4('172.31.0.77'), publicIp: ipv4('203.0.113.10') }],
})
const ROUTING = {
  addresses: [],
  defaultRoutes: [],
  connected: [],
  engineBridges: [],
  forwardedBefore: true,
}
const LIMITS = { connectionTableSize: 65_536, instanceMemoryMiB: 2048, rates: [] }

function changed(one: InstanceWant, to: Partial<InstanceWant['nics'][number]>): InstanceWant {
  return { ...one, nics: one.nics.map((nic) => ({ ...nic, ...to })) }
}

function wantWith(arriving: readonly InstanceWant[]): HostWant {
  const want = hostWant(here)
  return arriving.length === 0 ? want : { ...want, local: { ...want.local, arriving } }
}

const rulesOf = (want: HostWant) => JSON.stringify(planRuleset(want, LONE_FIREWALL, ROUTING).tables)
const [nic] = coming.nics
if (nic === undefined) throw new Error('an instance has a NIC')

test('the rules of its NICs are in force, but for its floating IPs', () => {
  const rules = rulesOf(wantWith([coming]))
  for (const part of [nic.ip, nic.mac, '172.31.0.77']) expect(rules).toContain(part)
  for (const part of [PUBLIC, '203.0.113.10']) expect(rules).not.toContain(part)
  expect(rules).toContain('jump leave_standby')
  expect(JSON.stringify(budgetTables(wantWith([coming]), LIMITS))).toContain(nicLinkName(nic.id))
  const { nics, floats } = permissionsOf(wantWith([coming]))
  expect([...nics.keys()]).toEqual(expect.arrayContaining([nic.ip, '172.31.0.77']))
  expect(floats.has(PUBLIC)).toBe(false)
})

test('nothing is changed for a host to which none moves', () => {
  const want = wantWith([])
  expect(withStandby(want)).toBe(want)
  expect(rulesOf(want)).not.toContain('standby')
})

test('a NIC that forwards for others waits for the pass', () => {
  const router = changed(coming, { sourceDestCheck: false })
  expect(rulesOf(wantWith([router]))).toBe(rulesOf(wantWith([])))
  expect(permissionsOf(wantWith([router])).nics.has(nic.ip)).toBe(false)
})

test('names the NICs to which no route leads yet', () => {
  expect([...arrivingPlugs(wantWith([coming]))]).toEqual([nic.attachment ?? nic.id])
  expect([...arrivingPlugs(wantWith([]))]).toEqual([])
})
