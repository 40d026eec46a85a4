/**
 * What the namespace of a VPC needs to know of the VPCs that are peered with it, beside their
 * addresses: the members of their groups that its own rules name, and the private addresses behind
 * their public names where the peer shows these. Pure.
 */
import { publicHostAddress } from '../model/hostname.ts'
import type { VpcId } from '../model/ids.ts'
import type { ActivePeering } from '../model/peering.ts'
import type { EnforcedRule } from '../model/records.ts'
import type { GroupWant, RuleWant, SharedWant } from '../model/want.ts'

/** What is of one VPC. */
type Part = Pick<SharedWant, 'groups' | 'names'>

/** A peer, and what is of it. */
interface PeerPart {
  readonly part: Part
  readonly showsPrivate: boolean
}

/** The part of a VPC, with what it needs of its peers; the same part when that is nothing. */
export function withPeerRecords<P extends Part>(part: P, peers: readonly PeerPart[]): P {
  const named = namedGroups(part)
  const groups = peers.flatMap((peer) => membersOnly(peer.part.groups, named))
  const names = peers.flatMap((peer) =>
    peer.showsPrivate
      ? peer.part.names.filter(({ name }) => publicHostAddress(name) !== undefined)
      : [],
  )
  if (groups.length === 0 && names.length === 0) return part
  return { ...part, groups: [...part.groups, ...groups], names: [...part.names, ...names] }
}

/** The groups that rules name and that are not of the VPC. */
function namedGroups({ groups }: Part): ReadonlySet<string> {
  const own = new Set(groups.map(({ id }) => id))
  return new Set(
    groups.flatMap(({ rules }) =>
      rules.flatMap(({ peer }) =>
        peer.kind === 'group' && !own.has(peer.group) ? peer.group : [],
      ),
    ),
  )
}

/** What they let pass is the peer's concern. */
function membersOnly(
  groups: readonly GroupWant[],
  named: ReadonlySet<string>,
): readonly GroupWant[] {
  if (named.size === 0) return []
  return groups.flatMap((group) => (named.has(group.id) ? { ...group, rules: [] } : []))
}

/** The peers of a VPC in these connections, and which of them show private addresses. */
export function peersIn(
  peerings: readonly ActivePeering[],
  vpc: VpcId,
): readonly { readonly vpc: VpcId; readonly showsPrivate: boolean }[] {
  return peerings.flatMap(({ vpcs, showPrivate = [] }) =>
    vpcs.includes(vpc)
      ? vpcs
          .filter((one) => one !== vpc)
          .map((one) => ({ vpc: one, showsPrivate: showPrivate.includes(one) }))
      : [],
  )
}

/** What hosts need of a rule. Whether a group is foreign is told by the VPC of the group. */
export function ruleWant({ id, egress, protocol, fromPort, toPort, peer }: EnforcedRule): RuleWant {
  const plain = peer.kind === 'group' ? { kind: peer.kind, group: peer.group } : peer
  return { id, egress, protocol, fromPort, toPort, peer: plain }
}
