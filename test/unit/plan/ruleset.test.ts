/**
 * The ruleset as text: golden files for people to read, properties for what must hold whatever the
 * want.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nftObjects } from '../../../src/host/nftables/nft-listing.ts'
import { type Cidr, cidr, formatCidr, ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import type { HostRouting } from '../../../src/model/host-routing.ts'
import { transitOf } from '../../../src/model/transit.ts'
import type { HostWant, InstanceWant, NicWant } from '../../../src/model/want.ts'
import type { RouteWant } from '../../../src/model/ways-out.ts'
import { changeScript, loadScript, planRuleset } from '../../../src/plan/ruleset.ts'
import { LONE_FIREWALL, NO_FABRIC } from '../../../tools/kit/instance.ts'
import {
  anyPeers,
  anyRouting,
  anyRoutingByGateways,
  withPeers,
  withRoutedPeers,
  withRouting,
} from '../../kit/any-routing.ts'
import { LOG, withFlowLogs } from '../../kit/flow-logs.ts'
import { anyRulesOf, withRules } from '../../kit/group-rules.ts'
import { numbered } from '../../kit/records.ts'
import { renderRuleset } from '../../kit/rules-text.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

/** One way out, as on most hosts. */
const ROUTING: HostRouting = {
  defaultRoutes: [{ link: 'eth0', gateway: ipv4('192.0.2.1') }],
  connected: [cidr('192.0.2.0/24')],
  addresses: [],
  engineBridges: [],
  forwardedBefore: true,
}

/** One subnet with a floating IP and routes of all kinds, and one with an ACL and a router. */
function routedWant(): HostWant {
  const [first = testInstance(11, [1]), second = testInstance(12, [1])] = [11, 12].map((number) => {
    const { nics, ...rest } = testInstance(number, [1])
    const publicIp = number === 11 ? ipv4('192.0.2.200') : null
    const more = { publicIp, ...(number === 12 ? { sourceDestCheck: false as const } : {}) }
    return { ...rest, nics: nics.map((nic) => ({ ...nic, ...more })) }
  })
  const [router] = second.nics as [NicWant]
  const port = { fromPort: 80, toPort: 81 }
  const everywhere = { kind: 'ipv4', cidr: cidr('0.0.0.0/0') } as const
  return withRouting(testWant(first, second), [
    [
      [
        { destination: cidr('203.0.113.0/24'), to: { kind: 'blackhole' } },
        { destination: cidr('192.0.2.0/24'), to: { kind: 'nic', nic: router.id, ip: router.ip } },
        {
          destination: cidr('198.18.0.0/16'),
          to: {
            kind: 'nic',
            nic: numbered('eni', 99),
            ip: ipv4('172.31.0.99'),
            via: ipv4('10.0.0.2'),
          },
        },
        { destination: cidr('198.51.0.0/16'), to: { kind: 'nat' } },
        { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } },
      ],
      null,
    ],
    [
      [],
      [
        { number: 1, egress: false, allow: true, protocol: 6, ...port, peer: everywhere },
        {
          ...{ number: 2, egress: false, allow: false, protocol: -1, fromPort: -1, toPort: -1 },
          peer: { kind: 'ipv4', cidr: cidr('172.31.0.8/30') },
        },
      ],
    ],
  ])
}

/** The instance with its NIC changed. */
function withNic(instance: InstanceWant, change: Partial<NicWant>): InstanceWant {
  return { ...instance, nics: instance.nics.map((nic) => ({ ...nic, ...change })) }
}

function golden(name: string) {
  return `./golden/ruleset-${name}.nft`
}

describe('golden files', () => {
  const wants: readonly (readonly [string, HostWant, readonly number[]])[] = [
    ['empty', testWant(), []],
    ['one', testWant(testInstance(11, [1])), []],
    [
      'groups',
      testWant(
        testInstance(11, [1]),
        testInstance(12, [2, 1]),
        testInstance(13, [1, 2]),
        testInstance(14, []),
      ),
      [8080, 22, 22],
    ],
    ['routes', routedWant(), [8080]],
    [
      'router',
      testWant(
        testInstance(11, [1]),
        withNic(testInstance(12, [2]), {
          secondary: [{ ip: ipv4('172.31.0.13') }],
          sourceDestCheck: false,
        }),
      ),
      [],
    ],
  ]
  test.each(wants)('%s', async (name, want, instanceToHostPorts) => {
    await expect(
      renderRuleset(want, { ...LONE_FIREWALL, instanceToHostPorts }, ROUTING),
    ).toMatchFileSnapshot(golden(name))
  })
})

