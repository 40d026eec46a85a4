import { describe, expect, it } from 'vitest'
import { parseLedger } from '../../../src/agent/ledger.ts'
import { cidr, cidrContains, ipv4 } from '../../../src/model/addr.ts'
import { formatId } from '../../../src/model/ids.ts'
import { VPC_NETWORK_MAX } from '../../../src/model/records.ts'
import { nextHopOf, TRANSIT_RANGE, transitOf } from '../../../src/model/transit.ts'
import type { HostWant, InstanceWant } from '../../../src/model/want.ts'
import { withUnreadable } from '../../../src/plan/unreadable.ts'
import { sharedBeside, wantsByVpc } from '../../../src/plan/vpc-wants.ts'
import { hostWant, instance } from '../../../tools/kit/instance.ts'
import { hostName, numbered } from '../../kit/records.ts'

const id = (number: number) => formatId('vpc', new Uint8Array(9).fill(number))
const [OLD, RED, BLUE, AWAY] = [id(3), id(5), id(6), id(7)]
const NET = cidr('10.0.0.0/16')

function inVpc(number: number, vpc: typeof RED, network?: number): InstanceWant {
  const one = instance(number)
  const nics = one.nics.map((nic) => ({
    ...nic,
    vpc,
    ...(network === undefined ? {} : { network }),
  }))
  return { ...one, nics }
}

const own = inVpc(1, OLD)
const red = inVpc(2, RED, 1)
const blue = inVpc(3, BLUE, 2)
const ip = ipv4('10.0.0.9')
const peer = ipv4('192.0.2.7')
const group = (number: number) => formatId('sg', new Uint8Array(9).fill(number))

function want(): HostWant {
  const { local } = hostWant(own, red, blue)
  return {
    local,
    shared: {
      vpcs: [
        { id: OLD, cidr: NET },
        { id: RED, cidr: NET, network: 1 },
        { id: BLUE, cidr: NET, network: 2 },
        { id: AWAY, cidr: NET, network: 3 },
      ],
      subnets: [OLD, RED, BLUE, AWAY].map((vpc, at) => ({
        id: formatId('subnet', new Uint8Array(9).fill(at)),
        cidr: NET,
        gateway: ipv4('10.0.0.1'),
        vpc,
      })),
      groups: [OLD, RED, BLUE].map((vpc, at) => ({ id: group(at), members: [ip], rules: [], vpc })),
      names: [OLD, RED, BLUE].map((vpc) => ({ name: `${vpc}`, ip, primary: true, vpc })),
      peers: [{ host: hostName('other'), address: peer }],
      routes: [OLD, RED, BLUE].map((vpc) => ({ ip, via: peer, vpc })),
    },
  }
}

describe('a want without numbered VPCs', () => {
  it("is the machine's own part, the same object", () => {
    const all = hostWant(own)
    expect(wantsByVpc(all)).toEqual({ own: all, vpcs: new Map() })
    expect(wantsByVpc(all).own).toBe(all)
  })

  it('is what older daemons have written', () => {
    const all = want()
    const { shared } = wantsByVpc(all).own
    const strip = <T extends { vpc?: unknown }>(items: readonly T[]) =>
      items.map(({ vpc: _vpc, ...rest }) => rest)
    const older = {
      local: hostWant(own).local,
      shared: {
        ...shared,
        ...{ subnets: strip(shared.subnets), groups: strip(shared.groups) },
        ...{ names: strip(shared.names), routes: strip(shared.routes) },
      },
    }
    const read = parseLedger(JSON.stringify({ format: 1, want: older }))
    expect(read).toEqual(older)
    expect(read === null ? null : wantsByVpc(read).own).toBe(read)
  })
})

