/**
 * A VPC's network ACL in the terms of the SDK, and the filters of DescribeNetworkAcls. It follows
 * from the VPC. Pure.
 */
import type {
  NetworkAclAssociation,
  NetworkAclEntry,
  NetworkAcl as NetworkAclOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import type { Subnet, Vpc } from '../../model/records.ts'
import { derivedId } from '../derived-ids.ts'
import type { Comparables, FilterTable } from '../filters.ts'

/** The number of EC2's last rule, which always denies. */
const LAST_RULE = 32_767
const FIRST_RULE = 100

/**
 * The default ACL, which lets everything pass: what is filtered, groups say. All of the VPC's
 * subnets have it.
 */
export function networkAclView(
  vpc: Vpc,
  subnets: readonly Subnet[],
  tags: TagOutput[],
): NetworkAclOutput {
  const id = derivedId('acl', vpc.id)
  return {
    Associations: subnets.map((subnet) => ({
      NetworkAclAssociationId: derivedId('aclassoc', subnet.id),
      NetworkAclId: id,
      SubnetId: subnet.id,
    })),
    Entries: [true, false].flatMap((egress) => [
      entry(egress, FIRST_RULE, 'allow'),
      entry(egress, LAST_RULE, 'deny'),
    ]),
    IsDefault: true,
    NetworkAclId: id,
    Tags: tags,
    VpcId: vpc.id,
    OwnerId: vpc.account,
  }
}

function entry(Egress: boolean, RuleNumber: number, RuleAction: 'allow' | 'deny'): NetworkAclEntry {
  return { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction, RuleNumber }
}

function ofEntries(read: (entry: NetworkAclEntry) => Comparables) {
  return (acl: NetworkAclOutput): Comparables => acl.Entries?.flatMap(read)
}

function ofAssociations(read: (association: NetworkAclAssociation) => Comparables) {
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
  'entry.egress': ofEntries((one) => one.Egress),
  'entry.protocol': ofEntries((one) => one.Protocol),
  'entry.rule-action': ofEntries((one) => one.RuleAction),
  'entry.rule-number': ofEntries((one) => one.RuleNumber),
  'network-acl-id': (acl) => acl.NetworkAclId,
  'owner-id': (acl) => acl.OwnerId,
  'vpc-id': (acl) => acl.VpcId,
}
