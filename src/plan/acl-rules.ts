/**
 * Network ACLs as nft rules: a chain for each direction of an ACL, which every packet into or out
 * of its subnets passes, also of established connections. Pure: `judgeAcl` gives the same answer.
 *
 * Forwarded packets are judged where they have the private address of the instance: before their
 * source becomes that of the host or a floating IP, and after their destination was one. Packets
 * within a subnet, and those to and from the services of the host, are not judged. What an instance
 * that is a router forwards leaves its subnet, and what is routed to it enters the subnet, whoever
 * sends it. A subnet whose ACL lets everything pass has no rules.
 */
import { cidrContains, formatCidr } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import type { SubnetId } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import type { AclRule } from '../model/network-acl.ts'
import type { AclWant, HostWant, NicWant } from '../model/want.ts'
import { recording } from './flow-log-rules.ts'
import { baseChain, chain, type NftObject } from './nft-tables.ts'
import { ANY_NIC, drop } from './nft-text.ts'
import { isProtocol } from './permits.ts'
import { isRouter } from './router-routes.ts'
import { protocolMatch } from './security-groups.ts'

const WAYS = ['egress', 'ingress'] as const

/** A line for what enters the link of a router, or comes from it, and is from or for others. */
function routerLines(
  { id, cidr, acl }: { readonly id: SubnetId; readonly cidr: string; readonly acl: AclWant },
  nics: readonly NicWant[],
): readonly string[] {
  const links = nics.flatMap((nic) =>
    nic.subnet === id && isRouter(nic) ? [`"${nicLinkName(nic.id)}"`] : [],
  )
  if (links.length === 0) return []
  const others = `ip saddr != ${cidr} ip daddr != ${cidr}`
  return (['iifname', 'oifname'] as const).map(
    (side) =>
      `${side} { ${links.join(', ')} } ${others} jump ${chainName(acl, side === 'iifname')}`,
  )
}

/** Chains for the subnets of these NICs; none without an ACL that restricts. */
export function aclRules(want: HostWant, nics: readonly NicWant[]): readonly NftObject[] {
  const used = new Set(nics.map(({ subnet }) => subnet))
  const subnets = want.shared.subnets.flatMap(({ id, cidr, acl }) =>
    acl !== undefined && used.has(id) ? [{ id, cidr: formatCidr(cidr), acl }] : [],
  )
  if (subnets.length === 0) return []
  const acls = new Map(subnets.map(({ acl }) => [acl.id, acl]))
  return [
    ...WAYS.map((way) => chain(`deny_${way}`, [...recording(want, way), drop('acl')])),
    ...[...acls.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).flatMap(chainsOf),
    baseChain('acls', 'type filter hook forward priority filter - 1; policy accept;', [
      ...subnets.map(
        ({ cidr, acl }) =>
          `iifname ${ANY_NIC} ip saddr ${cidr} ip daddr != ${cidr} jump ${chainName(acl, true)}`,
      ),
      ...subnets.map(
        ({ cidr, acl }) =>
          `oifname ${ANY_NIC} ip daddr ${cidr} ip saddr != ${cidr} jump ${chainName(acl, false)}`,
      ),
      ...subnets.flatMap((subnet) => routerLines(subnet, nics)),
    ]),
  ]
}

function chainName({ id }: AclWant, egress: boolean): string {
  return `${egress ? 'out' : 'in'}_${id.replaceAll('-', '_')}`
}

function chainsOf(acl: AclWant): readonly NftObject[] {
  return [true, false].map((egress) =>
    chain(chainName(acl, egress), [
      ...acl.rules.filter((rule) => rule.egress === egress).flatMap(ruleLines),
      deny(egress),
    ]),
  )
}

function deny(egress: boolean): string {
  return `goto deny_${egress ? 'egress' : 'ingress'}`
}

/** The rule as nft(8) has it; none for IPv6, which instances do not have. */
function ruleLines(rule: AclRule): readonly string[] {
  const { peer, egress, allow } = rule
  if (peer.kind === 'ipv6') return []
  const there =
    peer.cidr.prefix === 0 ? [] : [`${egress ? 'ip daddr' : 'ip saddr'} ${formatCidr(peer.cidr)}`]
  return [[...there, ...protocolMatch(rule), allow ? 'return' : deny(egress)].join(' ')]
}

/** The rule that decides about a packet; undefined: none matches, so it is dropped. */
export function judgeAcl(
  packet: Flow,
  egress: boolean,
  rules: readonly AclRule[],
): AclRule | undefined {
  const other = egress ? packet.destination : packet.source
  return rules.find(
    (rule) =>
      rule.egress === egress &&
      rule.peer.kind === 'ipv4' &&
      cidrContains(rule.peer.cidr, other) &&
      isProtocol(rule, packet),
  )
}
