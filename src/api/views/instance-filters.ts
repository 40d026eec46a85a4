/**
 * The filters of DescribeInstances and DescribeInstanceStatus, which use what these actions show.
 * Pure.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html, "Filter.N".
 */
import type {
  InstanceBlockDeviceMapping,
  InstanceNetworkInterface,
  Instance as InstanceOutput,
  InstanceStatus,
} from '@aws-sdk/client-ec2'
import type { Address } from '../../model/records.ts'
import type { InstanceRestriction } from '../../store/records/lists.ts'
import type { Comparables, FilterTable, TagView } from '../filters.ts'
import type { Narrowing } from '../restrictions.ts'

/** One instance, and what its reservation adds. */
export interface ListedInstance {
  readonly reservation: string
  readonly owner: string
  readonly view: InstanceOutput
  /** The tags of its NICs, which this action does not show. */
  readonly nicTags: readonly TagView[]
  /** That the account has allocated and that lead to its NICs. */
  readonly allocated: readonly Pick<Address, 'id' | 'association'>[]
}

function ofNics(read: (nic: InstanceNetworkInterface) => Comparables) {
  return ({ view }: ListedInstance): Comparables =>
    (view.NetworkInterfaces ?? []).flatMap((nic) => read(nic))
}

function ofDevices(
  read: (device: InstanceBlockDeviceMapping) => string | boolean | Date | undefined,
) {
  return ({ view }: ListedInstance): Comparables => (view.BlockDeviceMappings ?? []).map(read)
}

const ofAllocations = ({ allocated }: ListedInstance): Comparables => allocated.map(({ id }) => id)
const ofAssociations = ({ allocated }: ListedInstance): Comparables =>
  allocated.map(({ association }) => association?.id)

const NIC_FILTERS: FilterTable<ListedInstance> = {
  'network-interface.addresses.association.allocation-id': ofAllocations,
  'network-interface.addresses.association.association-id': ofAssociations,
  'network-interface.addresses.association.ip-owner-id': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.Association?.IpOwnerId),
  ),
  'network-interface.addresses.association.public-dns-name': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.Association?.PublicDnsName),
  ),
  'network-interface.addresses.association.public-ip': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.Association?.PublicIp),
  ),
  'network-interface.addresses.primary': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.Primary),
  ),
  'network-interface.addresses.private-dns-name': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.PrivateDnsName),
  ),
  'network-interface.addresses.private-ip-address': ofNics((nic) =>
    nic.PrivateIpAddresses?.map((address) => address.PrivateIpAddress),
  ),
  'network-interface.association.allocation-id': ofAllocations,
  'network-interface.association.association-id': ofAssociations,
  'network-interface.association.ip-owner-id': ofNics((nic) => nic.Association?.IpOwnerId),
  'network-interface.association.public-dns-name': ofNics((nic) => nic.Association?.PublicDnsName),
  'network-interface.association.public-ip': ofNics((nic) => nic.Association?.PublicIp),
  'network-interface.public-dns-name': ofNics((nic) => nic.Association?.PublicDnsName),
  'network-interface.attachment.attachment-id': ofNics((nic) => nic.Attachment?.AttachmentId),
  'network-interface.attachment.attach-time': ofNics((nic) => nic.Attachment?.AttachTime),
  'network-interface.attachment.delete-on-termination': ofNics(
    (nic) => nic.Attachment?.DeleteOnTermination,
  ),
  'network-interface.attachment.device-index': ofNics((nic) => nic.Attachment?.DeviceIndex),
  'network-interface.attachment.instance-id': ({ view }) => view.InstanceId,
  'network-interface.attachment.instance-owner-id': ofNics((nic) => nic.OwnerId),
  'network-interface.attachment.network-card-index': ofNics(
    (nic) => nic.Attachment?.NetworkCardIndex,
  ),
  'network-interface.attachment.status': ofNics((nic) => nic.Attachment?.Status),
  'network-interface.availability-zone': ({ view }) =>
    (view.NetworkInterfaces ?? []).map(() => view.Placement?.AvailabilityZone),
  'network-interface.deny-all-igw-traffic': ofNics(() => false),
  'network-interface.description': ofNics((nic) => nic.Description),
  'network-interface.group-id': ofNics((nic) => nic.Groups?.map((group) => group.GroupId)),
  'network-interface.group-name': ofNics((nic) => nic.Groups?.map((group) => group.GroupName)),
  'network-interface.ipv6-native': ofNics(() => false),
  'network-interface.mac-address': ofNics((nic) => nic.MacAddress),
  'network-interface.network-interface-id': ofNics((nic) => nic.NetworkInterfaceId),
  'network-interface.operator.managed': ofNics((nic) => nic.Operator?.Managed),
  'network-interface.owner-id': ofNics((nic) => nic.OwnerId),
  'network-interface.private-dns-name': ofNics((nic) => nic.PrivateDnsName),
  'network-interface.private-ip-address': ofNics((nic) => nic.PrivateIpAddress),
  'network-interface.requester-managed': ofNics(() => false),
  'network-interface.source-dest-check': ofNics((nic) => nic.SourceDestCheck),
  'network-interface.status': ofNics((nic) => nic.Status),
  'network-interface.subnet-id': ofNics((nic) => nic.SubnetId),
  'network-interface.tag-key': ({ nicTags }) => nicTags.map((tag) => tag.Key),
  'network-interface.tag-value': ({ nicTags }) => nicTags.map((tag) => tag.Value),
  'network-interface.vpc-id': ofNics((nic) => nic.VpcId),
}

