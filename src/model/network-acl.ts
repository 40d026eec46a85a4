/**
 * Network ACLs: numbered rules for the packets that enter and leave a subnet. Pure.
 *
 * They are stateless: each packet is judged by itself, the first rule that matches decides, and
 * what matches none is dropped. Packets within a subnet are not judged.
 * https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
 */
import { type Cidr, cidr, formatCidr } from './addr.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  type NetworkPeer,
  parseNetwork,
  type RuleMatch,
} from './group-rule.ts'
import type { AccountId, NetworkAclAssociationId, NetworkAclId, SubnetId, VpcId } from './ids.ts'

export interface NetworkAcl {
  readonly id: NetworkAclId
  readonly account: AccountId
  readonly vpc: VpcId
  /** Whether it is for the subnets of its VPC that have no association. */
  readonly isDefault: boolean
}

/** The other end of a packet. IPv6 networks match nothing, because instances have no IPv6. */
export type AclPeer = NetworkPeer

/** A rule, without its ACL. Protocol and ports are as in a security group's rule. */
export interface AclRule extends Pick<RuleMatch, 'egress' | 'protocol' | 'fromPort' | 'toPort'> {
  /** Its place, from 1 to `ACL_NUMBER_MAX`, unique for its ACL and direction. */
  readonly number: number
  readonly allow: boolean
  readonly peer: AclPeer
}

export interface NetworkAclEntry extends AclRule {
  readonly acl: NetworkAclId
  /** The VPC of the ACL. */
  readonly vpc: VpcId
}

/** A subnet that has an ACL by an association of its own. */
export interface NetworkAclAssociation {
  readonly id: NetworkAclAssociationId
  readonly acl: NetworkAclId
  readonly vpc: VpcId
  readonly subnet: SubnetId
}

/** The highest number of an entry. */
export const ACL_NUMBER_MAX = 32_766
/** The number that EC2 shows for the end of every ACL, which denies. */
export const ACL_END = 32_767

const EVERYWHERE: Cidr = cidr('0.0.0.0/0')
/** The number of the entries of a new default ACL. */
const FIRST = 100

/** The entries of a new default ACL, which let everything pass. */
export const DEFAULT_ACL_RULES: readonly AclRule[] = [false, true].map((egress) => ({
  egress,
  number: FIRST,
  allow: true,
  protocol: ANY_PROTOCOL,
  fromPort: ANY_PORT,
  toPort: ANY_PORT,
  peer: { kind: 'ipv4', cidr: EVERYWHERE },
}))

/** The rules in the order in which they are looked at. */
export function byNumber<T extends AclRule>(rules: readonly T[]): readonly T[] {
  return rules.toSorted((a, b) => Number(a.egress) - Number(b.egress) || a.number - b.number)
}

/** The peer as text. */
export function formatAclPeer(peer: AclPeer): string {
  return peer.kind === 'ipv4' ? formatCidr(peer.cidr) : peer.cidr
}

/** Parses a peer; undefined when it is no network. */
export function parseAclPeer(text: string): AclPeer | undefined {
  return parseNetwork(text)
}

/** Whether everything passes in both directions: for each of them the first rule says so. */
export function isOpen(rules: readonly AclRule[]): boolean {
  const ordered = byNumber(rules)
  return [false, true].every((egress) => {
    const first = ordered.find((rule) => rule.egress === egress)
    return first?.allow === true && isForAll(first)
  })
}

function isForAll({ protocol, peer }: AclRule): boolean {
  return protocol === ANY_PROTOCOL && peer.kind === 'ipv4' && peer.cidr.prefix === 0
}
