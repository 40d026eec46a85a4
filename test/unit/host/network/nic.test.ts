/** Which differences between a wanted NIC and the kernel's are seen. */
import { expect, test } from 'vitest'
import type { NicState } from '../../../../src/host/host.ts'
import { nicDifferences, nicSpec } from '../../../../src/host/network/nic.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { instance } from '../../../../tools/kit/instance.ts'

const [nic] = instance(7).nics
if (nic === undefined) throw new Error('an instance has a NIC')
const spec = nicSpec(nic, 1450, 'veth')
const OTHER = ipv4('172.31.9.9')

const AS_WANTED: NicState = {
  hostLink: spec.hostLink,
  index: 9,
  mtu: 1450,
  up: true,
  carrier: true,
  guestAtHome: false,
  routes: [{ ip: spec.ip, gateway: spec.gateway }],
  neighbours: [{ ip: spec.ip, mac: spec.mac }],
  locked: true,
  wrongSettings: [],
}

test('nothing, when all is right', () => {
  expect(nicDifferences(spec, AS_WANTED)).toEqual([])
  expect(nicDifferences(spec, { ...AS_WANTED, guestAtHome: true })).toEqual([])
})

test('everything, when there is no link', () => {
  expect(nicDifferences(spec, undefined)).toEqual(['link'])
})

test.each<[string, Partial<NicState>]>([
  ['mtu', { mtu: 1500 }],
  ['up', { up: false }],
  ['lock', { locked: false }],
  ['settings', { wrongSettings: ['proxy_arp'] }],
  ['neighbour', { neighbours: [] }],
  ['neighbour', { neighbours: [{ ip: spec.ip, mac: '02:00:00:00:00:99' }] }],
  ['neighbour', { neighbours: [{ ip: OTHER, mac: spec.mac }] }],
  ['neighbour', { neighbours: [...AS_WANTED.neighbours, { ip: OTHER, mac: spec.mac }] }],
  ['route', { routes: [] }],
  ['route', { routes: [{ ip: spec.ip, gateway: null }] }],
  ['route', { routes: [{ ip: OTHER, gateway: spec.gateway }] }],
  ['route', { routes: [...AS_WANTED.routes, { ip: OTHER, gateway: spec.gateway }] }],
])('%s: %o', (difference, changes) => {
  expect(nicDifferences(spec, { ...AS_WANTED, ...changes })).toEqual([difference])
})

test('a route, while its guest runs on another host yet', () => {
  const arriving = { ...spec, isArriving: true as const }
  expect(nicDifferences(arriving, AS_WANTED)).toEqual(['route'])
  expect(nicDifferences(arriving, { ...AS_WANTED, routes: [] })).toEqual([])
})