describe('a want with numbered VPCs', () => {
  it('is read back from the ledger as it was written', () => {
    expect(parseLedger(JSON.stringify({ format: 1, want: want() }))).toEqual(want())
  })

  it('has a part for each that has instances here', () => {
    const { vpcs } = wantsByVpc(want())
    expect([...vpcs].map(([network, { vpc }]) => [network, vpc])).toEqual([
      [1, RED],
      [2, BLUE],
    ])
  })

  it('has nothing in a part that is of another', () => {
    const parts = wantsByVpc(want())
    const found = [
      [OLD, parts.own],
      [RED, parts.vpcs.get(1)?.want],
      [BLUE, parts.vpcs.get(2)?.want],
    ] as const
    for (const [vpc, part] of found) {
      const nics = part?.local.instances.flatMap((one) => one.nics) ?? []
      expect(nics.map((nic) => nic.vpc)).toEqual([vpc])
      const { subnets, groups, names, routes } = part?.shared ?? want().shared
      for (const list of [subnets, groups, names, routes])
        expect(list.map((one) => one.vpc)).toEqual([vpc])
      expect(part?.shared.vpcs.map((one) => one.id)).toEqual([vpc])
    }
  })

  it("names the links to them in the machine's own part only", () => {
    const { own, vpcs } = wantsByVpc(want())
    expect(own.transits).toEqual([
      { ...transitOf(1), vpc: RED },
      { ...transitOf(2), vpc: BLUE },
    ])
    for (const part of vpcs.values()) expect(part.want.transits).toBeUndefined()
  })

  it('reaches other hosts by addresses that no VPC can have', () => {
    const part = wantsByVpc(want()).vpcs.get(1)?.want.shared
    const address = nextHopOf(peer)
    expect(cidrContains(cidr('240.0.0.0/4'), address)).toBe(true)
    expect(part?.peers).toEqual([{ host: hostName('other'), address, underlay: peer }])
    expect(part?.routes).toEqual([{ ip, via: address, vpc: RED }])
  })

  it('leads to routers on other hosts by the same addresses', () => {
    const all = want()
    const ways = (via?: typeof peer) => [
      {
        destination: cidr('0.0.0.0/0'),
        to: { kind: 'nic', nic: numbered('eni', 1), ip, ...(via === undefined ? {} : { via }) },
      } as const,
    ]
    const known = { ...all.shared.subnets[0], id: numbered('subnet', 7), vpc: RED }
    const subnet = { cidr: cidr('10.0.7.0/24'), gateway: ipv4('10.0.7.1'), ...known }
    for (const [given, seen] of [
      [ways(peer), ways(nextHopOf(peer))],
      [ways(), ways()],
    ]) {
      const shared = { ...all.shared, subnets: [{ ...subnet, routes: given }] }
      const led = { ...all, shared }
      expect(wantsByVpc(led).vpcs.get(1)?.want.shared.subnets[0]?.routes).toEqual(seen)
      expect(parseLedger(JSON.stringify({ format: 1, want: led }))).toEqual(led)
    }
  })

  it('carries the address of a NAT gateway, or leads to the host that does', () => {
    const all = want()
    const address = ipv4('203.0.113.9')
    const by = (via?: typeof peer): HostWant => {
      const to = { kind: 'nat-address', gateway: numbered('nat', 1), ip: address } as const
      const routes = [
        { destination: cidr('0.0.0.0/0'), to: via === undefined ? to : { ...to, via } },
      ]
      const subnets = all.shared.subnets.map((one) => (one.vpc === RED ? { ...one, routes } : one))
      return { ...all, shared: { ...all.shared, subnets } }
    }
    const here = wantsByVpc(by())
    const passed = { floatingIps: [address], carried: [address] }
    expect(here.own.transits?.[0]).toEqual({ ...transitOf(1), vpc: RED, ...passed })
    const there = wantsByVpc(by(peer))
    expect(there.own.transits?.[0]).toEqual({ ...transitOf(1), vpc: RED })
    const [route] = there.vpcs.get(1)?.want.shared.subnets[0]?.routes ?? []
    expect(route?.to).toMatchObject({ ip: address, via: nextHopOf(peer) })
    expect(parseLedger(JSON.stringify({ format: 1, want: by(peer) }))).toEqual(by(peer))
  })

  it("keeps a NIC out of the machine's own namespace, even if nothing is known of its VPC", () => {
    const lost = hostWant(red)
    expect(wantsByVpc(lost).own.local.instances).toEqual([])
    expect(wantsByVpc(lost).vpcs.size).toBe(0)
  })
})

