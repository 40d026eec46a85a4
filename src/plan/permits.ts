/**
 * What security groups permit. Pure: the same answer that the rules of `security-groups.ts` give in
 * the kernel.
 */
import { cidrContains, type Ipv4 } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import { ANY_PORT, ANY_PROTOCOL, hasPorts, PROTOCOLS } from '../model/group-rule.ts'
import type { GroupId } from '../model/ids.ts'
import {
  addressesOf,
  floatingIpsOf,
  type GroupWant,
  type HostWant,
  type NicWant,
  type RuleWant,
} from '../model/want.ts'
import { withStandby } from './standby.ts'

/** What decides about a flow: the groups, and the NICs of one host. */
export interface Permissions {
  readonly groups: ReadonlyMap<GroupId, Permission>
  readonly nics: ReadonlyMap<Ipv4, Pick<NicWant, 'id' | 'groups'>>
  /** The addresses of instances on other hosts. */
  readonly elsewhere: ReadonlySet<Ipv4>
  /** Private addresses by the floating IPs of these NICs. */
  readonly floats: ReadonlyMap<Ipv4, Ipv4>
  /** Groups of peered VPCs, whose members are neither here nor elsewhere. */
  readonly foreign: ReadonlySet<GroupId>
}

/** A rule that permits something, and the group that has it. */
export interface Permit {
  readonly group: GroupId
  readonly rule: RuleWant
}

interface Permission {
  readonly members: ReadonlySet<Ipv4>
  readonly rules: readonly RuleWant[]
}

/** The permissions that a host enforces. */
export function permissionsOf(want: HostWant): Permissions {
  const { shared } = want
  const nics = withStandby(want).local.instances.flatMap((instance) => instance.nics)
  const own = new Set(shared.vpcs.map(({ id }) => id))
  return {
    foreign: new Set(
      shared.groups.flatMap(({ id, vpc }) => (vpc === undefined || own.has(vpc) ? [] : id)),
    ),
    groups: groupPermissions(shared.groups),
    nics: new Map(nics.flatMap((nic) => addressesOf(nic).map((ip) => [ip, nic]))),
    elsewhere: new Set(shared.routes.map(({ ip }) => ip)),
    floats: new Map(
      nics.flatMap((nic) => floatingIpsOf(nic).map(({ ip, publicIp }) => [publicIp, ip])),
    ),
  }
}

/** What the groups permit their members. */
export function groupPermissions(groups: readonly GroupWant[]): Permissions['groups'] {
  return new Map(groups.map(({ id, members, rules }) => [id, { members: new Set(members), rules }]))
}

/**
 * Whether the host lets the flow begin: out of its NIC that is the source, and into its NIC that is
 * the destination. A floating IP is translated before groups are asked.
 */
export function isPermitted(
  begun: Flow,
  { nics, groups, floats }: Pick<Permissions, 'nics' | 'groups' | 'floats'>,
): boolean {
  const flow = { ...begun, destination: floats.get(begun.destination) ?? begun.destination }
  const source = nics.get(flow.source)
  const destination = nics.get(flow.destination)
  return (
    (source === undefined || permittingRule(flow, true, source, groups) !== undefined) &&
    (destination === undefined || permittingRule(flow, false, destination, groups) !== undefined)
  )
}

/**
 * The first rule, in the order of the NIC's groups and of their rules, that lets the flow out of
 * (`egress`) or into the NIC; undefined when none does.
 */
export function permittingRule(
  flow: Flow,
  egress: boolean,
  nic: GroupsOfNic,
  groups: Permissions['groups'],
): Permit | undefined {
  const address = egress ? flow.destination : flow.source
  return rulesForPeer(address, egress, nic, groups).find(({ rule }) => isProtocol(rule, flow))
}

/** The rules that let anything to `address` out of the NIC (`egress`), or from there into it. */
export function rulesForPeer(
  address: Ipv4,
  egress: boolean,
  nic: GroupsOfNic,
  groups: Permissions['groups'],
): readonly Permit[] {
  return nic.groups
    .flatMap(({ id }) => (groups.get(id)?.rules ?? []).map((rule) => ({ group: id, rule })))
    .filter(({ rule }) => rule.egress === egress && isPeer(rule, address, groups))
}

/** The groups that a NIC is in. */
interface GroupsOfNic {
  readonly groups: readonly { readonly id: GroupId }[]
}

function isPeer({ peer }: RuleWant, address: Ipv4, groups: Permissions['groups']): boolean {
  switch (peer.kind) {
    case 'ipv4':
      return cidrContains(peer.cidr, address)
    case 'ipv6':
      return false
    case 'group':
      return groups.get(peer.group)?.members.has(address) ?? false
  }
}

/** Whether a rule is for the protocol and the port of a packet. */
export function isProtocol(
  { protocol, fromPort, toPort }: Pick<RuleWant, 'protocol' | 'fromPort' | 'toPort'>,
  flow: Flow,
): boolean {
  if (protocol === ANY_PROTOCOL) return true
  if (protocol !== flow.protocol) return false
  if (hasPorts(protocol)) return fromPort <= flow.port && flow.port <= toPort
  if (protocol !== PROTOCOLS.icmp || fromPort === ANY_PORT) return true
  return fromPort === flow.port && (toPort === ANY_PORT || toPort === flow.code)
}

/**
 * Whether `now` may forbid something that `before` permitted: a rule of a NIC's group is gone or
 * says something else, a NIC has left a group, or a member that is still there has left a group
 * that a rule may name. A NIC that was on another host may have been here before that, and was
 * permitted more then. False where nothing was withdrawn.
 */
export function isWithdrawn(before: Permissions, now: Permissions): boolean {
  const used = new Set<GroupId>()
  for (const ip of now.nics.keys())
    if (!before.nics.has(ip) && before.elsewhere.has(ip)) return true
  for (const [ip, nic] of before.nics) {
    const after = now.nics.get(ip)
    // What its address had ends with the NIC (`services/links.ts`).
    if (after === undefined || after.id !== nic.id) continue
    for (const { id } of nic.groups) {
      if (!after.groups.some((one) => one.id === id)) return true
      used.add(id)
    }
  }
  if ([...used].some((id) => losesRule(before, now, id))) return true
  return [...before.groups].some(([id, { members }]) => {
    const stays = now.groups.get(id)?.members
    const isThere = (ip: Ipv4) =>
      now.nics.has(ip) || now.elsewhere.has(ip) || before.foreign.has(id)
    return [...members].some((ip) => stays?.has(ip) !== true && isThere(ip))
  })
}

function losesRule(before: Permissions, now: Permissions, id: GroupId): boolean {
  const after = new Set(now.groups.get(id)?.rules.map((rule) => JSON.stringify(rule)))
  const rules = before.groups.get(id)?.rules ?? []
  return rules.some((rule) => !after.has(JSON.stringify(rule)))
}
