/** VPCs and subnets in the SDK's terms, and the filters of their Describe actions. Pure. */
import type {
  Subnet as SubnetOutput,
  Tag as TagOutput,
  VpcCidrBlockAssociation,
  Vpc as VpcOutput,
} from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import { derivedId } from '../../model/derived-ids.ts'
import type { CidrAssociationId } from '../../model/ids.ts'
import type { Subnet, Vpc, VpcCidr } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import { assignableCount } from '../../plan/placement.ts'
import type { FilterTable } from '../filters.ts'
import { tagged } from './tags.ts'

/** One VPC, whose DHCP options are the cloud's own unless told. */
export function vpcView(
  vpc: Vpc,
  tags: TagOutput[],
  dhcpOptions: string = derivedId('dopt', vpc.id),
): VpcOutput {
  const primary = { id: primaryAssociation(vpc), cidr: vpc.cidr }
  return {
    VpcId: vpc.id,
    OwnerId: vpc.account,
    CidrBlock: formatCidr(vpc.cidr),
    CidrBlockAssociationSet: [primary, ...(vpc.moreCidrs ?? [])].map((one) =>
      vpcCidrView(one, 'associated'),
    ),
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: dhcpOptions,
    InstanceTenancy: 'default',
    IsDefault: vpc.isDefault,
    State: 'available',
    ...tagged(tags),
  }
}

/** By which clients know the range that a VPC was made with. */
export function primaryAssociation({ id }: Pick<Vpc, 'id'>): CidrAssociationId {
  return `vpc-cidr-assoc-${id.slice('vpc-'.length)}` as CidrAssociationId
}

/** One range of a VPC. */
export function vpcCidrView(
  { id, cidr }: VpcCidr,
  state: 'associating' | 'associated' | 'disassociating',
): VpcCidrBlockAssociation {
  return { AssociationId: id, CidrBlock: formatCidr(cidr), CidrBlockState: { State: state } }
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
  'owner-id': (vpc) => vpc.OwnerId,
  state: (vpc) => vpc.State,
  'vpc-id': (vpc) => vpc.VpcId,
  // Older spellings, which EC2 accepts and clients send.
  'cidr-block': (vpc) => vpc.CidrBlock,
  cidrBlock: (vpc) => vpc.CidrBlock,
  dhcpOptionsId: (vpc) => vpc.DhcpOptionsId,
  isDefault: (vpc) => vpc.IsDefault,
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
    MapPublicIpOnLaunch: subnet.mapPublicIp,
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    Ipv6Native: false,
    EnableDns64: false,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'resource-name',
      EnableResourceNameDnsARecord: subnet.resourceNameDnsARecord ?? false,
      EnableResourceNameDnsAAAARecord: false,
    },
    State: 'available',
    ...tagged(more.tags),
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html, "Filter.N". */
export const SUBNET_FILTERS: FilterTable<SubnetOutput> = {
  'availability-zone': (subnet) => subnet.AvailabilityZone,
  'availability-zone-id': (subnet) => subnet.AvailabilityZoneId,
  'available-ip-address-count': (subnet) => subnet.AvailableIpAddressCount,
  'cidr-block': (subnet) => subnet.CidrBlock,
  'default-for-az': (subnet) => subnet.DefaultForAz,
  'enable-dns64': (subnet) => subnet.EnableDns64,
  'ipv6-native': (subnet) => subnet.Ipv6Native,
  'map-customer-owned-ip-on-launch': (subnet) => subnet.MapCustomerOwnedIpOnLaunch,
  'map-public-ip-on-launch': (subnet) => subnet.MapPublicIpOnLaunch,
  'owner-id': (subnet) => subnet.OwnerId,
  'private-dns-name-options-on-launch.enable-resource-name-dns-a-record': (subnet) =>
    subnet.PrivateDnsNameOptionsOnLaunch?.EnableResourceNameDnsARecord,
  'private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record': (subnet) =>
    subnet.PrivateDnsNameOptionsOnLaunch?.EnableResourceNameDnsAAAARecord,
  'private-dns-name-options-on-launch.hostname-type': (subnet) =>
    subnet.PrivateDnsNameOptionsOnLaunch?.HostnameType,
  state: (subnet) => subnet.State,
  'subnet-arn': (subnet) => subnet.SubnetArn,
  'subnet-id': (subnet) => subnet.SubnetId,
  'vpc-id': (subnet) => subnet.VpcId,
  // Older spellings, which EC2 accepts and clients send.
  availabilityZone: (subnet) => subnet.AvailabilityZone,
  availabilityZoneId: (subnet) => subnet.AvailabilityZoneId,
  availableIpAddressCount: (subnet) => subnet.AvailableIpAddressCount,
  cidr: (subnet) => subnet.CidrBlock,
  cidrBlock: (subnet) => subnet.CidrBlock,
  defaultForAz: (subnet) => subnet.DefaultForAz,
  subnetId: (subnet) => subnet.SubnetId,
  vpcId: (subnet) => subnet.VpcId,
}
