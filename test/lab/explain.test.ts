/**
 * `explain` agrees with the kernel: for any records (groups, rules, routes, network ACLs, peering
 * connections, floating IPs) of four VPCs in two subnets each on two hosts, two of them with the
 * same addresses, a packet of any kind arrives exactly if `explain` says so, and so does its
 * answer. Everything is made once; each case changes the records in place and sends real packets.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Cidr,
  cidr,
  cidrAddress,
  cidrOverlaps,
  type Ipv4,
  ipv4,
  macFromRandom,
} from '../../src/model/addr.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  type RuleMatch,
  type RulePeer,
} from '../../src/model/group-rule.ts'
import { ACL_NUMBER_MAX, type AclRule, DEFAULT_ACL_RULES } from '../../src/model/network-acl.ts'
import type { Instance, PlacedNic } from '../../src/model/records.ts'
import type { VpcRouting } from '../../src/model/vpc-routing.ts'
import { explainPacket, type Surroundings } from '../../src/plan/explain.ts'
import {
  type CloudRecords,
  type End,
  findEnd,
  parseTraffic,
} from '../../src/plan/explain-question.ts'
import type { Explanation } from '../../src/plan/explain-step.ts'
import { wantFor } from '../../src/plan/want.ts'
import {
  createFabricTestbed,
  type FabricHost,
  type FabricTestbed,
  firewallOf,
  OUTSIDE,
} from '../kit/fabric-testbed.ts'
import { type PacketEnd, type Probe, sendProbes } from '../kit/probe-packets.ts'
import {
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  network,
  numbered,
} from '../kit/records.ts'
import { buildServices, DNS_ZONE } from '../kit/vpc-testbed.ts'
import { isLong } from '../long-files.ts'

const CASES = isLong ? 60 : 3
const HOSTS = [hostName('host-1'), hostName('host-2')] as const
const VPCS = [
  { number: null, cidr: cidr('172.31.0.0/16'), subnets: ['172.31.0.0/24', '172.31.1.0/24'] },
  { number: 1, cidr: cidr('10.0.0.0/16'), subnets: ['10.0.0.0/24', '10.0.1.0/24'] },
  { number: 2, cidr: cidr('10.0.0.0/16'), subnets: ['10.0.0.0/24', '10.0.1.0/24'] },
  { number: 3, cidr: cidr('10.8.0.0/16'), subnets: ['10.8.0.0/24', '10.8.1.0/24'] },
] as const
/** Pairs of VPCs, by index. One of the last is in the hosts' own network. */
const PAIRS = [
  [1, 3],
  [2, 3],
  [0, 3],
] as const
/** VPC, subnet and host of each instance, by index. */
const HOMES = [
  [0, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [1, 0, 0],
  [1, 1, 1],
  [2, 0, 0],
  [3, 0, 0],
  [3, 1, 1],
] as const
const GROUPS_OF_VPC = 2
const KINDS = ['tcp/22', 'tcp/443', 'udp/53', 'icmp/8'] as const
/** Of each instance, if it has one: the pool has six. */
const FLOATING_IPS = [201, null, 202, 203, null, 204, 205, 206].map((number) =>
  number === null ? null : ipv4(`198.51.100.${number}`),
)

/** What differs from case to case. */
interface Case {
  /** Groups of each instance, by their position in its VPC. */
  readonly memberships: readonly (readonly number[])[]
  /** Whether each instance has a floating IP. */
  readonly floating: readonly boolean[]
  /** Where the route tables of each VPC lead out, besides `local`; null: nowhere. */
  readonly waysOut: readonly (string | null)[]
  /** Which pairs are peered, and where the route tables of each VPC lead to a peer. */
  readonly peered: readonly number[]
  readonly waysToPeers: readonly (readonly { readonly to: string; readonly pair: number }[])[]
  /** The ACL of each subnet of each VPC; null: the default one, which lets all pass. */
  readonly acls: readonly (readonly (readonly AclRule[] | null)[])[]
  readonly rules: readonly {
    readonly vpc: number
    readonly group: number
    readonly match: AnyRule
  }[]
}
type AnyRule = Omit<RuleMatch, 'peer'> & { readonly peer: AnyPeer }
type AnyPeer = { readonly kind: 'group'; readonly at: number } | Extract<RulePeer, { kind: 'ipv4' }>

const anyPeer: fc.Arbitrary<AnyPeer> = fc.oneof(
  fc
    .constantFrom(
      '0.0.0.0/0',
      '0.0.0.0/0',
      '172.31.1.0/24',
      '10.0.0.0/16',
      '10.8.0.0/15',
      '198.51.100.0/24',
    )
    .map((text) => ({ kind: 'ipv4', cidr: cidr(text) }) as const),
  fc.constantFrom(0, 1).map((at) => ({ kind: 'group', at }) as const),
)
const anyMatch = fc.constantFrom(
  { protocol: ANY_PROTOCOL, fromPort: ANY_PORT, toPort: ANY_PORT },
  { protocol: 6, fromPort: 22, toPort: 22 },
  { protocol: 6, fromPort: 0, toPort: 65_535 },
  { protocol: 17, fromPort: 50, toPort: 60 },
  { protocol: 1, fromPort: 8, toPort: ANY_PORT },
)
/** Beside what rules of groups match: ports of answers, and answers to pings. */
const anyAclMatch = fc.oneof(
  anyMatch,
  fc.constantFrom(
    { protocol: 6, fromPort: 1024, toPort: 65_535 },
    { protocol: 17, fromPort: 1024, toPort: 65_535 },
    { protocol: 1, fromPort: 0, toPort: ANY_PORT },
  ),
)
const anyEntry = fc.record({
  number: fc.integer({ min: 1, max: 32_000 }),
  egress: fc.boolean(),
  allow: fc.boolean(),
  match: anyAclMatch,
  peer: fc.constantFrom(
    ...['0.0.0.0/0', '172.31.1.0/24', '10.0.0.0/16', '10.0.1.0/24', '10.8.0.0/24'],
    ...['198.51.100.0/24', '198.51.100.254/32'],
  ),
})
/** Most end with entries that let the rest pass: without them little does. */
const anyAcl: fc.Arbitrary<readonly AclRule[]> = fc
  .tuple(
    fc.uniqueArray(anyEntry, {
      selector: ({ number, egress }) => `${number} ${egress}`,
      maxLength: 5,
    }),
    fc.integer({ min: 0, max: 3 }).map((roll) => roll > 0),
  )
  .map(([entries, isOpen]) => [
    ...entries.map(({ match, peer, ...entry }) => ({
      ...{ ...entry, ...match },
      peer: { kind: 'ipv4' as const, cidr: cidr(peer) },
    })),
    ...(isOpen ? DEFAULT_ACL_RULES.map((rule) => ({ ...rule, number: ACL_NUMBER_MAX })) : []),
  ])
const anyCase: fc.Arbitrary<Case> = fc.record({
  memberships: fc.tuple(...HOMES.map(() => fc.subarray([0, 1], { minLength: 1 }))),
  floating: fc.tuple(...HOMES.map(() => fc.boolean())),
  waysOut: fc.tuple(
    ...VPCS.map(() => fc.constantFrom('0.0.0.0/0', '0.0.0.0/0', '198.51.100.0/24', null)),
  ),
  peered: fc.subarray(PAIRS.map((_, at) => at)),
  waysToPeers: fc.tuple(
    ...VPCS.map(() =>
      fc.uniqueArray(
        fc.record({
          to: fc.constantFrom(
            ...['10.0.0.0/16', '10.0.0.0/24', '10.8.0.0/16', '10.8.1.0/24'],
            ...['172.31.0.0/16', '172.31.1.0/24'],
          ),
          pair: fc.nat(PAIRS.length - 1),
        }),
        { selector: ({ to }) => to, maxLength: 4 },
      ),
    ),
  ),
  acls: fc.tuple(
    ...VPCS.map(({ subnets }) =>
      fc.tuple(...subnets.map(() => fc.option(anyAcl, { nil: null, freq: 1 }))),
    ),
  ),
  rules: fc.array(
    fc.record({
      vpc: fc.nat(VPCS.length - 1),
      group: fc.nat(GROUPS_OF_VPC - 1),
      match: fc
        .tuple(fc.boolean(), anyPeer, anyMatch)
        .map(([egress, peer, match]) => ({ egress, peer, ...match })),
    }),
    { minLength: 6, maxLength: 24 },
  ),
})

const vpcId = (vpc: number) => numbered('vpc', vpc + 1)
const groupId = (vpc: number, at: number) => numbered('sg', vpc * 10 + at + 1)
const subnetId = (vpc: number, at: number) => numbered('subnet', vpc * 10 + at + 1)

function subnetOf(vpc: number, at: number) {
  return cidr(VPCS[vpc]?.subnets[at] ?? '')
}

/** The private address is the same in VPCs with the same networks. */
function addressOf(index: number): Ipv4 {
  const [vpc = 0, subnet = 0] = HOMES[index] ?? []
  return cidrAddress(subnetOf(vpc, subnet), vpc === 0 ? 10 + index : 20)
}

/** A main table with a route to the VPC's internet gateway and those to peers, and the ACLs. */
function routingOf(vpc: number, { waysOut, waysToPeers, acls }: Case): VpcRouting {
  const { account } = network.vpc
  const wayOut = waysOut[vpc] ?? null
  const [id, gateway, table] = [vpcId(vpc), numbered('igw', vpc + 1), numbered('rtb', vpc + 1)]
  const target = { kind: 'internet-gateway', id: gateway } as const
  return {
    vpc: id,
    internetGateways: [{ id: gateway, account, vpc: id }],
    natGateways: [],
    tables: [{ id: table, account, vpc: id }],
    routes: [
      ...(wayOut === null ? [] : [{ table, vpc: id, destination: cidr(wayOut), target }]),
      ...(waysToPeers[vpc] ?? [])
        // A route to what the VPC itself has is refused.
        .filter(({ to }) => !cidrOverlaps(cidr(to), cidrOf(vpc)))
        .map(({ to, pair }) => ({
          ...{ table, vpc: id, destination: cidr(to) },
          target: { kind: 'peering' as const, id: numbered('pcx', pair + 1) },
        })),
    ],
    associations: [{ id: numbered('rtbassoc', vpc + 1), table, vpc: id, subnet: null }],
    ...aclsOf(vpc, acls[vpc] ?? []),
  }
}

function cidrOf(vpc: number): Cidr {
  return VPCS[vpc]?.cidr ?? cidr('0.0.0.0/0')
}

/** The default ACL, and those of subnets. */
function aclsOf(
  vpc: number,
  ofSubnets: readonly (readonly AclRule[] | null)[],
): Pick<VpcRouting, 'acls' | 'aclEntries' | 'aclAssociations'> {
  const { account } = network.vpc
  const made = [DEFAULT_ACL_RULES, ...ofSubnets].flatMap((rules, at) =>
    rules === null ? [] : [{ at, rules, id: numbered('acl', vpc * 10 + at + 1) }],
  )
  const own = { account, vpc: vpcId(vpc) }
  return {
    acls: made.map(({ id, at }) => ({ ...own, id, isDefault: at === 0 })),
    aclEntries: made.flatMap(({ id, rules }) =>
      rules.map((rule) => ({ ...rule, acl: id, vpc: vpcId(vpc) })),
    ),
    aclAssociations: made.flatMap(({ id, at }) =>
      at === 0
        ? []
        : [
            {
              ...{ id: numbered('aclassoc', vpc * 10 + at), acl: id, vpc: vpcId(vpc) },
              subnet: subnetId(vpc, at - 1),
            },
          ],
    ),
  }
}

function recordsOf(one: Case) {
  const { memberships, floating, peered, rules } = one
  const instances = HOMES.map(
    ([, , host], at): Instance => ({
      ...instanceRecord(instanceId(at + 1), HOSTS[host]),
      state: 'running',
    }),
  )
  const nics = HOMES.map(
    ([vpc, subnet, host], at): PlacedNic => ({
      id: numbered('eni', (at + 1) << 20),
      instance: instanceId(at + 1),
      account: network.vpc.account,
      vpc: vpcId(vpc),
      subnet: subnetId(vpc, subnet),
      deviceIndex: 0,
      ip: addressOf(at),
      mac: macFromRandom(Uint8Array.of(0, 0, 0, 0, at + 1)),
      groups: (memberships[at] ?? []).map((group) => groupId(vpc, group)),
      createdAt: '2026-11-22T08:00:00.000Z',
      host: HOSTS[host],
      nameTag: null,
      publicIp: floating[at] === true ? (FLOATING_IPS[at] ?? null) : null,
    }),
  )
  return {
    hosts: HOSTS.map((name, at) =>
      hostRecord(name, { fabricAddress: testbed.hosts[at]?.address ?? ipv4('0.0.0.0') }),
    ),
    instances,
    nics,
    vpcs: VPCS.map(({ number, cidr }, at) => ({
      ...{ ...network.vpc, id: vpcId(at), cidr, network: number, isDefault: at === 0 },
    })),
    peerings: peered.map((pair) => {
      const [a = 0, b = 0] = PAIRS[pair] ?? []
      return { id: numbered('pcx', pair + 1), vpcs: [vpcId(a), vpcId(b)] as const }
    }),
    routing: VPCS.map((_, vpc) => routingOf(vpc, one)),
    subnets: VPCS.flatMap(({ subnets }, vpc) =>
      subnets.map((_, at) => ({
        ...{ ...network.subnet, id: subnetId(vpc, at), vpc: vpcId(vpc), cidr: subnetOf(vpc, at) },
      })),
    ),
    groups: VPCS.flatMap((_, vpc) =>
      [0, 1].map((at) => ({
        ...{ ...network.group, id: groupId(vpc, at), vpc: vpcId(vpc), name: `group-${vpc}-${at}` },
      })),
    ),
    groupRules: rules.map(({ vpc, group, match: { peer, ...match } }, at) => ({
      ...match,
      peer: peer.kind === 'group' ? { kind: 'group' as const, group: groupId(vpc, peer.at) } : peer,
      id: numbered('sgr', at + 1),
      group: groupId(vpc, group),
      vpc: vpcId(vpc),
      account: network.vpc.account,
      description: '',
    })),
  }
}

let testbed: FabricTestbed
let ends: readonly PacketEnd[]

async function apply(records: ReturnType<typeof recordsOf>): Promise<void> {
  for (const [at, name] of HOSTS.entries()) {
    const snapshot = {
      ...{ ...records, instances: records.instances.filter(({ host }) => host === name) },
      ...{ vpcDns: [], flowLogs: [], images: [], types: [], keyPairs: [], tags: [] },
      ...{ volumes: [], unreadable: [], profiles: [] },
    }
    const want = wantFor(name, snapshot)
    if (want === null) throw new Error(`${name} has no want`)
    await testbed.hosts[at]?.pass(want)
  }
}

const FIRST: Case = {
  memberships: HOMES.map(() => [0]),
  floating: HOMES.map(() => false),
  waysOut: VPCS.map(() => '0.0.0.0/0'),
  peered: [],
  waysToPeers: VPCS.map(() => []),
  acls: VPCS.map(() => []),
  rules: [],
}

beforeAll(async () => {
  testbed = await createFabricTestbed('direct', HOSTS.length, buildServices)
  const records = recordsOf(FIRST)
  await apply(records)
  const guests = []
  for (const [index, [, , host]] of HOMES.entries()) {
    const name = HOSTS[host]
    const snapshot = {
      ...{ ...records, vpcDns: [], flowLogs: [], images: [], types: [], keyPairs: [], tags: [] },
      ...{ volumes: [], unreadable: [], profiles: [] },
    }
    const want = wantFor(name, snapshot)
    const instance = want?.local.instances.find(({ id }) => id === instanceId(index + 1))
    const made = instance === undefined ? undefined : await testbed.hosts[host]?.plug(instance)
    if (made === undefined) throw new Error('there is no such instance')
    guests.push({ ip: addressOf(index), machine: made })
  }
  // Who is outside knows the way to the private addresses of the default VPC.
  for (const [index, [vpc, , host]] of HOMES.entries())
    if (vpc === 0)
      await testbed.outside.must(
        `ip route add ${addressOf(index)} via ${testbed.hosts[host]?.uplink}`.split(' '),
      )
  for (const range of ['10.0.0.0/16', '10.8.0.0/16'])
    await testbed.outside.must(`ip route add ${range} via 198.51.100.1`.split(' '))
  ends = [...guests, { ip: OUTSIDE, machine: testbed.outside }]
}, 120_000)
afterAll(() => testbed.destroy())

/** Every packet that is tried: to private addresses and floating IPs of all, and to outside. */
function probesOf({ floating }: Case): readonly Probe[] {
  const all = ends.flatMap((_, from) =>
    ends.flatMap(({ ip }, to) => {
      const publicIp = floating[to] === true ? (FLOATING_IPS[to] ?? []) : []
      const isSelf = from === to
      return [isSelf ? [] : ip, publicIp].flat().map((destination) => ({ from, to, destination }))
    }),
  )
  return (
    all
      .filter(({ from, to }) => !(from === HOMES.length && to === HOMES.length))
      // From outside, an instance of a VPC with a network of its own is meant by its floating IP.
      .filter(
        ({ from, to, destination }) =>
          !(from === HOMES.length && floating[to] === true && destination === ends[to]?.ip),
      )
      .flatMap((one) =>
        KINDS.map((kind) => {
          const parsed = parseTraffic(kind)
          if ('problem' in parsed) throw new Error(parsed.problem)
          const { protocol, port, code } = parsed.value
          return { ...one, protocol, port, code }
        }),
      )
  )
}

/** What the host knows besides the records. */
async function surroundingsOf(host: FabricHost, at: number): Promise<Surroundings> {
  return {
    ...{ ...firewallOf(host.settings), host: HOSTS[at] ?? HOSTS[0], zone: DNS_ZONE },
    routing: await host.inside(() => host.host.surroundings()),
  }
}

/** What `explain` says on the host of the source, or of the destination. */
function explained(
  probe: Probe,
  cloud: CloudRecords,
  around: readonly Surroundings[],
): Explanation {
  const { from, to, destination, protocol, port } = probe
  const endOf = (text: string, near?: End): End => {
    const found = findEnd(text, cloud, near)
    if ('problem' in found) throw new Error(found.problem)
    return found.value
  }
  const name = (index: number) => (index === HOMES.length ? OUTSIDE : instanceId(index + 1))
  const isPrivate = destination === ends[to]?.ip
  const source = endOf(name(from))
  // From outside, several may have the address; what is meant is that of this end.
  const target = from === HOMES.length && isPrivate ? endOf(name(to)) : endOf(destination, source)
  const isMeant = target.kind === 'address' ? to === HOMES.length : target.instance.id === name(to)
  if (!isMeant) return { passes: false, text: 'another is meant', steps: [] }
  const kind = { 1: `icmp/${port}`, 6: `tcp/${port}`, 17: `udp/${port}` }[protocol] ?? ''
  const traffic = parseTraffic(kind)
  const host = HOMES[from === HOMES.length ? to : from]?.[2] ?? 0
  const surroundings = around[host]
  if (surroundings === undefined || 'problem' in traffic)
    throw new Error('there is no such host or kind')
  return explainPacket(source, target, traffic.value, cloud, surroundings)
}

function describeProbe({ from, destination, protocol, port }: Probe): string {
  return `${from === HOMES.length ? 'outside' : `i-${from + 1}`} to ${destination}: ${protocol}/${port}`
}

/** What `explain` says of a packet: whether it arrives, and whether its answer does, too. */
function verdictOf({ passes, text, steps }: Explanation) {
  const isThere = steps.every((one) => one.passes || one.step === 'answer')
  return { arrived: steps.length > 0 && isThere, answered: passes, text }
}

test('packets and answers arrive exactly if explain says so', async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async (one) => {
      const records = recordsOf(one)
      await apply(records)
      const probes = probesOf(one)
      const cloud: CloudRecords = { ...records, nameTags: new Map() }
      const around = await Promise.all(testbed.hosts.map(surroundingsOf))
      const expected = probes.map((probe) => ({
        ...{ probe, ...verdictOf(explained(probe, cloud, around)) },
      }))
      const heard = [await sendProbes(ends, probes)]
      const has = (what: 'arrived' | 'answered', probe: Probe) =>
        heard.some((one) => one[what].has(probe))
      // On a busy machine a packet may be late. What never arrives does not arrive again.
      const late = expected.filter(
        ({ probe, arrived, answered }) =>
          (arrived && !has('arrived', probe)) || (answered && !has('answered', probe)),
      )
      if (late.length > 0)
        heard.push(
          await sendProbes(
            ends,
            late.map(({ probe }) => probe),
          ),
        )
      const wrong = expected.flatMap(({ probe, text, ...verdict }) =>
        (['arrived', 'answered'] as const).flatMap((what) => {
          const isThere = has(what, probe)
          if (verdict[what] === isThere) return []
          const happened = `${isThere ? '' : 'not '}${what}`
          return [`${describeProbe(probe)} ${happened}; ${text}`]
        }),
      )
      expect(wrong).toEqual([])
    }),
    { numRuns: CASES, endOnFailure: true },
  )
}, 600_000)