/** How host 1 of three sees the cloud: one instance here, one elsewhere, all in one group. */
function hostOfThree(): HostWant {
  const want = testWant(testInstance(11, [1]), testInstance(12, [1]))
  const peers = ['10.0.0.2', '10.0.0.3'].map(ipv4)
  return {
    local: { ...want.local, instances: want.local.instances.slice(0, 1) },
    shared: {
      ...want.shared,
      peers: peers.map((address) => ({ host: want.local.host, address })),
      routes: [{ ip: ipv4('172.31.0.12'), via: ipv4('10.0.0.2') }],
    },
  }
}

describe('across hosts', () => {
  test.each(['direct', 'vxlan'] as const)('%s', async (mode) => {
    const fabric = { ...NO_FABRIC, address: ipv4('10.0.0.1'), mode }
    const settings = { ...LONE_FIREWALL, fabric, instanceToHostPorts: [8773] }
    await expect(renderRuleset(hostOfThree(), settings, ROUTING)).toMatchFileSnapshot(golden(mode))
  })
})

describe('outbound', () => {
  const want = testWant(testInstance(11, [1]), testInstance(12, [1]))
  const natShares = want.local.instances.flatMap(({ nics }, at) =>
    nics.map(({ id: nic }) => ({ nic, first: 16_384 + at * 96, last: 16_479 + at * 96 })),
  )
  const transits = [1, 2, 3].map((network) => ({
    ...transitOf(network),
    vpc: numbered('vpc', network),
  }))
  const at = (...addresses: readonly string[]) => addresses.map(ipv4)
  const nat = {
    source: at('198.51.100.7', '198.51.100.8'),
    vpcs: [
      { vpc: numbered('vpc', 1), source: at('198.51.100.9') },
      { vpc: numbered('vpc', 2), source: at('203.0.113.9') },
    ],
    exceptions: [cidr('10.0.0.0/8')],
  }
  const routing = { ...ROUTING, addresses: at('198.51.100.7', '198.51.100.8', '198.51.100.9') }

  test('with addresses of the host, shares and exceptions', async () => {
    const settings = { ...LONE_FIREWALL, nat }
    await expect(
      renderRuleset({ ...want, natShares, transits }, settings, routing),
    ).toMatchFileSnapshot(golden('nat'))
  })

  test('without an address nothing goes out, and nothing else changes', () => {
    const lost = renderRuleset({ ...want, natShares }, { ...LONE_FIREWALL, nat }, ROUTING)
    expect(lost).toContain('elements = { 172.31.0.11, 172.31.0.12 }')
    expect(lost).toContain('ip saddr @unsourced')
    const none = { ...nat, source: [] }
    expect(
      renderRuleset({ ...want, natShares }, { ...LONE_FIREWALL, nat: none }, ROUTING),
    ).not.toContain('unsourced')
  })

  test('one more share changes nothing but elements and its own chain', () => {
    const settings = { ...LONE_FIREWALL, nat }
    const before = planRuleset({ ...want, natShares: natShares.slice(0, 1) }, settings, routing)
    const script = changeScript(before, planRuleset({ ...want, natShares }, settings, routing))
    expect(script?.trim().split('\n')).toEqual([
      'add chain inet atoll share_16480_16575',
      'add rule inet atoll share_16480_16575 meta l4proto { icmp, tcp, udp, sctp } snat ip to 198.51.100.7:16480-16575',
      'add rule inet atoll share_16480_16575 snat ip to 198.51.100.7',
      'add element inet atoll nat_shares { 172.31.0.12 : goto share_16480_16575 }',
    ])
  })
})

test('a VPC with a network of its own and two peers', async () => {
  const want = testWant(testInstance(11, [1]))
  const peered = [
    { network: 3, range: '10.8.0.0/16', link: 'at-p-3' },
    { network: 4, range: '10.9.0.0/16', link: null },
  ].map(({ network, range, link }) => ({
    ...{ network, link, cidr: cidr(range) },
    ...{ id: numbered('pcx', network), vpc: numbered('vpc', network) },
  }))
  const fabric = { ...NO_FABRIC, address: ipv4('10.0.0.1'), mode: 'vxlan' as const }
  const settings = { ...LONE_FIREWALL, fabric, inVpc: true }
  await expect(renderRuleset({ ...want, peered }, settings, ROUTING)).toMatchFileSnapshot(
    golden('peered'),
  )
})

