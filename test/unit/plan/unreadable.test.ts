/** What cannot be read of routes, network ACLs and peerings stays as it was. */
import { describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { UnreadableRow } from '../../../src/model/unreadable-row.ts'
import type { HostWant } from '../../../src/model/want.ts'
import type { RouteWant } from '../../../src/model/ways-out.ts'
import { withUnreadable } from '../../../src/plan/unreadable.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const row = (table: string, of: Partial<UnreadableRow> = {}): UnreadableRow => ({
  ...{ table, key: 'x', problem: '', instance: null, host: null, ip: null, vpc: null },
  ...of,
})
const route = (to: 'internet' | 'nat' | 'blackhole'): RouteWant => ({
  destination: cidr('0.0.0.0/0'),
  to: { kind: to },
})

function routed(routes: readonly RouteWant[], denies: boolean): HostWant {
  const want = testWant(testInstance(11, [1]))
  const acl = { acl: { id: numbered('acl', 1), rules: [] } }
  const subnets = want.shared.subnets.map((subnet) => ({
    ...{ ...subnet, routes },
    ...(denies ? acl : {}),
  }))
  return { ...want, shared: { ...want.shared, subnets } }
}

it.each(['routes', 'internetGateways', 'routeTableAssociations', 'networkAclEntries'])(
  'a subnet keeps its routes and its ACL while a row of %s is unreadable',
  (table) => {
    const known = routed([route('blackhole')], true)
    const read = routed([route('internet')], false)
    expect(withUnreadable(read, [row(table)], known).shared.subnets).toEqual(known.shared.subnets)
    expect(withUnreadable(read, [row('tags')], known).shared.subnets).toEqual(read.shared.subnets)
    // Where nothing is known, what was read counts.
    expect(withUnreadable(read, [row(table)], null).shared.subnets).toEqual(read.shared.subnets)
  },
)

it.each(['placedNics', 'instances', 'peers'])(
  'a route keeps its router while a row of %s is unreadable',
  (table) => {
    const [nic] = testInstance(12, [1]).nics
    const to = { kind: 'nic', nic: nic?.id ?? numbered('eni', 1), ip: ipv4('172.31.0.12') } as const
    const known = routed([{ destination: cidr('0.0.0.0/0'), to }], false)
    const read = routed([route('blackhole')], false)
    expect(withUnreadable(read, [row(table)], known).shared.subnets).toEqual(known.shared.subnets)
    expect(withUnreadable(read, [row('tags')], known).shared.subnets).toEqual(read.shared.subnets)
    // A route that leads elsewhere now counts.
    const other = routed([route('internet')], false)
    expect(withUnreadable(other, [row(table)], known).shared.subnets).toEqual(other.shared.subnets)
  },
)

it('a subnet follows its routes while a row of another VPC is unreadable', () => {
  const known = routed([route('blackhole')], true)
  const read = routed([route('internet')], false)
  const [subnet] = read.shared.subnets.map((one) => ({ ...one, vpc: numbered('vpc', 1) }))
  const of = (want: HostWant): HostWant => ({
    ...want,
    shared: { ...want.shared, subnets: want.shared.subnets.map((one) => ({ ...one, ...subnet })) },
  })
  const after = (vpc: UnreadableRow['vpc']) =>
    withUnreadable(of(read), [row('routes', { vpc })], known).shared.subnets
  expect(after(numbered('vpc', 2))).toEqual(of(read).shared.subnets)
  expect(after(numbered('vpc', 1))).toMatchObject(known.shared.subnets)
})

describe('a peering', () => {
  const [near, far] = [numbered('vpc', 1), numbered('vpc', 2)]
  const peering = { id: numbered('pcx', 1), vpcs: [near, far] as const }
  const ends = [
    { vpc: near, ip: ipv4('10.1.0.4') },
    { vpc: far, ip: ipv4('10.2.0.4') },
  ]
  const toPeer = { kind: 'peering', peering: peering.id } as const
  const here = testWant(testInstance(11, [1]))
  /** What is there of these VPCs, all of which have a route to the peer. */
  function peered(vpcs: readonly (typeof near)[], way: RouteWant['to']): HostWant['shared'] {
    const there = ends.filter(({ vpc }) => vpcs.includes(vpc))
    const [subnet] = here.shared.subnets
    if (subnet === undefined) throw new Error('a want has a subnet')
    return {
      ...here.shared,
      vpcs: ends.map(({ vpc }, at) => ({
        id: vpc,
        cidr: cidr(`10.${at + 1}.0.0/16`),
        network: at,
      })),
      subnets: ends.map(({ vpc }, at) => ({
        ...{ ...subnet, vpc, id: numbered('subnet', at + 1) },
        ...(vpcs.includes(vpc) ? { routes: [{ destination: cidr('10.0.0.0/8'), to: way }] } : {}),
      })),
      groups: there.map(({ vpc, ip }, at) => ({
        ...{ id: numbered('sg', at + 1), vpc, members: [ip], rules: [] },
      })),
      names: there.map(({ vpc, ip }) => ({ name: vpc, ip, primary: true, vpc })),
      routes: there.map(({ vpc, ip }) => ({ ip, vpc, via: ipv4('192.0.2.2') })),
    }
  }
  const known = { ...here, shared: { ...peered([near, far], toPeer), peerings: [peering] } }

  it('stays while any other row is unreadable', () => {
    for (const table of ['tags', 'routes', 'instances', 'vpcPeerings'])
      expect(withUnreadable(known, [row(table)], known).shared.peerings).toEqual([peering])
  })

  it('stays as it was, with all of the other VPC, while its own row is unreadable', () => {
    // The other VPC has no instance here, so without the peering nothing of it is read.
    const read = { ...here, shared: peered([near], { kind: 'blackhole' }) }
    const rows = [row('vpcPeerings', { key: peering.id })]
    expect(withUnreadable(read, rows, known).shared).toEqual(known.shared)
    expect(withUnreadable(read, [row('vpcPeerings')], known).shared.peerings).toBeUndefined()
  })

  it('stays while the row of one of its VPCs is unreadable', () => {
    const shared = peered([near, far], { kind: 'blackhole' })
    const read = {
      ...here,
      shared: { ...shared, vpcs: shared.vpcs.filter(({ id }) => id === near) },
    }
    const after = withUnreadable(read, [row('vpcs', { key: far })], known).shared
    expect(after).toEqual(known.shared)
  })
})
