/**
 * Security groups as nft rules. The first packet of a connection costs one map lookup at its source
 * and one at its destination, whatever the number of instances, and then the rules of the NIC's
 * groups. Pure.
 *
 * Each group has two chains with its rules, `out_sg_…` and `in_sg_…`. NICs in the same combination
 * of groups share the chains `egress_N` and `ingress_N`, which jump to those of their groups. The
 * maps `egress` and `ingress` lead from the address of a NIC to its chain.
 *
 * A rule has a named counter, which keeps its value when the chain of its group is written anew.
 */
import { type Cidr, formatCidr } from '../model/addr.ts'
import { ANY_PORT, ANY_PROTOCOL, hasPorts, PORT_MAX, PROTOCOLS } from '../model/group-rule.ts'
import type { GroupId, SecurityGroupRuleId } from '../model/ids.ts'
import { NIC_LINK_PREFIX } from '../model/names.ts'
import {
  addressesOf,
  type GroupWant,
  type HostWant,
  type NicWant,
  type RuleWant,
} from '../model/want.ts'
import { refusalChains, refuse } from './flow-log-rules.ts'
import { chain, map, type NftObject, namedCounter, set } from './nft-tables.ts'
import { ACCEPT, drop } from './nft-text.ts'
import { routerVerdicts } from './routers.ts'

/** NICs in the same groups. */
interface Combination {
  readonly name: string
  readonly groups: readonly GroupId[]
  readonly nics: readonly NicWant[]
}

type Direction = 'egress' | 'ingress'

/** Where an allowed packet goes on, by direction: from the source's groups to the destination's. */
const VERDICT = { egress: 'goto check_ingress', ingress: ACCEPT } as const
const PREFIX = { egress: 'out', ingress: 'in' } as const
const OWN_ADDRESS = { egress: 'ip saddr', ingress: 'ip daddr' } as const
const PEER_ADDRESS = { egress: 'ip daddr', ingress: 'ip saddr' } as const

/**
 * Sets, maps and chains for these NICs. The first `countedRules` of their rules, by id, have
 * counters. What begins a connection goes to the chain `check_egress` when it is from one of them,
 * else to `check_ingress`. What leaves the host goes on to `leaving`.
 */
export function securityGroupChains(
  want: HostWant,
  nics: readonly NicWant[],
  leaving: string,
  countedRules: number,
): readonly NftObject[] {
  const groups = new Map(want.shared.groups.map((group) => [group.id, group]))
  const combinations = combine(nics)
  const used = [...new Set(combinations.flatMap((one) => one.groups))].toSorted()
  const rules = used.flatMap((id) => groups.get(id)?.rules ?? [])
  const counters = rules.flatMap(({ id, peer }) => (peer.kind === 'ipv6' ? [] : id))
  const counted = new Set([...new Set(counters)].toSorted().slice(0, countedRules))
  const away = `oifname != "${NIC_LINK_PREFIX}*" goto ${leaving}`
  return [
    ...[...counted].map((id) => namedCounter(ruleCounterName(id))),
    ...refusalChains(want, drop('group')),
    ...memberSets(rules, groups),
    ...combinations.map(({ name, nics }) => {
      return set(nicSetName(name), ['type ipv4_addr'], nics.flatMap(addressesOf))
    }),
    ...direction('ingress', used, groups, counted, combinations, [away]),
    ...direction('egress', used, groups, counted, combinations, []),
  ]
}

/** The combinations that NICs are in, numbered in an order that does not depend on that of NICs. */
function combine(nics: readonly NicWant[]): readonly Combination[] {
  const groupsOf = (nic: NicWant) => [...new Set(nic.groups.map(({ id }) => id))].toSorted()
  return [...Map.groupBy(nics, (nic) => groupsOf(nic).join())]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members], index) => {
      const [first] = members
      // Numbered: the ids of all groups together can be longer than the kernel allows for a name.
      return { name: `${index}`, groups: first === undefined ? [] : groupsOf(first), nics: members }
    })
}

/** A set for each group that a rule names: the addresses of its members on all hosts. */
function memberSets(
  rules: readonly RuleWant[],
  groups: ReadonlyMap<GroupId, GroupWant>,
): readonly NftObject[] {
  const named = rules.flatMap(({ peer }) => (peer.kind === 'group' ? peer.group : []))
  return [...new Set(named)]
    .toSorted()
    .map((id) => set(memberSetName(id), ['type ipv4_addr'], groups.get(id)?.members ?? []))
}

