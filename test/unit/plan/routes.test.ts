/** Which way out a subnet has, by the records of its VPC. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { DEFAULT_ACL_RULES } from '../../../src/model/network-acl.ts'
import { parseRouteTarget, type RouteTarget } from '../../../src/model/route-table.ts'
import type { VpcRouting } from '../../../src/model/vpc-routing.ts'
import { routesOf, routeTo, subnetRouting } from '../../../src/plan/routes.ts'
import { network, numbered } from '../../kit/records.ts'

const { id: vpc, account } = network.vpc
const [PRIVATE, PUBLIC] = [numbered('subnet', 1), numbered('subnet', 2)]
const [MAIN, OUTER] = [numbered('rtb', 1), numbered('rtb', 2)]
const GATEWAY: RouteTarget = { kind: 'internet-gateway', id: numbered('igw', 1) }
const NAT: RouteTarget = { kind: 'nat-gateway', id: numbered('nat', 1) }

type Routes = Readonly<Record<string, RouteTarget>>

/** `PRIVATE` goes by the main table, `PUBLIC`, which has the NAT gateway, by the other. */
function routing(main: Routes, outer: Routes, changes: Partial<VpcRouting> = {}): VpcRouting {
  const of = { account, vpc }
  const routes = (table: typeof MAIN, all: Routes) =>
    Object.entries(all).map(([destination, target]) => ({
      ...{ table, vpc, destination: cidr(destination), target },
    }))
  return {
    vpc,
    internetGateways: [{ id: numbered('igw', 1), ...of }],
    natGateways: [{ id: numbered('nat', 1), ...of, subnet: PUBLIC, createdAt: '' }],
    tables: [MAIN, OUTER].map((id) => ({ id, ...of })),
    routes: [...routes(MAIN, main), ...routes(OUTER, outer)],
    associations: [
      { id: numbered('rtbassoc', 1), table: MAIN, vpc, subnet: null },
      { id: numbered('rtbassoc', 2), table: OUTER, vpc, subnet: PUBLIC },
    ],
    ...{ acls: [], aclEntries: [], aclAssociations: [] },
    ...changes,
  }
}

function way(from: typeof PRIVATE, to: string, of: VpcRouting) {
  return routeTo(ipv4(to), routesOf(from, of) ?? [])?.to.kind
}

it('the longest prefix decides', () => {
  const of = routing({ '0.0.0.0/0': GATEWAY, '198.51.0.0/16': NAT, '198.51.100.0/24': GATEWAY }, {})
  expect(way(PRIVATE, '203.0.113.1', of)).toBe('internet')
  expect(way(PRIVATE, '198.51.9.9', of)).toBe('blackhole')
  expect(way(PRIVATE, '198.51.100.9', of)).toBe('internet')
  expect(way(PUBLIC, '203.0.113.1', of)).toBeUndefined()
})

it('a gateway that is not there is a blackhole, and so is what nobody knows', () => {
  const gone = routing({ '0.0.0.0/0': GATEWAY }, {}, { internetGateways: [] })
  expect(way(PRIVATE, '203.0.113.1', gone)).toBe('blackhole')
  const target = parseRouteTarget('xyz-00000000000000001')
  expect(target?.kind).toBe('unknown')
  const newer = routing({ '0.0.0.0/0': GATEWAY, '198.51.100.0/24': target ?? GATEWAY }, {})
  expect(way(PRIVATE, '198.51.100.9', newer)).toBe('blackhole')
  expect(parseRouteTarget('local')).toBeUndefined()
})

it('what goes to a NAT gateway goes on by the routes of its subnet', () => {
  const by = (main: Routes, outer: Routes, more: Partial<VpcRouting> = {}) =>
    ['203.0.113.1', '198.51.100.9', '198.51.100.200'].map((to) =>
      way(PRIVATE, to, routing(main, outer, more)),
    )
  const all = { '0.0.0.0/0': NAT }
  const [nat, none] = ['nat', 'blackhole']
  expect(by(all, { '0.0.0.0/0': GATEWAY })).toEqual([nat, nat, nat])
  expect(by(all, {})).toEqual([none, none, none])
  expect(by(all, { '0.0.0.0/0': GATEWAY }, { natGateways: [] })).toEqual([none, none, none])
  expect(by(all, { '0.0.0.0/0': NAT })).toEqual([none, none, none])
  expect(by(all, { '198.51.100.0/25': GATEWAY })).toEqual([none, nat, none])
  expect(by({ '198.51.0.0/16': NAT }, { '198.51.0.0/17': GATEWAY })).toEqual([undefined, nat, nat])
  expect(by({ '198.51.100.0/24': NAT }, { '198.51.0.0/16': GATEWAY, '0.0.0.0/0': NAT })).toEqual([
    ...[undefined, nat, nat],
  ])
  // A route of its own is more specific.
  const own = { ...all, '198.51.100.0/24': GATEWAY }
  expect(by(own, { '0.0.0.0/0': GATEWAY, '198.51.100.0/25': NAT })).toEqual([
    ...[nat, 'internet', 'internet'],
  ])
})

it('a VPC that an older daemon made has a way out, and no ACL', () => {
  const older = routing({}, {}, { tables: [], routes: [], associations: [] })
  expect(routesOf(PRIVATE, older)).toBeUndefined()
  expect(subnetRouting({ id: PRIVATE }, older)).toEqual({})
  expect(subnetRouting({ id: PRIVATE }, undefined)).toEqual({})
})

it('an ACL is in the want when it restricts something', () => {
  const acl = numbered('acl', 1)
  const entries = DEFAULT_ACL_RULES.map((rule) => ({ ...rule, acl, vpc }))
  const acls = [{ id: acl, account, vpc, isDefault: true }]
  const open = routing({}, {}, { acls, aclEntries: entries })
  expect(subnetRouting({ id: PRIVATE }, open)).toEqual({ routes: [] })
  const deny = {
    ...DEFAULT_ACL_RULES[0],
    number: 50,
    allow: false,
    acl,
    vpc,
  } as (typeof entries)[0]
  const closed = routing({}, {}, { acls, aclEntries: [...entries, deny] })
  expect(subnetRouting({ id: PRIVATE }, closed).acl).toMatchObject({
    id: acl,
    rules: [{ number: 50, allow: false }, { number: 100 }, { number: 100, egress: true }],
  })
})
