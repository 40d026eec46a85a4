import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Cidr,
  cidr,
  cidrContains,
  formatCidr,
  ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
} from '../../../src/model/addr.ts'
import type { RoutedPeer } from '../../../src/model/peering.ts'
import { byDestination } from '../../../src/model/route-table.ts'
import type { RouteWant } from '../../../src/model/ways-out.ts'
import { leadsToPeer, routesToPeers, subnetsLedTo } from '../../../src/plan/routed-peers.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const WANT = testWant(testInstance(11, [1]))
const OWN = numbered('vpc', 1)
const PEERS: readonly RoutedPeer[] = [
  [3, '10.8.0.0/16'],
  [4, '10.9.0.0/16'],
].map(([network, range]) => ({
  ...{ id: numbered('pcx', Number(network)), vpc: numbered('vpc', Number(network)) },
  ...{ network: Number(network), cidr: cidr(`${range}`), link: `at-p-${network}` },
  ...{ own: OWN, ownCidr: cidr('172.31.0.0/16') },
}))

function wantWith(routes: readonly RouteWant[] | undefined) {
  const [first] = WANT.shared.subnets
  if (first === undefined) throw new Error('there is a subnet')
  const { routes: _, ...rest } = first
  const subnet = { ...rest, vpc: OWN, ...(routes === undefined ? {} : { routes }) }
  const foreign = { ...subnet, id: numbered('subnet', 77), vpc: numbered('vpc', 9) }
  const shared = { ...WANT.shared, subnets: [subnet, foreign] }
  return { ...WANT, shared, routedPeers: PEERS }
}

/** Networks around, in and beside the ranges of the peers. */
const anyDestination: fc.Arbitrary<Cidr> = fc
  .tuple(
    fc.constantFrom('10.8.0.0', '10.9.0.0', '10.8.128.0', '10.10.0.0', '0.0.0.0'),
    fc.integer({ min: 0, max: 20 }),
  )
  .map(([network, prefix]) => {
    const size = 2 ** (32 - prefix)
    const number = ipv4ToNumber(ipv4(network))
    return { network: ipv4FromNumber(number - (number % size)), prefix }
  })
const anyRoutes = fc
  .uniqueArray(
    fc.record({
      destination: anyDestination,
      to: fc.oneof(
        fc.constantFrom(3, 4, 5).map((at) => ({
          ...{ kind: 'peering' as const, peering: numbered('pcx', at) },
        })),
        fc.constantFrom({ kind: 'internet' as const }, { kind: 'blackhole' as const }),
      ),
    }),
    { selector: ({ destination }) => formatCidr(destination), maxLength: 8 },
  )
  .map((routes): readonly RouteWant[] => byDestination(routes))

it('the longest prefix of a table leads to a peer exactly where the routes of the subnet do', () => {
  const anyAddress = fc
    .tuple(
      fc.constantFrom('10.8.0.0', '10.9.0.0', '10.10.0.0'),
      fc.integer({ min: 0, max: 65_535 }),
    )
    .map(([network, at]) => ipv4FromNumber(ipv4ToNumber(ipv4(network)) + at))
  fc.assert(
    fc.property(fc.option(anyRoutes, { nil: undefined }), anyAddress, (routes, ip) => {
      const [table] = routesToPeers(wantWith(routes))
      const found = (table?.routes ?? [])
        .filter(({ destination }) => cidrContains(destination, ip))
        .toSorted((a, b) => b.destination.prefix - a.destination.prefix)
      const peer = PEERS.find((one) => cidrContains(one.cidr, ip))
      const leads = peer !== undefined && leadsToPeer(ip, routes, peer)
      expect(found[0]?.to?.link ?? null).toBe(leads ? peer.link : null)
    }),
    { numRuns: 2000 },
  )
})

it('a subnet without a route has no table, and no other VPC has one', () => {
  const out: RouteWant = { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } }
  const lost: RouteWant = { destination: cidr('10.8.0.0/16'), to: { kind: 'blackhole' } }
  expect(routesToPeers(wantWith([lost, out]))).toEqual([])
  const route: RouteWant = {
    destination: cidr('10.0.0.0/8'),
    to: { kind: 'peering', peering: numbered('pcx', 3) },
  }
  const want = wantWith([route, out])
  const [subnet] = want.shared.subnets
  expect(routesToPeers(want)).toEqual([
    {
      cidr: subnet?.cidr,
      routes: [
        { destination: cidr('10.8.0.0/16'), to: { link: 'at-p-3', via: ipv4('100.64.0.7') } },
      ],
    },
  ])
  expect(PEERS.map((peer) => subnetsLedTo(peer, want.shared))).toEqual([[subnet?.cidr], []])
})