function direction(
  way: Direction,
  used: readonly GroupId[],
  groups: ReadonlyMap<GroupId, GroupWant>,
  counted: ReadonlySet<SecurityGroupRuleId>,
  combinations: readonly Combination[],
  before: readonly string[],
): readonly NftObject[] {
  const chainOf = (id: GroupId) => `${PREFIX[way]}_${chainSuffix(id)}`
  const names = new Map(combinations.flatMap(({ name, nics }) => nics.map((nic) => [nic.id, name])))
  const routers = routerVerdicts(
    combinations.flatMap(({ nics }) => nics),
    way,
    ({ id }) => `${way}_${names.get(id)}`,
  )
  return [
    ...used.map((id) => {
      const rules = groups.get(id)?.rules.filter(({ egress }) => egress === (way === 'egress'))
      return chain(
        chainOf(id),
        (rules ?? []).flatMap((rule) => ruleLines(rule, way, counted)),
      )
    }),
    ...combinations.map((one) =>
      chain(`${way}_${one.name}`, [...one.groups.map((id) => `jump ${chainOf(id)}`), refuse(way)]),
    ),
    map(
      way,
      'type ipv4_addr : verdict',
      combinations.flatMap(({ name, nics }) =>
        nics.flatMap(addressesOf).map((ip) => `${ip} : goto ${way}_${name}`),
      ),
    ),
    ...routers.objects,
    chain(`check_${way}`, [
      ...before,
      ...routers.lines,
      `${OWN_ADDRESS[way]} vmap @${way}`,
      // When a table is replaced, the kernel empties its verdict maps at once, also for packets
      // that still traverse the old rules (7 of 1,678,000 packets at 500 replacements). It does not
      // empty sets so. So after the map, the address is looked up in each combination's set.
      ...combinations.map(
        ({ name }) => `${OWN_ADDRESS[way]} @${nicSetName(name)} goto ${way}_${name}`,
      ),
      refuse(way),
    ]),
  ]
}

/** The rule as nft(8) has it; none for IPv6, which instances do not have. */
function ruleLines(
  rule: RuleWant,
  way: Direction,
  counted: ReadonlySet<SecurityGroupRuleId>,
): readonly string[] {
  if (rule.peer.kind === 'ipv6') return []
  const peer =
    rule.peer.kind === 'group'
      ? [`${PEER_ADDRESS[way]} @${memberSetName(rule.peer.group)}`]
      : networkMatch(PEER_ADDRESS[way], rule.peer.cidr)
  const count = counted.has(rule.id) ? [`counter name "${ruleCounterName(rule.id)}"`] : []
  return [[...peer, ...protocolMatch(rule), ...count, VERDICT[way]].join(' ')]
}

function networkMatch(field: string, network: Cidr): readonly string[] {
  return network.prefix === 0 ? [] : [`${field} ${formatCidr(network)}`]
}

/** What matches the protocol and the ports of a rule. */
export function protocolMatch({
  protocol,
  fromPort,
  toPort,
}: Pick<RuleWant, 'protocol' | 'fromPort' | 'toPort'>): readonly string[] {
  if (protocol === ANY_PROTOCOL) return []
  if (hasPorts(protocol)) {
    const name = protocol === PROTOCOLS.tcp ? 'tcp' : 'udp'
    if (fromPort === 0 && toPort === PORT_MAX) return [`meta l4proto ${name}`]
    return [`${name} dport ${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}`]
  }
  if (protocol !== PROTOCOLS.icmp || fromPort === ANY_PORT) return [`meta l4proto ${protocol}`]
  return [`icmp type ${fromPort}`, ...(toPort === ANY_PORT ? [] : [`icmp code ${toPort}`])]
}

/** Name of the counter of the packets that a rule lets begin a connection. */
export function ruleCounterName(id: SecurityGroupRuleId): string {
  return `rule_${chainSuffix(id)}`
}

function nicSetName(combination: string): string {
  return `nics_${combination}`
}

function memberSetName(id: GroupId): string {
  return `members_${chainSuffix(id)}`
}

function chainSuffix(id: GroupId | SecurityGroupRuleId): string {
  return id.replaceAll('-', '_')
}
