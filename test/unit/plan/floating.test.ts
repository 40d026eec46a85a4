/** Which floating IPs a host serves, and which connections belong to a binding that has ended. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { transitOf } from '../../../src/model/transit.ts'
import { isOfOldBinding, servedFloatingIps, wantedFloatingIps } from '../../../src/plan/floating.ts'
import { NO_HOST_ROUTING } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const FLOAT = ipv4('203.0.113.9')
const PRIVATE = ipv4('172.31.0.11')
const NEIGHBOUR = ipv4('172.31.0.12')
const OUTSIDE = ipv4('198.51.100.2')

function want(publicIp: typeof FLOAT) {
  const instance = testInstance(11, [1])
  return testWant({ ...instance, nics: instance.nics.map((nic) => ({ ...nic, publicIp })) })
}

it('serves what leads to its NICs', () => {
  expect([...servedFloatingIps(want(FLOAT), NO_HOST_ROUTING).own]).toEqual([[FLOAT, PRIVATE]])
  expect([...servedFloatingIps(testWant(testInstance(11, [1])), NO_HOST_ROUTING).own]).toEqual([])
})

it('never serves what this host, its router or another host has', () => {
  const router = { link: 'eth0', gateway: FLOAT }
  const none = (of: ReturnType<typeof want>, routing: Partial<typeof NO_HOST_ROUTING>) =>
    expect([...servedFloatingIps(of, { ...NO_HOST_ROUTING, ...routing }).own]).toEqual([])
  none(want(FLOAT), { addresses: [FLOAT] })
  none(want(FLOAT), { defaultRoutes: [router] })
  const { shared, ...rest } = want(FLOAT)
  const host = { address: FLOAT } as (typeof shared.peers)[number]
  none({ ...rest, shared: { ...shared, peers: [host] } }, {})
})

it.each([
  ['inwards, as it leads now', OUTSIDE, FLOAT, PRIVATE, OUTSIDE, false],
  ['inwards, to another', OUTSIDE, FLOAT, NEIGHBOUR, OUTSIDE, true],
  ['inwards, by another address', OUTSIDE, ipv4('203.0.113.8'), PRIVATE, OUTSIDE, true],
  ['outwards, by another address', PRIVATE, OUTSIDE, OUTSIDE, ipv4('203.0.113.8'), true],
  ['of somebody else', OUTSIDE, ipv4('192.0.2.1'), ipv4('172.17.0.2'), OUTSIDE, false],
  ['outwards, as it leads now', PRIVATE, OUTSIDE, OUTSIDE, FLOAT, false],
  ['outwards, of another', NEIGHBOUR, OUTSIDE, OUTSIDE, FLOAT, true],
  ['outwards, masqueraded', NEIGHBOUR, OUTSIDE, OUTSIDE, ipv4('192.0.2.1'), false],
  ['inside', NEIGHBOUR, PRIVATE, PRIVATE, NEIGHBOUR, false],
  ['to itself', PRIVATE, FLOAT, PRIVATE, FLOAT, false],
])('%s', (_what, source, destination, answerFrom, answerTo, isOld) => {
  const flow = { source, destination, answerFrom, answerTo, protocol: 6, port: 80, code: 0 }
  const translation = {
    floats: new Map([[FLOAT, PRIVATE]]),
    nics: new Set([PRIVATE, NEIGHBOUR]),
    own: new Set([ipv4('192.0.2.1')]),
  }
  expect(isOfOldBinding(flow, translation)).toBe(isOld)
})

it('passes on those of VPCs with a namespace, unless somebody else has them', () => {
  const other = ipv4('203.0.113.8')
  const transit = { ...transitOf(7), floatingIps: [FLOAT, other] }
  const passing = { ...testWant(), transits: [transit] }
  const { own, passed } = servedFloatingIps(passing, { ...NO_HOST_ROUTING, addresses: [other] })
  expect([...own]).toEqual([])
  expect([...passed]).toEqual([[FLOAT, transit]])
})

it('serves those of NAT gateways that it carries', () => {
  const { shared, ...rest } = testWant(testInstance(11, [1]))
  const carrying = (via?: typeof FLOAT) => {
    const to = { kind: 'nat-address', gateway: numbered('nat', 1), ip: FLOAT, via } as const
    const routes = [{ destination: cidr('0.0.0.0/0'), to }]
    return {
      ...rest,
      shared: { ...shared, subnets: shared.subnets.map((one) => ({ ...one, routes })) },
    }
  }
  expect([...servedFloatingIps(carrying(), NO_HOST_ROUTING).carried]).toEqual([FLOAT])
  expect(wantedFloatingIps(carrying())).toEqual([FLOAT])
  const here = { ...NO_HOST_ROUTING, addresses: [FLOAT] }
  expect([...servedFloatingIps(carrying(), here).carried]).toEqual([])
  const elsewhere = carrying(ipv4('10.0.0.2'))
  expect([...servedFloatingIps(elsewhere, NO_HOST_ROUTING).carried]).toEqual([])
  expect(wantedFloatingIps(elsewhere)).toEqual([])
})
