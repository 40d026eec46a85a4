/** NICs in the SDK's terms, and the filters of DescribeNetworkInterfaces. Pure. */
import type {
  NetworkInterfaceAssociation,
  NetworkInterfaceAttachment,
  NetworkInterface as NetworkInterfaceOutput,
  NetworkInterfacePrivateIpAddress,
  NetworkInterfaceType,
} from '@aws-sdk/client-ec2'
import type { Ipv4 } from '../../model/addr.ts'
import { addressesOfNic } from '../../model/nics.ts'
import { zoneId } from '../../model/zones.ts'
import type { NicRestriction } from '../../store/records/lists.ts'
import type { Comparables, FilterTable } from '../filters.ts'
import type { NicDetails } from '../networks/network-interfaces.ts'
import type { Narrowing } from '../restrictions.ts'
import { addressOf, nicView, type Place } from './instance.ts'
import { tagsView } from './tags.ts'

/** As EC2 answers. The SDK's type has `natGateway`, which is only in the documentation. */
const OF_NAT_GATEWAY = 'nat_gateway' as NetworkInterfaceType

/**
 * A NIC by itself. Its instance shows the same (`instance.ts`), except what concerns the instance.
 */
export function networkInterfaceView(
  { nic, zone, tags, isOfNatGateway = false, ...context }: NicDetails,
  { dnsZone, region }: Place,
): NetworkInterfaceOutput {
  const { Attachment, ...own } = nicView(nic, context, dnsZone)
  const ofAddress = (ip: Ipv4, shown: NetworkInterfaceAssociation | undefined) => {
    if (shown === undefined) return {}
    const address = addressOf(nic, context, ip)
    const allocation =
      address?.association == null || address.isAutomatic
        ? {}
        : { AllocationId: address.id, AssociationId: address.association.id }
    return { Association: { ...shown, ...allocation } }
  }
  return {
    ...own,
    ...ofAddress(nic.ip, own.Association),
    PrivateIpAddresses: (own.PrivateIpAddresses ?? []).map((one, at) => ({
      ...one,
      ...ofAddress(addressesOfNic(nic)[at] ?? nic.ip, one.Association),
    })),
    InterfaceType: isOfNatGateway ? OF_NAT_GATEWAY : 'interface',
    ...(isOfNatGateway ? { Status: 'in-use', SourceDestCheck: false } : {}),
    ...(Attachment === undefined || nic.instance === null
      ? {}
      : {
          Attachment: { ...Attachment, InstanceId: nic.instance, InstanceOwnerId: nic.account },
        }),
    AvailabilityZone: zone,
    ...(zone === '' ? {} : { AvailabilityZoneId: zoneId(zone, region) }),
    RequesterManaged: isOfNatGateway,
    TagSet: tagsView(tags, nic.id),
  }
}

function ofAddresses(read: (address: NetworkInterfacePrivateIpAddress) => Comparables) {
  return (nic: NetworkInterfaceOutput): Comparables => nic.PrivateIpAddresses?.flatMap(read)
}

function ofAttachment(read: (attachment: NetworkInterfaceAttachment) => Comparables) {
  return ({ Attachment }: NetworkInterfaceOutput): Comparables => Attachment && read(Attachment)
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html,
 * "Filter.N".
 */
export const NETWORK_INTERFACE_FILTERS: FilterTable<NetworkInterfaceOutput> = {
  'addresses.association.owner-id': ofAddresses((address) => address.Association?.IpOwnerId),
  'addresses.association.public-ip': ofAddresses((address) => address.Association?.PublicIp),
  'addresses.primary': ofAddresses((address) => address.Primary),
  'addresses.private-ip-address': ofAddresses((address) => address.PrivateIpAddress),
  'association.allocation-id': (nic) => nic.Association?.AllocationId,
  'association.association-id': (nic) => nic.Association?.AssociationId,
  'association.ip-owner-id': (nic) => nic.Association?.IpOwnerId,
  'association.public-dns-name': (nic) => nic.Association?.PublicDnsName,
  'association.public-ip': (nic) => nic.Association?.PublicIp,
  'attachment.attach-time': ofAttachment((one) => one.AttachTime),
  'attachment.attachment-id': ofAttachment((one) => one.AttachmentId),
  'attachment.delete-on-termination': ofAttachment((one) => one.DeleteOnTermination),
  'attachment.device-index': ofAttachment((one) => one.DeviceIndex),
  'attachment.instance-id': ofAttachment((one) => one.InstanceId),
  'attachment.instance-owner-id': ofAttachment((one) => one.InstanceOwnerId),
  'attachment.status': ofAttachment((one) => one.Status),
  'availability-zone': (nic) => nic.AvailabilityZone,
  'availability-zone-id': (nic) => nic.AvailabilityZoneId,
  description: (nic) => nic.Description,
  'group-id': (nic) => nic.Groups?.map((group) => group.GroupId),
  'group-name': (nic) => nic.Groups?.map((group) => group.GroupName),
  'interface-type': (nic) => nic.InterfaceType,
  'mac-address': (nic) => nic.MacAddress,
  'network-interface-id': (nic) => nic.NetworkInterfaceId,
  'operator.managed': (nic) => nic.Operator?.Managed,
  'owner-id': (nic) => nic.OwnerId,
  'private-dns-name': (nic) => nic.PrivateDnsName,
  'private-ip-address': (nic) => nic.PrivateIpAddress,
  'requester-managed': (nic) => nic.RequesterManaged,
  'source-dest-check': (nic) => nic.SourceDestCheck,
  status: (nic) => nic.Status,
  'subnet-id': (nic) => nic.SubnetId,
  'vpc-id': (nic) => nic.VpcId,
}

/** What the records can restrict of these filters. */
export const NETWORK_INTERFACE_NARROWING: Narrowing<NicRestriction> = {
  'association.public-ip': 'publicIp',
  'attachment.instance-id': 'instance',
  'group-id': 'group',
  'mac-address': 'mac',
  'network-interface-id': 'id',
  'private-ip-address': 'privateIp',
  'subnet-id': 'subnet',
  'vpc-id': 'vpc',
}
