/**
 * Whether security groups let a connection begin. Pure: the same answer that the rules of
 * `security-groups.ts` give in the kernel.
 */
import { cidrContains, type Ipv4 } from '../model/addr.ts'
import { ANY_PORT, ANY_PROTOCOL, hasPorts, isIcmp } from '../model/group-rule.ts'
import type { GroupId } from '../model/ids.ts'
import type { GroupWant, NicWant, RuleWant } from '../model/want.ts'

/** The first packet of a connection. */
export interface Flow {
  readonly source: Ipv4
  readonly destination: Ipv4
  /** IANA's number. */
  readonly protocol: number
  /** TCP, UDP: the destination's port. ICMP: the type. Else 0. */
  readonly port: number
  /** ICMP: the code. Else 0. */
  readonly code: number
}

type Groups = ReadonlyMap<GroupId, Pick<GroupWant, 'members' | 'rules'>>

/**
 * The first rule, by the order of the NIC's groups and of their rules, that lets the flow out of
 * (`egress`) or into the NIC; undefined when none does.
 */
export function permittingRule(
  flow: Flow,
  egress: boolean,
  nic: Pick<NicWant, 'groups'>,
  groups: Groups,
): RuleWant | undefined {
  const rules = nic.groups.flatMap(({ id }) => groups.get(id)?.rules ?? [])
  return rules.find((rule) => rule.egress === egress && matches(rule, flow, groups))
}

function matches(rule: RuleWant, flow: Flow, groups: Groups): boolean {
  const address = rule.egress ? flow.destination : flow.source
  return isPeer(rule, address, groups) && isProtocol(rule, flow)
}

function isPeer({ peer }: RuleWant, address: Ipv4, groups: Groups): boolean {
  switch (peer.kind) {
    case 'ipv4':
      return cidrContains(peer.cidr, address)
    case 'ipv6':
      return false
    case 'group':
      return groups.get(peer.group)?.members.includes(address) ?? false
  }
}

function isProtocol({ protocol, fromPort, toPort }: RuleWant, flow: Flow): boolean {
  if (protocol === ANY_PROTOCOL) return true
  if (protocol !== flow.protocol) return false
  if (hasPorts(protocol)) return fromPort <= flow.port && flow.port <= toPort
  if (!isIcmp(protocol) || fromPort === ANY_PORT) return true
  return fromPort === flow.port && (toPort === ANY_PORT || toPort === flow.code)
}
