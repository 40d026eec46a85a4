/**
 * Routes to an instance that is a router, with real packets: on one host and across two, in a VPC
 * with namespaces and in the default one. Behind the router is a network that nobody else has, and
 * it translates what goes to the outside. Again after the daemon was killed. Groups, ACLs and the
 * check of source and destination judge what the router gets and sends.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cidr, type Ipv4 } from '../../src/model/addr.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import { ALL_OUT, allFromMembers } from '../../src/model/group-rule.ts'
import type { AclWant, RuleWant } from '../../src/model/want.ts'
import type { RouteWant, WayOut, WayToNic } from '../../src/model/ways-out.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { numbered } from '../kit/records.ts'
import {
  createVpcTestbed,
  type GuestSpec,
  type RecordsOfVpcs,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 30_000
/** Behind the router only. */
const BEHIND = '203.0.113.77'
const OUT: WayOut = { kind: 'internet' }
const ALL = [
  ['red', 'vxlan'],
  ['plain', 'direct'],
  // The long mode has these, too.
  ['red', 'direct'],
  ['plain', 'vxlan'],
] as const satisfies readonly (readonly [GuestSpec['vpc'], FabricSettings['mode']])[]

const CASES = isLong ? ALL : ALL.slice(0, 2)

/** Forwards, and translates what goes out. It answers at an address of its own, too. */
const ROUTE = `
sysctl -qw net.ipv4.ip_forward=1
ip addr add ${BEHIND}/32 dev lo
nft 'table ip nat { chain out { type nat hook postrouting priority srcnat; oifname "eth0" ip daddr != 10.0.0.0/8 ip daddr != 172.31.0.0/16 masquerade; }; }'
`