describe('peered VPCs', () => {
  const [LOW, HIGH] = [RED, AWAY]
  const peering = { id: formatId('pcx', new Uint8Array(9).fill(1)), vpcs: [HIGH, LOW] as const }
  const all = want()
  const shared = {
    ...all.shared,
    vpcs: all.shared.vpcs.map((vpc) =>
      vpc.id === HIGH ? { ...vpc, cidr: cidr('10.8.0.0/16') } : vpc,
    ),
    routes: [...all.shared.routes, { ip: ipv4('10.8.0.9'), via: peer, vpc: HIGH }],
    peerings: [peering],
  }
  const routesOf = (part: HostWant | undefined) => part?.shared.routes.map((route) => route.ip)

  it('of several ranges has each of them in every part, and its records once', () => {
    const second = { id: HIGH, cidr: cidr('10.9.0.0/16'), network: 3 }
    const named = {
      ...{ id: numbered('sgr', 1), egress: false, protocol: -1, fromPort: -1, toPort: -1 },
      peer: { kind: 'group' as const, group: group(9) },
    }
    const groups = [
      ...shared.groups.map((one) => (one.vpc === LOW ? { ...one, rules: [named] } : one)),
      { id: group(9), vpc: HIGH, members: [ipv4('10.9.0.9')], rules: [] },
    ]
    const more = [second, { id: LOW, cidr: cidr('10.6.0.0/16'), network: 1 }]
    const wide = { ...all, shared: { ...shared, groups, vpcs: [...shared.vpcs, ...more] } }
    const { vpcs } = wantsByVpc(wide)
    const low = vpcs.get(1)?.want
    expect(low?.peered?.map((one) => [one.vpc, one.cidr])).toEqual([
      [HIGH, cidr('10.8.0.0/16')],
      [HIGH, second.cidr],
    ])
    expect(low?.shared.groups.filter(({ id: one }) => one === group(9))).toHaveLength(1)
    expect(routesOf(vpcs.get(3)?.want)?.filter((one) => one === ip)).toHaveLength(1)
    expect(vpcs.get(3)?.want.shared.vpcs.map((one) => one.cidr)).toEqual([
      cidr('10.8.0.0/16'),
      second.cidr,
    ])
  })

  it('with instances of the lower one, the host has the network of the higher one, too', () => {
    const { vpcs } = wantsByVpc({ ...all, shared })
    expect([...vpcs.keys()]).toEqual([1, 2, 3])
    expect(vpcs.get(1)?.want.peered).toMatchObject([{ network: 3, link: 'at-p-3', vpc: HIGH }])
    expect(vpcs.get(3)?.want.peered).toMatchObject([{ network: 1, link: 'at-p-1', vpc: LOW }])
    expect(vpcs.get(2)?.want.peered).toBeUndefined()
    // What crosses on its own host comes from there as the higher one's.
    expect(routesOf(vpcs.get(3)?.want)).toEqual(['10.8.0.9', '10.0.0.9'])
    expect(routesOf(vpcs.get(1)?.want)).toEqual(['10.0.0.9'])
    expect(vpcs.get(3)?.want.local.instances).toEqual([])
  })

  it('with instances of the higher one only, there is no link', () => {
    const { local } = hostWant(own, inVpc(2, HIGH, 3))
    const { vpcs } = wantsByVpc({ local, shared })
    expect([...vpcs.keys()]).toEqual([3])
    expect(vpcs.get(3)?.want.peered).toMatchObject([{ network: 1, link: null }])
    expect(routesOf(vpcs.get(3)?.want)).toEqual(['10.8.0.9', '10.0.0.9'])
  })

  it('know the members of groups that their rules name, and names that are shown to them', () => {
    const [inHigh, ofRed, third] = [group(8), group(1), group(9)]
    const rule = (peer: typeof inHigh) => ({
      ...{ id: formatId('sgr', new Uint8Array(9).fill(2)), egress: false, protocol: 6 },
      ...{ fromPort: 22, toPort: 22, peer: { kind: 'group' as const, group: peer } },
    })
    const at = ipv4('10.8.0.9')
    const groups = [
      ...all.shared.groups.map((one) =>
        one.id === ofRed ? { ...one, rules: [rule(inHigh), rule(third)] } : one,
      ),
      { id: inHigh, members: [at], rules: [rule(inHigh)], vpc: HIGH },
      // Of blue, which is peered with nobody.
      { id: third, members: [ip], rules: [], vpc: BLUE },
    ]
    const names = [
      ...all.shared.names,
      { name: 'ec2-203-0-113-9', ip: at, primary: false, vpc: HIGH },
      { name: 'web', ip: at, primary: false, vpc: HIGH },
    ]
    const partOf = (showPrivate?: readonly (typeof RED)[]) => {
      const peerings = [{ ...peering, ...(showPrivate === undefined ? {} : { showPrivate }) }]
      const changed = { ...shared, groups, names, peerings }
      const part = wantsByVpc({ ...all, shared: changed }).vpcs.get(1)?.want.shared
      expect(sharedBeside(changed, LOW)).toMatchObject({ groups: part?.groups, names: part?.names })
      return part
    }
    const part = partOf()
    expect(part?.groups.map(({ id, rules }) => [id, rules.length])).toEqual([
      [ofRed, 2],
      [inHigh, 0],
    ])
    expect(part?.names.map(({ name }) => name)).toEqual([RED])
    expect(partOf([LOW])?.names.map(({ name }) => name)).toEqual([RED])
    expect(partOf([HIGH])?.names.map(({ name }) => name)).toEqual([RED, 'ec2-203-0-113-9'])
  })

  it('with instances of the one that has no number, the host has a link to the other', () => {
    const vpcs = shared.vpcs.map((vpc) =>
      vpc.id === OLD ? { ...vpc, cidr: cidr('172.31.0.0/16') } : vpc,
    )
    const peerings = [{ ...peering, vpcs: [OLD, HIGH] as const, showPrivate: [HIGH] }]
    const shown = { name: 'ec2-203-0-113-9', ip: ipv4('10.8.0.9'), primary: false, vpc: HIGH }
    const names = [...shared.names, shown]
    const changed = { ...shared, vpcs, peerings, names }
    const parts = wantsByVpc({ ...all, shared: changed })
    expect([...parts.vpcs.keys()]).toEqual([1, 2, 3])
    expect(parts.own.peered).toBeUndefined()
    expect(parts.own.routedPeers).toEqual([
      {
        ...{ id: peering.id, vpc: HIGH, network: 3, cidr: cidr('10.8.0.0/16'), link: 'at-p-3' },
        ...{ showsPrivate: true, own: OLD, ownCidr: cidr('172.31.0.0/16') },
      },
    ])
    expect(parts.own.shared.names.map(({ name }) => name)).toEqual([OLD, shown.name])
    expect(sharedBeside(changed, OLD)).toEqual(parts.own.shared)
    const inside = parts.vpcs.get(3)?.want
    expect(inside?.peered).toMatchObject([{ network: 0, link: 'at-p-0', vpc: OLD }])
    // What that VPC has on other hosts comes and goes as this one's.
    expect(routesOf(inside)).toEqual(['10.8.0.9', '10.0.0.9'])
    // A host without instances of it has no link, and no namespace for it.
    const { local } = hostWant(red)
    const elsewhere = wantsByVpc({ local, shared: changed })
    expect([...elsewhere.vpcs.keys()]).toEqual([1])
    expect(elsewhere.own.routedPeers).toBeUndefined()
    const alone = wantsByVpc({ local: hostWant(inVpc(2, HIGH, 3)).local, shared: changed })
    expect(alone.vpcs.get(3)?.want.peered).toMatchObject([{ network: 0, link: null, vpc: OLD }])
  })

  it('are read back from the ledger as they were written', () => {
    const written = { ...all, shared }
    expect(parseLedger(JSON.stringify({ format: 1, want: written }))).toEqual(written)
  })
})

