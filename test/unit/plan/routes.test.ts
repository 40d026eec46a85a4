/** Which way out a subnet has, by the records of its VPC. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { DEFAULT_ACL_RULES } from '../../../src/model/network-acl.ts'
import { parseRouteTarget, type RouteTarget } from '../../../src/model/route-table.ts'
import type { VpcRouting } from '../../../src/model/vpc-routing.ts'
import {
  isActive,
  NO_ENDS,
  type PlacedEnds,
  type RouteEnds,
  routesOf,
  routeTo,
  subnetRouting,
} from '../../../src/plan/routes.ts'
import { hostName, network, numbered } from '../../kit/records.ts'

const { id: vpc, account } = network.vpc
const [PRIVATE, PUBLIC] = [numbered('subnet', 1), numbered('subnet', 2)]
const [MAIN, OUTER] = [numbered('rtb', 1), numbered('rtb', 2)]
const GATEWAY: RouteTarget = { kind: 'internet-gateway', id: numbered('igw', 1) }
const NAT: RouteTarget = { kind: 'nat-gateway', id: numbered('nat', 1) }

/** Every NIC is on this host. */
const here = () => undefined

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
  return routeTo(ipv4(to), routesOf(from, of, NO_ENDS) ?? [])?.to.kind
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

it('what goes to a NAT gateway with an address goes to the host that carries it, or nowhere', () => {
  const ip = ipv4('198.51.100.7')
  const address = { nic: numbered('eni', 9), ip, carrier: hostName('there') }
  const by = (changes: object, via: ReturnType<Parameters<typeof subnetRouting>[3]>) => {
    const of = routing({ '0.0.0.0/0': NAT }, { '0.0.0.0/0': GATEWAY })
    const natGateways = of.natGateways.map((one) => ({
      ...one,
      address: { ...address, ...changes },
    }))
    const known = { ...of, natGateways }
    return subnetRouting({ id: PRIVATE }, known, NO_ENDS, () => via).routes?.at(-1)?.to
  }
  const way = { kind: 'nat-address', gateway: numbered('nat', 1), ip }
  expect(by({}, undefined)).toEqual(way)
  expect(by({}, ipv4('192.0.2.7'))).toEqual({ ...way, via: '192.0.2.7' })
  // Never with another address.
  const none = { kind: 'blackhole' }
  expect(by({}, null)).toEqual(none)
  expect(by({ carrier: null }, undefined)).toEqual(none)
  expect(by({ ip: null }, undefined)).toEqual(none)
})

it('a VPC that an older daemon made has a way out, and no ACL', () => {
  const older = routing({}, {}, { tables: [], routes: [], associations: [] })
  expect(routesOf(PRIVATE, older, NO_ENDS)).toBeUndefined()
  expect(subnetRouting({ id: PRIVATE }, older, NO_ENDS, here)).toEqual({})
  expect(subnetRouting({ id: PRIVATE }, undefined, NO_ENDS, here)).toEqual({})
})

it('an ACL is in the want when it restricts something', () => {
  const acl = numbered('acl', 1)
  const entries = DEFAULT_ACL_RULES.map((rule) => ({ ...rule, acl, vpc }))
  const acls = [{ id: acl, account, vpc, isDefault: true }]
  const open = routing({}, {}, { acls, aclEntries: entries })
  expect(subnetRouting({ id: PRIVATE }, open, NO_ENDS, here)).toEqual({ routes: [] })
  const deny = {
    ...DEFAULT_ACL_RULES[0],
    number: 50,
    allow: false,
    acl,
    vpc,
  } as (typeof entries)[0]
  const closed = routing({}, {}, { acls, aclEntries: [...entries, deny] })
  expect(subnetRouting({ id: PRIVATE }, closed, NO_ENDS, here).acl).toMatchObject({
    id: acl,
    rules: [{ number: 50, allow: false }, { number: 100 }, { number: 100, egress: true }],
  })
})

it('what leads to an instance must be attached, of the VPC, and take what is for others', () => {
  const id = numbered('eni', 1)
  const target: RouteTarget = { kind: 'network-interface', id }
  expect(parseRouteTarget(id)).toEqual(target)
  const of = routing({ '0.0.0.0/0': target, '198.51.100.0/24': GATEWAY }, {})
  const nic = { vpc, ip: ipv4('10.0.0.9'), sourceDestCheck: false, host: hostName('there') }
  const ends = (changes: object): PlacedEnds => ({
    ...NO_ENDS,
    nics: new Map([[id, { ...nic, ...changes }]]),
  })
  const led = (known: RouteEnds) => {
    const routes = routesOf(PRIVATE, of, known) ?? []
    return ['203.0.113.1', '198.51.100.9'].map((to) => routeTo(ipv4(to), routes)?.to.kind)
  }
  const attachment = { id: numbered('eni-attach', 1), attachedAt: '', deleteOnTermination: false }
  const cases: readonly (readonly [RouteEnds, string, boolean])[] = [
    [ends({}), 'nic', true],
    [ends({ attachment }), 'nic', true],
    [ends({ attachment: { ...attachment, isEnding: true } }), 'blackhole', false],
    // EC2 shows it as active.
    [ends({ sourceDestCheck: undefined }), 'blackhole', true],
    [ends({ vpc: numbered('vpc', 7) }), 'blackhole', false],
    [NO_ENDS, 'blackhole', false],
  ]
  for (const [known, kind, active] of cases) {
    expect(led(known)).toEqual([kind, 'internet'])
    expect(isActive({ target }, of, known)).toBe(active)
  }
  const wanted = (via: ReturnType<Parameters<typeof subnetRouting>[3]>) =>
    subnetRouting({ id: PRIVATE }, of, ends({}), () => via).routes?.at(-1)?.to
  const way = { kind: 'nic', nic: id, ip: '10.0.0.9' }
  expect(wanted(undefined)).toEqual(way)
  expect(wanted(ipv4('192.0.2.7'))).toEqual({ ...way, via: '192.0.2.7' })
  // Its host has no address for others.
  expect(wanted(null)).toEqual({ kind: 'blackhole' })
})

it('a route to a peer needs the peering', () => {
  const id = numbered('pcx', 1)
  const target: RouteTarget = { kind: 'peering', id }
  const of = routing({ '10.8.0.0/16': target }, {})
  const known: RouteEnds = { ...NO_ENDS, peerings: new Set([id]) }
  for (const [ends, kind] of [
    [known, 'peering'],
    [NO_ENDS, 'blackhole'],
  ] as const) {
    expect(routeTo(ipv4('10.8.0.9'), routesOf(PRIVATE, of, ends) ?? [])?.to.kind).toBe(kind)
    expect(isActive({ target }, of, ends)).toBe(kind === 'peering')
  }
})
