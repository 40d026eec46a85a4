/** Network ACLs in the terms of the SDK, and the filters of DescribeNetworkAcls. Pure. */
import type {
  NetworkAclAssociation as NetworkAclAssociationOutput,
  NetworkAclEntry as NetworkAclEntryOutput,
  NetworkAcl as NetworkAclOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import { hasPorts, isIcmp } from '../../model/group-rule.ts'
import {
  ACL_END,
  type AclRule,
  byNumber,
  type NetworkAcl,
  type NetworkAclAssociation,
} from '../../model/network-acl.ts'
import type { Comparables, FilterTable } from '../filters.ts'

/** One ACL. Each direction ends with the rule that denies what no other has decided. */
export function networkAclView(
  { id, vpc, account, isDefault }: NetworkAcl,
  {
    entries,
    associations,
    tags,
  }: {
    readonly entries: readonly AclRule[]
    readonly associations: readonly NetworkAclAssociation[]
    readonly tags: TagOutput[]
  },
): NetworkAclOutput {
  return {
    Associations: associations.map((one) => ({
      NetworkAclAssociationId: one.id,
      NetworkAclId: id,
      SubnetId: one.subnet,
    })),
    Entries: [true, false].flatMap((egress) => [
      ...byNumber(entries.filter((entry) => entry.egress === egress)).map(entryView),
      {
        CidrBlock: '0.0.0.0/0',
        Egress: egress,
        Protocol: '-1',
        RuleAction: 'deny' as const,
        RuleNumber: ACL_END,
      },
    ]),
    IsDefault: isDefault,
    NetworkAclId: id,
    Tags: tags,
    VpcId: vpc,
    OwnerId: account,
  }
}

function entryView(rule: AclRule): NetworkAclEntryOutput {
  const { egress, number, allow, protocol, fromPort, toPort, peer } = rule
  return {
    ...(peer.kind === 'ipv4' ? { CidrBlock: formatCidr(peer.cidr) } : { Ipv6CidrBlock: peer.cidr }),
    Egress: egress,
    // Unlike rules of groups, it is always a number.
    Protocol: `${protocol}`,
    RuleAction: allow ? 'allow' : 'deny',
    RuleNumber: number,
    ...(hasPorts(protocol) ? { PortRange: { From: fromPort, To: toPort } } : {}),
    ...(isIcmp(protocol) ? { IcmpTypeCode: { Type: fromPort, Code: toPort } } : {}),
  }
}

function ofEntries(read: (entry: NetworkAclEntryOutput) => Comparables) {
  return (acl: NetworkAclOutput): Comparables => acl.Entries?.flatMap(read)
}

function ofAssociations(read: (association: NetworkAclAssociationOutput) => Comparables) {
  return (acl: NetworkAclOutput): Comparables => acl.Associations?.flatMap(read)
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html, "Filter.N".
 */
export const NETWORK_ACL_FILTERS: FilterTable<NetworkAclOutput> = {
  'association.association-id': ofAssociations((one) => one.NetworkAclAssociationId),
  'association.network-acl-id': ofAssociations((one) => one.NetworkAclId),
  'association.subnet-id': ofAssociations((one) => one.SubnetId),
  default: (acl) => acl.IsDefault,
  'entry.cidr': ofEntries((one) => one.CidrBlock),
  'entry.icmp.code': ofEntries((one) => one.IcmpTypeCode?.Code),
  'entry.icmp.type': ofEntries((one) => one.IcmpTypeCode?.Type),
  'entry.ipv6-cidr': ofEntries((one) => one.Ipv6CidrBlock),
  'entry.port-range.from': ofEntries((one) => one.PortRange?.From),
  'entry.port-range.to': ofEntries((one) => one.PortRange?.To),
  'entry.egress': ofEntries((one) => one.Egress),
  'entry.protocol': ofEntries((one) => one.Protocol),
  'entry.rule-action': ofEntries((one) => one.RuleAction),
  'entry.rule-number': ofEntries((one) => one.RuleNumber),
  'network-acl-id': (acl) => acl.NetworkAclId,
  'owner-id': (acl) => acl.OwnerId,
  'vpc-id': (acl) => acl.VpcId,
}