describe('the links to namespaces', () => {
  it.each([1, 2, 255, 256, VPC_NETWORK_MAX])('have addresses of their own: number %i', (number) => {
    const { link, gateway, address } = transitOf(number)
    expect(link.length).toBeLessThanOrEqual(15)
    for (const one of [gateway, address]) expect(cidrContains(TRANSIT_RANGE, one)).toBe(true)
    expect(transitOf(number - 1).address).not.toBe(gateway)
    expect(gateway).not.toBe(address)
  })
})

it('what cannot be read of one VPC is not taken for what another has at the same address', () => {
  const known = want()
  const route = { ip, via: peer }
  // The rows of one VPC are unreadable, and the instance of the other has moved.
  const read = { ...known.shared, routes: [{ ...route, vpc: BLUE }], names: [] }
  const row = { instance: null, host: null, vpc: null, problem: 'a test' }
  const rows = [{ ...row, table: 'placedNics', key: 'eni-1', ip }]
  const { shared } = withUnreadable({ ...known, shared: read }, rows, known)
  expect(shared.routes.map(({ vpc }) => vpc).toSorted()).toEqual([OLD, RED, BLUE].toSorted())
  expect(shared.names.map(({ vpc }) => vpc)).toEqual([OLD, RED])
})

describe('an instance that moves here while it runs', () => {
  const arriving = inVpc(4, AWAY, 3)

  it('has the namespace of its VPC here before', () => {
    const all = want()
    expect([...wantsByVpc(all).vpcs.keys()]).toEqual([1, 2])
    const { own: machine, vpcs } = wantsByVpc({
      ...all,
      local: { ...all.local, arriving: [arriving] },
    })
    expect([...vpcs.keys()]).toEqual([1, 2, 3])
    expect(vpcs.get(3)?.want.local).toMatchObject({ instances: [], arriving: [arriving] })
    expect(vpcs.get(1)?.want.local.arriving).toEqual([])
    expect(machine.local.arriving).toEqual([])
  })
})