describe.each(CASES)('in the VPC %s, fabric %s', (vpc, mode) => {
  const NEAR = { vpc, at: 0, number: 10 } as const
  const FAR = { vpc, at: 1, number: 11 } as const
  const ROUTER = { vpc, at: 0, number: 20, isRouter: true } as const
  const SECOND = { vpc, at: 0, number: 21, isRouter: true } as const
  const guestSpecs: readonly GuestSpec[] = [NEAR, FAR, ROUTER, SECOND]
  const [nic] = vpcInstance(ROUTER).nics
  const toRouter: WayToNic = {
    kind: 'nic',
    nic: nic?.id ?? numbered('eni', 1),
    ip: nic?.ip as Ipv4,
  }
  const route = (destination: string, to: WayOut): RouteWant => ({
    destination: cidr(destination),
    to,
  })
  const LED = [route('203.0.113.0/24', toRouter), route('0.0.0.0/0', OUT)]
  const OUTWARDS = [route('0.0.0.0/0', OUT)]
  /** What is alike in all is tried in one of them, unless there is time. */
  const rest = it.skipIf(vpc === 'plain' && !isLong)
  let testbed: VpcTestbed

  const records = (routes: readonly RouteWant[], more: RecordsOfVpcs = {}) => ({
    ...{ routes: { [vpc]: routes }, edgeRoutes: { [vpc]: OUTWARDS } },
    ...more,
  })
  const pass = (routes: readonly RouteWant[], more: RecordsOfVpcs & { restart?: boolean } = {}) =>
    testbed.pass({ ...records(routes), ...more })
  const both = (): readonly Netns[] => [testbed.guest(NEAR), testbed.guest(FAR)]
  /** Each of them: whether a ping of some is answered. `flags` may name the same one again. */
  const pings = (address: string, ...flags: readonly string[]) =>
    Promise.all(both().map(async (from) => await reaches(from, address, ...flags)))
  const reach = (address: string) =>
    eventually(`${address} answers`, async () => (await pings(address)).every(Boolean), DEADLINE_MS)
  const YES = [true, true]
  const NO = [false, false]

  beforeAll(async () => {
    testbed = await createVpcTestbed(mode, 2, guestSpecs)
    await testbed.guest(ROUTER).must(['sh', '-ec', ROUTE])
  })
  afterAll(() => testbed?.destroy())

  it('nobody gets there without a route', async () => {
    await pass(OUTWARDS)
    await reach(OUTSIDE)
    expect(await pings(BEHIND)).toEqual(NO)
  })

  it('a route leads there, and everything else goes its own way', async () => {
    await pass(LED)
    await reach(BEHIND)
    expect(await pings(OUTSIDE)).toEqual(YES)
    expect(await reaches(testbed.guest(NEAR), vpcInstance(FAR).nics[0]?.ip ?? '')).toBe(true)
    expect(await pings(nic?.ip ?? '')).toEqual(YES)
  })

  rest(
    'what it translates goes out, and nothing that is from others (in the default VPC: long mode)',
    async () => {
      await pass([route(`${OUTSIDE}/32`, toRouter), ...OUTWARDS])
      await reach(OUTSIDE)
      const seen = async () =>
        Number(/\d+/.exec(await nat('nft list counter ip seen out'))?.[0] ?? 0)
      const nat = (script: string) => testbed.guest(ROUTER).must(['sh', '-ec', script])
      await nat(
        `nft 'table ip seen { counter out { }; chain f { type filter hook forward priority 0; ip daddr ${OUTSIDE} counter name out; }; }'`,
      )
      expect(await pings(OUTSIDE)).toEqual(YES)
      expect(await seen()).toBeGreaterThan(0)
      await nat('nft flush chain ip nat out; nft delete table ip seen')
      expect(await pings(OUTSIDE)).toEqual(NO)
      await nat(
        'nft add rule ip nat out oifname eth0 ip daddr != 10.0.0.0/8 ip daddr != 172.31.0.0/16 masquerade',
      )
    },
  )

  it('connections go on when the daemon is killed, and end with the route', async () => {
    await pass(LED)
    await reach(BEHIND)
    const again = () => pings(BEHIND, '-e', '77')
    expect(await again()).toEqual(YES)
    for (const index of [0, 1]) await testbed.host(index).kill()
    expect(await again()).toEqual(YES)
    await pass(LED, { restart: true })
    expect(await again()).toEqual(YES)
    await pass(OUTWARDS)
    expect(await again()).toEqual(NO)
    await pass(LED)
    await reach(BEHIND)
    await pass([route('203.0.113.0/24', { kind: 'blackhole' }), ...OUTWARDS])
    expect(await again()).toEqual(NO)
  })

  it('with the check of source and destination it gets nothing, at once', async () => {
    await pass(LED)
    await reach(BEHIND)
    expect(await pings(BEHIND, '-e', '78')).toEqual(YES)
    // The record of the check comes before that of the route.
    await pass(LED, { isChecked: true })
    expect(await pings(BEHIND, '-e', '78')).toEqual(NO)
    expect(await pings(nic?.ip ?? '')).toEqual(YES)
    await pass(LED)
    await reach(BEHIND)
  })

  rest(
    'its groups judge what goes in, and what it sends by itself (in the default VPC: long mode)',
    async () => {
      const group = vpcInstance(ROUTER).nics[0]?.groups[0]?.id ?? numbered('sg', 1)
      const rule = (match: Omit<RuleWant, 'id'>, at: number): RuleWant => ({
        id: numbered('sgr', 500 + at),
        ...match,
      })
      const [members, out] = [rule(allFromMembers(group), 1), rule(ALL_OUT, 2)]
      await pass(LED, { rules: [members, out] })
      await reach(BEHIND)
      expect(await pings(BEHIND, '-e', '79')).toEqual(YES)
      // Members may not reach each other by ping any more.
      const onlyTcp = { ...members, protocol: 6, fromPort: 0, toPort: 65_535 }
      await pass(LED, { rules: [onlyTcp, out] })
      expect(await pings(BEHIND, '-e', '79')).toEqual(NO)
      expect(await pings(BEHIND)).toEqual(NO)
      // What the router sends as somebody else is from no member.
      const into = (from: readonly string[]) =>
        reaches(testbed.guest(ROUTER), vpcInstance(NEAR).nics[0]?.ip ?? '', ...from)
      await pass(LED, { rules: [members, out] })
      expect(await into([])).toBe(true)
      expect(await into(['-I', BEHIND])).toBe(false)
      const all = rule({ ...ALL_OUT, egress: false }, 3)
      await pass(LED, { rules: [all, out] })
      expect(await into(['-I', BEHIND])).toBe(true)
      // On a shared segment nothing tells it from what any machine sends to a private address.
      const far = vpcInstance(FAR).nics[0]?.ip ?? ''
      const isTold = vpc === 'red' || mode === 'vxlan'
      expect(await reaches(testbed.guest(ROUTER), far, '-I', BEHIND)).toBe(isTold)
      expect(await reaches(testbed.guest(ROUTER), far)).toBe(true)
      await pass(LED)
    },
  )

  rest(
    'network ACLs judge what leaves the subnet and what enters that of the router (in the default VPC: long mode)',
    async () => {
      const acl = (denied: string, egress: boolean): AclWant => ({
        id: numbered('acl', 1),
        rules: [true, false].flatMap((direction, at) => [
          {
            ...{ egress: direction, number: 50 + at, allow: direction !== egress },
            ...{ protocol: -1, fromPort: -1, toPort: -1 },
            peer: { kind: 'ipv4', cidr: cidr(denied) },
          },
          {
            ...{ egress: direction, number: 100 + at, allow: true },
            ...{ protocol: -1, fromPort: -1, toPort: -1 },
            peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') },
          },
        ]),
      })
      const own = vpc === 'red' ? '10.0.0.0/24' : '172.31.0.0/20'
      for (const acls of [
        { own: acl('203.0.113.0/24', true) },
        { own: acl('203.0.113.0/24', false) },
        { edge: acl(own, false) },
        { edge: acl(own, true) },
      ]) {
        await pass(LED, { acls })
        expect(await pings(BEHIND), JSON.stringify(acls)).toEqual(NO)
      }
      await pass(LED)
      await reach(BEHIND)
    },
  )

  rest(
    'what it does not translate goes on by its own routes (in the default VPC: long mode)',
    async () => {
      const [next] = vpcInstance(SECOND).nics
      const toNext = { ...toRouter, nic: next?.id ?? numbered('eni', 2), ip: next?.ip as Ipv4 }
      await testbed.guest(SECOND).must(['ip', 'addr', 'add', '192.0.2.77/32', 'dev', 'lo'])
      const edgeRoutes = { [vpc]: [route('192.0.2.0/24', toNext), ...OUTWARDS] }
      await testbed.guest(ROUTER).must(['nft', 'flush', 'chain', 'ip', 'nat', 'out'])
      await pass([route('192.0.2.0/24', toRouter), ...OUTWARDS], { edgeRoutes })
      await reach('192.0.2.77')
      // Without the second route it leads nowhere.
      await pass([route('192.0.2.0/24', toRouter), ...OUTWARDS])
      expect(await pings('192.0.2.77')).toEqual(NO)
      await pass(LED)
    },
  )

  rest(
    'a route of its own subnet to itself leads nowhere (in the default VPC: long mode)',
    async () => {
      await pass(LED, { edgeRoutes: { [vpc]: [route('0.0.0.0/0', toRouter)] } })
      expect(await reaches(testbed.guest(ROUTER), OUTSIDE)).toBe(false)
      await pass(LED)
      await eventually(
        'it is well again',
        () => reaches(testbed.guest(ROUTER), OUTSIDE),
        DEADLINE_MS,
      )
    },
  )

  it('leaves no rule and no table behind', async () => {
    const network = vpc === 'red' ? 1 : null
    const left = async (index: number) => {
      const show = 'ip rule show; ip route show table all'
      const text =
        network === null
          ? await testbed.host(index).netns.must(['sh', '-ec', show])
          : await testbed.inVpc(index, network, show)
      return text.split('\n').filter((line) => /proto 168\b|lookup 4\d{9}/.test(line))
    }
    expect(await left(0)).not.toEqual([])
    await pass(OUTWARDS)
    expect(await left(0)).toEqual([])
    expect(await left(1)).toEqual([])
  })
})
