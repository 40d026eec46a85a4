/**
 * The order of members in EC2's answers, for structures where it is not the order of the SDK's
 * model.
 *
 * The SDK lists members that were added later before the older ones. EC2 itself, and each "Sample
 * Response" of its API reference, begin with the id. Clients that read an answer line by line rely
 * on that. Members that are not listed here follow those that are, in the order of the SDK's model.
 * `nextToken` always comes last.
 *
 * Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
 */
export const DOCUMENTED_ORDER: Readonly<Record<string, string>> = {
  Address:
    'publicIp allocationId domain instanceId associationId networkInterfaceId networkInterfaceOwnerId privateIpAddress',
  AllocateAddressResult: 'publicIp domain allocationId',
  AvailabilityZone:
    'zoneName zoneState regionName zoneId groupName networkBorderGroup zoneType optInStatus messageSet',
  BlockDeviceMapping: 'deviceName virtualName ebs noDevice',
  ClassicLinkDnsSupport: 'vpcId classicLinkDnsSupported',
  DescribeDhcpOptionsResult: 'dhcpOptionsSet',
  DescribeNetworkInterfaceAttributeResult: 'networkInterfaceId',
  DescribeVolumeAttributeResult: 'volumeId',
  DescribeVolumeStatusResult: 'volumeStatusSet',
  DescribeVpcAttributeResult: 'vpcId',
  DescribeVpcClassicLinkDnsSupportResult: 'vpcs',
  DhcpOptions: 'dhcpOptionsId dhcpConfigurationSet tagSet',
  EbsBlockDevice: 'snapshotId volumeSize deleteOnTermination volumeType iops encrypted',
  EbsInstanceBlockDevice: 'volumeId status attachTime deleteOnTermination',
  EbsStatusDetails: 'name status impairedSince',
  EbsStatusSummary: 'status details',
  Image:
    'imageId imageLocation imageState imageOwnerId creationDate isPublic productCodes architecture imageType kernelId ramdiskId ' +
    'platform sriovNetSupport stateReason imageOwnerAlias name description rootDeviceType rootDeviceName blockDeviceMapping ' +
    'virtualizationType tagSet hypervisor',
  ImageAttribute: 'imageId launchPermission',
  ImportKeyPairResult: 'keyName keyFingerprint keyPairId tagSet',
  Instance:
    'instanceId imageId instanceState privateDnsName dnsName reason keyName amiLaunchIndex productCodes instanceType launchTime ' +
    'placement kernelId ramdiskId platform monitoring subnetId vpcId privateIpAddress ipAddress sourceDestCheck groupSet ' +
    'stateReason architecture rootDeviceType rootDeviceName blockDeviceMapping instanceLifecycle spotInstanceRequestId ' +
    'virtualizationType clientToken tagSet hypervisor networkInterfaceSet iamInstanceProfile ebsOptimized sriovNetSupport ' +
    'enaSupport',
  InstanceAttribute: 'instanceId',
  InstanceNetworkInterface:
    'networkInterfaceId subnetId vpcId description ownerId status macAddress privateIpAddress privateDnsName sourceDestCheck ' +
    'groupSet attachment association privateIpAddressesSet ipv6AddressesSet',
  InstanceNetworkInterfaceAssociation: 'publicIp publicDnsName ipOwnerId',
  InstanceNetworkInterfaceAttachment:
    'attachmentId deviceIndex status attachTime deleteOnTermination',
  InstancePrivateIpAddress: 'privateIpAddress privateDnsName primary association',
  InstanceStatus: 'instanceId availabilityZone instanceState systemStatus instanceStatus eventsSet',
  InstanceStatusDetails: 'name status impairedSince',
  InstanceStatusEvent: 'instanceEventId code description notBefore notAfter',
  InstanceStatusSummary: 'status details',
  InternetGateway: 'internetGatewayId attachmentSet tagSet',
  InternetGatewayAttachment: 'vpcId state',
  IpRange: 'cidrIp description',
  Ipv6Range: 'cidrIpv6 description',
  KeyPair: 'keyName keyFingerprint keyMaterial keyPairId tagSet',
  KeyPairInfo: 'keyPairId keyName keyFingerprint',
  Monitoring: 'state',
  NetworkAcl: 'networkAclId vpcId default entrySet associationSet tagSet',
  NetworkAclEntry: 'ruleNumber protocol ruleAction egress cidrBlock',
  NetworkInterface:
    'networkInterfaceId subnetId vpcId availabilityZone description ownerId requesterId requesterManaged status ' +
    'macAddress privateIpAddress privateDnsName sourceDestCheck groupSet attachment association tagSet ' +
    'privateIpAddressesSet ipv6AddressesSet',
  NetworkInterfaceAssociation: 'publicIp publicDnsName ipOwnerId allocationId associationId',
  NetworkInterfaceAttachment:
    'attachmentId instanceId instanceOwnerId deviceIndex status attachTime deleteOnTermination',
  NetworkInterfacePrivateIpAddress: 'privateIpAddress privateDnsName primary association',
  Placement: 'availabilityZone affinity groupName hostId tenancy',
  PrefixListId: 'prefixListId description',
  Region: 'regionName regionEndpoint optInStatus',
  Reservation: 'reservationId ownerId groupSet instancesSet requesterId',
  Route: 'destinationCidrBlock gatewayId state origin',
  RouteTable: 'routeTableId vpcId routeSet associationSet propagatingVgwSet tagSet',
  RouteTableAssociation: 'routeTableAssociationId routeTableId main subnetId',
  SecurityGroup:
    'ownerId groupId groupName groupDescription vpcId ipPermissions ipPermissionsEgress tagSet',
  Subnet:
    'subnetId subnetArn state ownerId vpcId cidrBlock ipv6CidrBlockAssociationSet availableIpAddressCount availabilityZone ' +
    'availabilityZoneId defaultForAz mapPublicIpOnLaunch assignIpv6AddressOnCreation tagSet',
  TagDescription: 'resourceId resourceType key value',
  UserIdGroupPair: 'userId groupId groupName',
  Volume:
    'volumeId size snapshotId availabilityZone status createTime attachmentSet tagSet volumeType iops encrypted kmsKeyId',
  VolumeAttachment: 'volumeId instanceId device status attachTime deleteOnTermination',
  VolumeStatusInfo: 'status details',
  VolumeStatusItem: 'volumeId availabilityZone volumeStatus eventsSet actionsSet',
  Vpc: 'vpcId ownerId state cidrBlock cidrBlockAssociationSet ipv6CidrBlockAssociationSet dhcpOptionsId tagSet instanceTenancy isDefault',
  VpcCidrBlockAssociation: 'cidrBlock associationId cidrBlockState',
  VpcClassicLink: 'vpcId classicLinkEnabled tagSet',
  VpcIpv6CidrBlockAssociation: 'ipv6CidrBlock associationId ipv6CidrBlockState',
}