test("a VPC in the machine's own namespace and two peers", async () => {
  const want = testWant(testInstance(11, [1]))
  const [vpc] = want.shared.vpcs
  if (vpc === undefined) throw new Error('there is a VPC')
  const routedPeers = ['10.8.0.0/16', '10.9.0.0/20'].map((range, at) => ({
    ...{ id: numbered('pcx', at + 3), vpc: numbered('vpc', at + 3), network: at + 3 },
    ...{ link: `at-p-${at + 3}`, cidr: cidr(range), own: vpc.id, ownCidr: vpc.cidr },
  }))
  const routes = [
    { destination: cidr('10.8.7.0/24'), to: { kind: 'blackhole' as const } },
    {
      destination: cidr('10.8.0.0/15'),
      to: { kind: 'peering' as const, peering: numbered('pcx', 3) },
    },
    { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' as const } },
  ]
  const subnets = want.shared.subnets.map((subnet) => ({ ...subnet, vpc: vpc.id, routes }))
  const shared = { ...want.shared, subnets }
  await expect(
    renderRuleset({ ...want, shared, routedPeers }, LONE_FIREWALL, ROUTING),
  ).toMatchFileSnapshot(golden('routed-peers'))
})

test.each([
  ['gateways', true],
  ['gateways-own', false],
] as const)(
  'NAT gateways with an address, one carried here, one elsewhere: %s',
  async (name, inVpc) => {
    const way = (number: number, via?: string): RouteWant => ({
      destination: cidr('0.0.0.0/0'),
      to: {
        ...{ kind: 'nat-address', gateway: numbered('nat', number) },
        ip: ipv4(`198.51.100.${number}`),
        ...(via === undefined ? {} : { via: ipv4(via) }),
      },
    })
    const want = withRouting(hostOfThree(), [
      [[{ destination: cidr('203.0.113.0/24'), to: { kind: 'internet' } }, way(7)], null],
      [[way(8, '10.0.0.2')], null],
    ])
    const fabric = { ...NO_FABRIC, address: ipv4('10.0.0.1'), mode: 'vxlan' as const }
    // The host has not the address that others go out with: a gateway needs none.
    const nat = { ...LONE_FIREWALL.nat, source: inVpc ? [] : [ipv4('203.0.113.9')] }
    const settings = { ...LONE_FIREWALL, fabric, inVpc, nat }
    await expect(renderRuleset(want, settings, ROUTING)).toMatchFileSnapshot(golden(name))
  },
)

/** Up to 60 instances with up to four of six groups each. */
const anyInstances = fc
  .uniqueArray(fc.integer({ min: 5, max: 4000 }), { maxLength: 60 })
  .chain((numbers) =>
    fc.tuple(...numbers.map((number) => groupsOf.map((groups) => testInstance(number, groups)))),
  )
const groupsOf = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 })

function shuffled(instances: readonly InstanceWant[]): readonly InstanceWant[] {
  return instances.map((each) => ({
    ...each,
    nics: each.nics.map((nic) => ({ ...nic, groups: nic.groups.toReversed() })),
  }))
}

