/** VPCs, subnets and security groups in the terms of the SDK, and the filters of their Describe actions. Pure. */
import type {
  SecurityGroup,
  Subnet as SubnetOutput,
  Tag as TagOutput,
  Vpc as VpcOutput,
} from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import type { Group, Subnet, Vpc } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import { assignableCount } from '../../plan/placement.ts'
import type { FilterTable } from '../filters.ts'
import { tagged } from './tags.ts'

/** DHCP options are what the host's service answers; there are none to choose. */
const DHCP_OPTIONS = 'default'

/** One VPC. */
export function vpcView(vpc: Vpc, tags: TagOutput[]): VpcOutput {
  const block = formatCidr(vpc.cidr)
  return {
    VpcId: vpc.id,
    OwnerId: vpc.account,
    CidrBlock: block,
    CidrBlockAssociationSet: [
      {
        AssociationId: `vpc-cidr-assoc-${vpc.id.slice('vpc-'.length)}`,
        CidrBlock: block,
        CidrBlockState: { State: 'associated' },
      },
    ],
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: DHCP_OPTIONS,
    InstanceTenancy: 'default',
    IsDefault: vpc.isDefault,
    State: 'available',
    ...tagged(tags),
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html, "Filter.N". */
export const VPC_FILTERS: FilterTable<VpcOutput> = {
  cidr: (vpc) => vpc.CidrBlock,
  'cidr-block-association.association-id': (vpc) =>
    vpc.CidrBlockAssociationSet?.map((one) => one.AssociationId),
  'cidr-block-association.cidr-block': (vpc) =>
    vpc.CidrBlockAssociationSet?.map((one) => one.CidrBlock),
  'cidr-block-association.state': (vpc) =>
    vpc.CidrBlockAssociationSet?.map((one) => one.CidrBlockState?.State),
  'dhcp-options-id': (vpc) => vpc.DhcpOptionsId,
  'is-default': (vpc) => vpc.IsDefault,
  // The older spelling that clients still send.
  isDefault: (vpc) => vpc.IsDefault,
  'owner-id': (vpc) => vpc.OwnerId,
  state: (vpc) => vpc.State,
  'vpc-id': (vpc) => vpc.VpcId,
}

/** One subnet, `used` of whose addresses are taken. */
export function subnetView(
  subnet: Subnet,
  more: { readonly used: number; readonly region: string; readonly tags: TagOutput[] },
): SubnetOutput {
  return {
    SubnetId: subnet.id,
    SubnetArn: `arn:aws:ec2:${more.region}:${subnet.account}:subnet/${subnet.id}`,
    VpcId: subnet.vpc,
    OwnerId: subnet.account,
    CidrBlock: formatCidr(subnet.cidr),
    AvailableIpAddressCount: Math.max(0, assignableCount(subnet.cidr) - more.used),
    AvailabilityZone: subnet.zone,
    AvailabilityZoneId: zoneId(subnet.zone, more.region),
    DefaultForAz: subnet.isDefault,
    MapPublicIpOnLaunch: false,
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    Ipv6Native: false,
    EnableDns64: false,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'resource-name',
      EnableResourceNameDnsARecord: true,
      EnableResourceNameDnsAAAARecord: false,
    },
    State: 'available',
    ...tagged(more.tags),
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html, "Filter.N", with its old spellings. */
export const SUBNET_FILTERS: FilterTable<SubnetOutput> = {
  'availability-zone': (subnet) => subnet.AvailabilityZone,
  availabilityZone: (subnet) => subnet.AvailabilityZone,
  'availability-zone-id': (subnet) => subnet.AvailabilityZoneId,
  availabilityZoneId: (subnet) => subnet.AvailabilityZoneId,
  'available-ip-address-count': (subnet) => subnet.AvailableIpAddressCount,
  'cidr-block': (subnet) => subnet.CidrBlock,
  cidr: (subnet) => subnet.CidrBlock,
  cidrBlock: (subnet) => subnet.CidrBlock,
  'default-for-az': (subnet) => subnet.DefaultForAz,
  defaultForAz: (subnet) => subnet.DefaultForAz,
  'map-public-ip-on-launch': (subnet) => subnet.MapPublicIpOnLaunch,
  'owner-id': (subnet) => subnet.OwnerId,
  state: (subnet) => subnet.State,
  'subnet-arn': (subnet) => subnet.SubnetArn,
  'subnet-id': (subnet) => subnet.SubnetId,
  'vpc-id': (subnet) => subnet.VpcId,
}

/**
 * One security group. Only default groups exist, and what they allow is EC2's own default: everything from members,
 * everything outwards.
 */
export function groupView(group: Group, region: string, tags: TagOutput[]): SecurityGroup {
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    SecurityGroupArn: `arn:aws:ec2:${region}:${group.account}:security-group/${group.id}`,
    VpcId: group.vpc,
    OwnerId: group.account,
    IpPermissions: [
      {
        IpProtocol: '-1',
        UserIdGroupPairs: [{ GroupId: group.id, UserId: group.account }],
        IpRanges: [],
        Ipv6Ranges: [],
        PrefixListIds: [],
      },
    ],
    IpPermissionsEgress: [
      {
        IpProtocol: '-1',
        UserIdGroupPairs: [],
        IpRanges: [{ CidrIp: '0.0.0.0/0' }],
        Ipv6Ranges: [],
        PrefixListIds: [],
      },
    ],
    ...tagged(tags),
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html, "Filter.N". */
export const GROUP_FILTERS: FilterTable<SecurityGroup> = {
  description: (group) => group.Description,
  'egress.ip-permission.cidr': (group) =>
    group.IpPermissionsEgress?.flatMap((rule) => rule.IpRanges?.map((range) => range.CidrIp)),
  'egress.ip-permission.protocol': (group) =>
    group.IpPermissionsEgress?.map((rule) => rule.IpProtocol),
  'group-id': (group) => group.GroupId,
  'group-name': (group) => group.GroupName,
  'ip-permission.group-id': (group) =>
    group.IpPermissions?.flatMap((rule) => rule.UserIdGroupPairs?.map((pair) => pair.GroupId)),
  'ip-permission.protocol': (group) => group.IpPermissions?.map((rule) => rule.IpProtocol),
  'ip-permission.user-id': (group) =>
    group.IpPermissions?.flatMap((rule) => rule.UserIdGroupPairs?.map((pair) => pair.UserId)),
  'owner-id': (group) => group.OwnerId,
  'vpc-id': (group) => group.VpcId,
}