/** Filters of DescribeInstances, except tag filters, which every Describe has. */
export const INSTANCE_FILTERS: FilterTable<ListedInstance> = {
  ...NIC_FILTERS,
  architecture: ({ view }) => view.Architecture,
  'availability-zone': ({ view }) => view.Placement?.AvailabilityZone,
  'availability-zone-id': ({ view }) => view.Placement?.AvailabilityZoneId,
  'block-device-mapping.attach-time': ofDevices((device) => device.Ebs?.AttachTime),
  'block-device-mapping.delete-on-termination': ofDevices(
    (device) => device.Ebs?.DeleteOnTermination,
  ),
  'block-device-mapping.device-name': ofDevices((device) => device.DeviceName),
  'block-device-mapping.status': ofDevices((device) => device.Ebs?.Status),
  'block-device-mapping.volume-id': ofDevices((device) => device.Ebs?.VolumeId),
  'boot-mode': ({ view }) => view.BootMode,
  'capacity-reservation-specification.capacity-reservation-preference': ({ view }) =>
    view.CapacityReservationSpecification?.CapacityReservationPreference,
  'client-token': ({ view }) => view.ClientToken,
  'current-instance-boot-mode': ({ view }) => view.CurrentInstanceBootMode,
  'dns-name': ({ view }) => view.PublicDnsName,
  'ebs-optimized': ({ view }) => view.EbsOptimized,
  'ena-support': ({ view }) => view.EnaSupport,
  'enclave-options.enabled': ({ view }) => view.EnclaveOptions?.Enabled,
  'hibernation-options.configured': ({ view }) => view.HibernationOptions?.Configured,
  hypervisor: ({ view }) => view.Hypervisor,
  'iam-instance-profile.arn': ({ view }) => view.IamInstanceProfile?.Arn,
  'iam-instance-profile.id': ({ view }) => view.IamInstanceProfile?.Id,
  'image-id': ({ view }) => view.ImageId,
  'instance-id': ({ view }) => view.InstanceId,
  'instance-state-code': ({ view }) => view.State?.Code,
  'instance-state-name': ({ view }) => view.State?.Name,
  'instance-type': ({ view }) => view.InstanceType,
  'instance.group-id': ({ view }) => view.SecurityGroups?.map((group) => group.GroupId),
  'instance.group-name': ({ view }) => view.SecurityGroups?.map((group) => group.GroupName),
  'ip-address': ({ view }) => view.PublicIpAddress,
  'key-name': ({ view }) => view.KeyName,
  'launch-index': ({ view }) => view.AmiLaunchIndex,
  'launch-time': ({ view }) => view.LaunchTime,
  'maintenance-options.auto-recovery': ({ view }) => view.MaintenanceOptions?.AutoRecovery,
  'metadata-options.http-endpoint': ({ view }) => view.MetadataOptions?.HttpEndpoint,
  // There is one way to the metadata.
  'metadata-options.http-protocol-ipv4': ({ view }) => view.MetadataOptions?.HttpEndpoint,
  'metadata-options.http-protocol-ipv6': ({ view }) => view.MetadataOptions?.HttpProtocolIpv6,
  'metadata-options.http-put-response-hop-limit': ({ view }) =>
    view.MetadataOptions?.HttpPutResponseHopLimit,
  'metadata-options.instance-metadata-tags': ({ view }) =>
    view.MetadataOptions?.InstanceMetadataTags,
  'metadata-options.http-tokens': ({ view }) => view.MetadataOptions?.HttpTokens,
  'metadata-options.state': ({ view }) => view.MetadataOptions?.State,
  'monitoring-state': ({ view }) => view.Monitoring?.State,
  'network-performance-options.bandwidth-weighting': ({ view }) =>
    view.NetworkPerformanceOptions?.BandwidthWeighting,
  'operator.managed': ({ view }) => view.Operator?.Managed,
  'owner-id': ({ owner }) => owner,
  'placement-group-name': ({ view }) => view.Placement?.GroupName || undefined,
  'placement-partition-number': ({ view }) => view.Placement?.PartitionNumber,
  'platform-details': ({ view }) => view.PlatformDetails,
  'private-dns-name': ({ view }) => view.PrivateDnsName,
  'private-dns-name-options.enable-resource-name-dns-a-record': ({ view }) =>
    view.PrivateDnsNameOptions?.EnableResourceNameDnsARecord,
  'private-dns-name-options.enable-resource-name-dns-aaaa-record': ({ view }) =>
    view.PrivateDnsNameOptions?.EnableResourceNameDnsAAAARecord,
  'private-dns-name-options.hostname-type': ({ view }) => view.PrivateDnsNameOptions?.HostnameType,
  'private-ip-address': ({ view }) => view.PrivateIpAddress,
  reason: ({ view }) => view.StateTransitionReason,
  'reservation-id': ({ reservation }) => reservation,
  'root-device-name': ({ view }) => view.RootDeviceName,
  'root-device-type': ({ view }) => view.RootDeviceType,
  'source-dest-check': ({ view }) => view.SourceDestCheck,
  'state-reason-code': ({ view }) => view.StateReason?.Code,
  'state-reason-message': ({ view }) => view.StateReason?.Message,
  'subnet-id': ({ view }) => view.SubnetId,
  tenancy: ({ view }) => view.Placement?.Tenancy,
  'usage-operation': ({ view }) => view.UsageOperation,
  'virtualization-type': ({ view }) => view.VirtualizationType,
  'vpc-id': ({ view }) => view.VpcId,
}