describe('properties', () => {
  test('the order of an instance’s groups makes no difference', () => {
    fc.assert(
      fc.property(anyInstances, (instances) => {
        const want = testWant(...instances)
        const other = { ...want, local: { ...want.local, instances: shuffled(instances) } }
        expect(renderRuleset(other, LONE_FIREWALL, ROUTING)).toBe(
          renderRuleset(want, LONE_FIREWALL, ROUTING),
        )
      }),
    )
  })

  test('rules do not grow with instances: only elements do', () => {
    const rulesOf = (count: number) => {
      const instances = Array.from({ length: count }, (_, index) => testInstance(index + 5, [1, 2]))
      return renderRuleset(testWant(...instances), LONE_FIREWALL, ROUTING).split('\n').length
    }
    expect(rulesOf(500)).toBe(rulesOf(1))
  })

  /** Of both ends, lengths and numbers of networks. */
  const anyNetworks = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 0, max: 32 }), fc.nat(0xffff_ffff)).map(([prefix, bits]): Cidr => {
      const size = 2 ** (32 - prefix)
      return { network: ipv4FromNumber(bits - (bits % size)), prefix }
    }),
    { maxLength: 30, selector: formatCidr },
  )
  const anyRulesetInput = fc.record({
    instances: anyInstances,
    mode: fc.constantFrom('direct', 'vxlan'),
    vpcs: anyNetworks,
    reach: anyNetworks,
    pools: anyNetworks,
    connected: anyNetworks,
    hasTunnel: fc.boolean(),
    rules: anyRulesOf([1, 2, 3]),
    routing: fc.option(fc.oneof(anyRouting, anyRoutingByGateways), { nil: null }),
    inVpc: fc.boolean(),
    peers: anyPeers,
    flowLogs: fc.subarray(['ACCEPT', 'REJECT', 'ALL'] as const),
  })
  const rulesetOf = ({
    instances,
    mode,
    vpcs,
    reach,
    connected,
    hasTunnel,
    ...more
  }: RulesetInput) => {
    const groups = withFlowLogs(
      withRules(testWant(...instances), more.rules),
      more.flowLogs.map((trafficType) => ({ ...LOG, trafficType })),
    )
    const routed = more.routing === null ? groups : withRouting(groups, more.routing)
    const want = more.inVpc ? withPeers(routed, more.peers) : withRoutedPeers(routed, more.peers)
    const [first] = want.shared.vpcs
    // A namespace is that of one VPC.
    const own = first === undefined ? [] : vpcs.map((cidr) => ({ ...first, cidr }))
    const shared = { ...want.shared, vpcs: more.inVpc ? want.shared.vpcs.slice(0, 1) : own }
    const fabric = { ...NO_FABRIC, address: ipv4('10.0.0.1'), mode }
    const defaultRoutes = hasTunnel
      ? [...ROUTING.defaultRoutes, { link: 'tun0', gateway: null }]
      : ROUTING.defaultRoutes
    const settings = {
      ...{ ...LONE_FIREWALL, fabric, reach, instanceToHostPorts: [22, 8773] },
      ...(more.inVpc ? { inVpc: true } : {}),
    }
    return planRuleset({ ...want, shared }, settings, { ...ROUTING, defaultRoutes, connected })
  }
  const scriptOf = (given: RulesetInput) => loadScript(rulesetOf(given))
  type RulesetInput = typeof anyRulesetInput extends fc.Arbitrary<infer T> ? T : never

  test('no rule of a table that is replaced hangs on a set that the kernel shows empty', () => {
    fc.assert(
      fc.property(anyRulesetInput, (given) => {
        const [replaced = ''] = scriptOf(given).split('table inet atoll_guard')
        expect(replaced).not.toMatch(/flags .*interval/)
        // Of networks, ranges and beginnings of names.
        const inRules = [...replaced.matchAll(/^ +(?!elements).*\{(.+)\}/gm)].map(([, set]) => set)
        for (const set of inRules)
          expect(set?.replace(/limit rate over \S+/, '')).not.toMatch(/[/*]|\d-\d/)
      }),
      { numRuns: 50 },
    )
  })

  // Checking needs no privilege over this machine's rules: it happens in a network namespace that
  // ends with the process.
  const canCheck = spawnSync('unshare', ['--net', 'nft', '--version']).status === 0
  test.skipIf(!canCheck)(
    'nft takes every script',
    () => {
      fc.assert(
        fc.property(anyRulesetInput, (given) => {
          const input = scriptOf(given)
          execFileSync('unshare', ['--net', 'nft', '--check', '--file', '-'], { input })
        }),
        { numRuns: 12 },
      )
    },
    60_000,
  )

  /** What the kernel has after these scripts, one after the other. */
  const kernelAfter = (...scripts: readonly string[]) => {
    const load = scripts.map((_, at) => `nft -f "$d/${at}"`).join(' && ')
    const directory = mkdtempSync(join(tmpdir(), 'atoll-ruleset-'))
    for (const [at, script] of scripts.entries()) writeFileSync(join(directory, `${at}`), script)
    const lists = ['inet atoll', 'arp atoll', 'inet atoll_guard'].map(
      (table) => `nft -j list table ${table}`,
    )
    const command = `d=${directory}; ${load} && ${lists.join(' && ')}`
    const listing = execFileSync('unshare', ['--net', 'sh', '-c', command], { encoding: 'utf8' })
    rmSync(directory, { recursive: true })
    return listing.trim().split('\n').map(contents)
  }
  test.skipIf(!canCheck)(
    'a change in place ends with the very tables that a load makes',
    () => {
      fc.assert(
        fc.property(anyRulesetInput, anyRulesetInput, (one, other) => {
          // A set that becomes another kind of match is a change, too.
          const [before, now] = [
            rulesetOf(one),
            rulesetOf({ ...other, mode: one.mode, inVpc: one.inVpc }),
          ]
          const change = changeScript(before, now)
          expect(changeScript(now, now)).toBe('')
          expect(change).not.toBeNull()
          expect(kernelAfter(loadScript(before), change ?? '')).toEqual(
            kernelAfter(loadScript(now)),
          )
        }),
        { numRuns: 25 },
      )
    },
    120_000,
  )
})

/** What a listing says, whatever the order of objects and elements, handles and counters. */
function contents(listing: string): unknown {
  const objects = nftObjects(JSON.parse(listing)).map((object) =>
    JSON.stringify(object, (key, value: unknown) => {
      if (key === 'handle' || key === 'metainfo' || key === 'packets' || key === 'bytes')
        return undefined
      return key === 'elem' && Array.isArray(value)
        ? value.map((element) => JSON.stringify(element)).sort()
        : value
    }),
  )
  const rules = objects.filter((text) => text.startsWith('{"rule"'))
  const others = objects.filter((text) => !text.startsWith('{"rule"'))
  return {
    others: others.sort(),
    // The order of rules counts within a chain.
    rules: Object.groupBy(rules, (text) => /"chain":"([^"]+)"/.exec(text)?.[1] ?? ''),
  }
}
