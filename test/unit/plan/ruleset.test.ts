/** The ruleset as text: golden files for people to read, properties for what must hold whatever the want. */
import { execFileSync, spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cidr, cidr, formatCidr, ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import type { HostRouting } from '../../../src/model/host-routing.ts'
import type { HostWant, InstanceWant } from '../../../src/model/want.ts'
import { renderRuleset } from '../../../src/plan/ruleset.ts'
import { LONE_FIREWALL, NO_FABRIC } from '../../../tools/kit/instance.ts'
import { townInstance, townWant } from '../../kit/town.ts'

/** One way out, as on most hosts. */
const ROUTING: HostRouting = {
  defaultRoutes: [{ link: 'eth0', gateway: ipv4('192.0.2.1') }],
  connected: [cidr('192.0.2.0/24')],
  engineBridges: [],
  forwardedBefore: true,
}

function golden(name: string) {
  return `./golden/ruleset-${name}.nft`
}

describe('golden files', () => {
  const wants: readonly (readonly [string, HostWant, readonly number[]])[] = [
    ['empty', townWant(), []],
    ['one', townWant(townInstance(11, [1])), []],
    [
      'groups',
      townWant(
        townInstance(11, [1]),
        townInstance(12, [2, 1]),
        townInstance(13, [1, 2]),
        townInstance(14, []),
      ),
      [8080, 22, 22],
    ],
  ]
  test.each(wants)('%s', async (name, want, instanceToHostPorts) => {
    await expect(
      renderRuleset(want, { ...LONE_FIREWALL, instanceToHostPorts }, ROUTING),
    ).toMatchFileSnapshot(golden(name))
  })
})

/** How host 1 of three sees the world: one instance here, one elsewhere, all in one group. */
function hostOfThree(): HostWant {
  const want = townWant(townInstance(11, [1]), townInstance(12, [1]))
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

/** Up to 60 instances with up to four of six groups each. */
const anyTown = fc
  .uniqueArray(fc.integer({ min: 5, max: 4000 }), { maxLength: 60 })
  .chain((numbers) =>
    fc.tuple(...numbers.map((number) => groupsOf.map((groups) => townInstance(number, groups)))),
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
      fc.property(anyTown, (instances) => {
        const want = townWant(...instances)
        const other = { ...want, local: { ...want.local, instances: shuffled(instances) } }
        expect(renderRuleset(other, LONE_FIREWALL, ROUTING)).toBe(
          renderRuleset(want, LONE_FIREWALL, ROUTING),
        )
      }),
    )
  })

  test('rules do not grow with instances: only elements do', () => {
    const rulesOf = (count: number) => {
      const instances = Array.from({ length: count }, (_, index) => townInstance(index + 5, [1, 2]))
      return renderRuleset(townWant(...instances), LONE_FIREWALL, ROUTING).split('\n').length
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
  const anyWorld = fc.record({
    town: anyTown,
    mode: fc.constantFrom('direct', 'vxlan'),
    vpcs: anyNetworks,
    reach: anyNetworks,
    connected: anyNetworks,
    hasTunnel: fc.boolean(),
  })
  const scriptOf = ({ town, mode, vpcs, reach, connected, hasTunnel }: World) => {
    const want = townWant(...town)
    const [first] = want.shared.vpcs
    const shared = {
      ...want.shared,
      vpcs: first === undefined ? [] : vpcs.map((cidr) => ({ ...first, cidr })),
    }
    const fabric = { ...NO_FABRIC, address: ipv4('10.0.0.1'), mode }
    const defaultRoutes = hasTunnel
      ? [...ROUTING.defaultRoutes, { link: 'tun0', gateway: null }]
      : ROUTING.defaultRoutes
    const settings = { ...LONE_FIREWALL, fabric, reach, instanceToHostPorts: [22, 8773] }
    return renderRuleset({ ...want, shared }, settings, { ...ROUTING, defaultRoutes, connected })
  }
  type World = typeof anyWorld extends fc.Arbitrary<infer T> ? T : never

  test('no rule of a table that is replaced hangs on a set that the kernel shows empty', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const [replaced = ''] = scriptOf(world).split('table inet atoll_guard')
        expect(replaced).not.toMatch(/flags .*interval/)
        // Of networks, ranges and beginnings of names.
        const inRules = [...replaced.matchAll(/^ +(?!elements).*\{(.+)\}/gm)].map(([, set]) => set)
        for (const set of inRules) expect(set).not.toMatch(/[/*]|\d-\d/)
      }),
      { numRuns: 50 },
    )
  })

  // Checking needs no privilege over this machine's rules: it happens in a network namespace that ends with the process.
  const canCheck = spawnSync('unshare', ['--net', 'nft', '--version']).status === 0
  test.skipIf(!canCheck)(
    'nft takes every script',
    () => {
      fc.assert(
        fc.property(anyWorld, (world) => {
          const input = scriptOf(world)
          execFileSync('unshare', ['--net', 'nft', '--check', '--file', '-'], { input })
        }),
        { numRuns: 12 },
      )
    },
    60_000,
  )
})