/** What the records can restrict of these filters. */
export const INSTANCE_NARROWING: Narrowing<InstanceRestriction> = {
  'block-device-mapping.volume-id': 'volume',
  'client-token': 'clientToken',
  'image-id': 'image',
  'instance-id': 'id',
  'instance-state-name': 'state',
  'instance-type': 'type',
  'instance.group-id': 'group',
  'ip-address': 'publicIp',
  'key-name': 'keyName',
  'network-interface.group-id': 'group',
  'network-interface.network-interface-id': 'nic',
  'network-interface.private-ip-address': 'privateIp',
  'network-interface.subnet-id': 'subnet',
  'network-interface.vpc-id': 'vpc',
  'private-ip-address': 'privateIp',
  'reservation-id': 'reservation',
  'subnet-id': 'subnet',
  'vpc-id': 'vpc',
}

/** Filters of DescribeInstanceStatus. */
export const INSTANCE_STATUS_FILTERS: FilterTable<InstanceStatus> = {
  'availability-zone': (status) => status.AvailabilityZone,
  'availability-zone-id': (status) => status.AvailabilityZoneId,
  'event.code': (status) => status.Events?.map((event) => event.Code),
  'event.description': (status) => status.Events?.map((event) => event.Description),
  'event.instance-event-id': (status) => status.Events?.map((event) => event.InstanceEventId),
  'event.not-before': (status) => status.Events?.map((event) => event.NotBefore),
  'instance-state-code': (status) => status.InstanceState?.Code,
  'instance-state-name': (status) => status.InstanceState?.Name,
  'instance-status.reachability': (status) =>
    status.InstanceStatus?.Details?.map((detail) => detail.Status),
  'instance-status.status': (status) => status.InstanceStatus?.Status,
  'operator.managed': (status) => status.Operator?.Managed,
  'system-status.reachability': (status) =>
    status.SystemStatus?.Details?.map((detail) => detail.Status),
  'system-status.status': (status) => status.SystemStatus?.Status,
}

/** What the records can restrict of these filters. */
export const INSTANCE_STATUS_NARROWING: Narrowing<InstanceRestriction> = {
  'instance-state-name': 'state',
}
