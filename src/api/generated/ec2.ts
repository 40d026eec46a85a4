/**
 * Written by scripts/generate-wire.ts from @aws-sdk/client-ec2; do not edit.
 * The notation is explained in ../wire/model.ts.
 */
import type { WireModel } from '../wire/model.ts'

export const EC2_MODEL: WireModel = {
  name: 'ec2',
  version: '2016-11-15',
  namespace: 'http://ec2.amazonaws.com/doc/2016-11-15/',
  wrapped: false,
  actions: {
    AcceptVpcPeeringConnection: ['AcceptVpcPeeringConnectionRequest', 'AcceptVpcPeeringConnectionResult'],
    AllocateAddress: ['AllocateAddressRequest', 'AllocateAddressResult'],
    AssignPrivateIpAddresses: ['AssignPrivateIpAddressesRequest', 'AssignPrivateIpAddressesResult'],
    AssociateAddress: ['AssociateAddressRequest', 'AssociateAddressResult'],
    AssociateDhcpOptions: ['AssociateDhcpOptionsRequest', 'unit'],
    AssociateIamInstanceProfile: ['AssociateIamInstanceProfileRequest', 'AssociateIamInstanceProfileResult'],
    AssociateRouteTable: ['AssociateRouteTableRequest', 'AssociateRouteTableResult'],
    AssociateVpcCidrBlock: ['AssociateVpcCidrBlockRequest', 'AssociateVpcCidrBlockResult'],
    AttachInternetGateway: ['AttachInternetGatewayRequest', 'unit'],
    AttachNetworkInterface: ['AttachNetworkInterfaceRequest', 'AttachNetworkInterfaceResult'],
    AuthorizeSecurityGroupEgress: ['AuthorizeSecurityGroupEgressRequest', 'AuthorizeSecurityGroupEgressResult'],
    AuthorizeSecurityGroupIngress: ['AuthorizeSecurityGroupIngressRequest', 'AuthorizeSecurityGroupIngressResult'],
    CopyImage: ['CopyImageRequest', 'CopyImageResult'],
    CreateDefaultSubnet: ['CreateDefaultSubnetRequest', 'CreateDefaultSubnetResult'],
    CreateDefaultVpc: ['CreateDefaultVpcRequest', 'CreateDefaultVpcResult'],
    CreateDhcpOptions: ['CreateDhcpOptionsRequest', 'CreateDhcpOptionsResult'],
    CreateFlowLogs: ['CreateFlowLogsRequest', 'CreateFlowLogsResult'],
    CreateImage: ['CreateImageRequest', 'CreateImageResult'],
    CreateInternetGateway: ['CreateInternetGatewayRequest', 'CreateInternetGatewayResult'],
    CreateKeyPair: ['CreateKeyPairRequest', 'KeyPair'],
    CreateLaunchTemplate: ['CreateLaunchTemplateRequest', 'CreateLaunchTemplateResult'],
    CreateLaunchTemplateVersion: ['CreateLaunchTemplateVersionRequest', 'CreateLaunchTemplateVersionResult'],
    CreateManagedPrefixList: ['CreateManagedPrefixListRequest', 'CreateManagedPrefixListResult'],
    CreateNatGateway: ['CreateNatGatewayRequest', 'CreateNatGatewayResult'],
    CreateNetworkAcl: ['CreateNetworkAclRequest', 'CreateNetworkAclResult'],
    CreateNetworkAclEntry: ['CreateNetworkAclEntryRequest', 'unit'],
    CreateNetworkInterface: ['CreateNetworkInterfaceRequest', 'CreateNetworkInterfaceResult'],
    CreatePlacementGroup: ['CreatePlacementGroupRequest', 'CreatePlacementGroupResult'],
    CreateRoute: ['CreateRouteRequest', 'CreateRouteResult'],
    CreateRouteTable: ['CreateRouteTableRequest', 'CreateRouteTableResult'],
    CreateSecurityGroup: ['CreateSecurityGroupRequest', 'CreateSecurityGroupResult'],
    CreateSubnet: ['CreateSubnetRequest', 'CreateSubnetResult'],
    CreateTags: ['CreateTagsRequest', 'unit'],
    CreateVpc: ['CreateVpcRequest', 'CreateVpcResult'],
    CreateVpcPeeringConnection: ['CreateVpcPeeringConnectionRequest', 'CreateVpcPeeringConnectionResult'],
    DeleteDhcpOptions: ['DeleteDhcpOptionsRequest', 'unit'],
    DeleteFlowLogs: ['DeleteFlowLogsRequest', 'DeleteFlowLogsResult'],
    DeleteInternetGateway: ['DeleteInternetGatewayRequest', 'unit'],
    DeleteKeyPair: ['DeleteKeyPairRequest', 'DeleteKeyPairResult'],
    DeleteLaunchTemplate: ['DeleteLaunchTemplateRequest', 'DeleteLaunchTemplateResult'],
    DeleteLaunchTemplateVersions: ['DeleteLaunchTemplateVersionsRequest', 'DeleteLaunchTemplateVersionsResult'],
    DeleteManagedPrefixList: ['DeleteManagedPrefixListRequest', 'DeleteManagedPrefixListResult'],
    DeleteNatGateway: ['DeleteNatGatewayRequest', 'DeleteNatGatewayResult'],
    DeleteNetworkAcl: ['DeleteNetworkAclRequest', 'unit'],
    DeleteNetworkAclEntry: ['DeleteNetworkAclEntryRequest', 'unit'],
    DeleteNetworkInterface: ['DeleteNetworkInterfaceRequest', 'unit'],
    DeletePlacementGroup: ['DeletePlacementGroupRequest', 'unit'],
    DeleteRoute: ['DeleteRouteRequest', 'unit'],
    DeleteRouteTable: ['DeleteRouteTableRequest', 'unit'],
    DeleteSecurityGroup: ['DeleteSecurityGroupRequest', 'DeleteSecurityGroupResult'],
    DeleteSubnet: ['DeleteSubnetRequest', 'unit'],
    DeleteTags: ['DeleteTagsRequest', 'unit'],
    DeleteVolume: ['DeleteVolumeRequest', 'unit'],
    DeleteVpc: ['DeleteVpcRequest', 'unit'],
    DeleteVpcPeeringConnection: ['DeleteVpcPeeringConnectionRequest', 'DeleteVpcPeeringConnectionResult'],
    DeregisterImage: ['DeregisterImageRequest', 'DeregisterImageResult'],
    DescribeAccountAttributes: ['DescribeAccountAttributesRequest', 'DescribeAccountAttributesResult'],
    DescribeAddressTransfers: ['DescribeAddressTransfersRequest', 'DescribeAddressTransfersResult'],
    DescribeAddresses: ['DescribeAddressesRequest', 'DescribeAddressesResult'],
    DescribeAddressesAttribute: ['DescribeAddressesAttributeRequest', 'DescribeAddressesAttributeResult'],
    DescribeAvailabilityZones: ['DescribeAvailabilityZonesRequest', 'DescribeAvailabilityZonesResult'],
    DescribeBundleTasks: ['DescribeBundleTasksRequest', 'DescribeBundleTasksResult'],
    DescribeCapacityReservations: ['DescribeCapacityReservationsRequest', 'DescribeCapacityReservationsResult'],
    DescribeCarrierGateways: ['DescribeCarrierGatewaysRequest', 'DescribeCarrierGatewaysResult'],
    DescribeClassicLinkInstances: ['DescribeClassicLinkInstancesRequest', 'DescribeClassicLinkInstancesResult'],
    DescribeClientVpnEndpoints: ['DescribeClientVpnEndpointsRequest', 'DescribeClientVpnEndpointsResult'],
    DescribeCoipPools: ['DescribeCoipPoolsRequest', 'DescribeCoipPoolsResult'],
    DescribeConversionTasks: ['DescribeConversionTasksRequest', 'DescribeConversionTasksResult'],
    DescribeCustomerGateways: ['DescribeCustomerGatewaysRequest', 'DescribeCustomerGatewaysResult'],
    DescribeDhcpOptions: ['DescribeDhcpOptionsRequest', 'DescribeDhcpOptionsResult'],
    DescribeEgressOnlyInternetGateways: ['DescribeEgressOnlyInternetGatewaysRequest', 'DescribeEgressOnlyInternetGatewaysResult'],
    DescribeElasticGpus: ['DescribeElasticGpusRequest', 'DescribeElasticGpusResult'],
    DescribeExportImageTasks: ['DescribeExportImageTasksRequest', 'DescribeExportImageTasksResult'],
    DescribeExportTasks: ['DescribeExportTasksRequest', 'DescribeExportTasksResult'],
    DescribeFastLaunchImages: ['DescribeFastLaunchImagesRequest', 'DescribeFastLaunchImagesResult'],
    DescribeFastSnapshotRestores: ['DescribeFastSnapshotRestoresRequest', 'DescribeFastSnapshotRestoresResult'],
    DescribeFleetInstances: ['DescribeFleetInstancesRequest', 'DescribeFleetInstancesResult'],
    DescribeFleets: ['DescribeFleetsRequest', 'DescribeFleetsResult'],
    DescribeFlowLogs: ['DescribeFlowLogsRequest', 'DescribeFlowLogsResult'],
    DescribeFpgaImages: ['DescribeFpgaImagesRequest', 'DescribeFpgaImagesResult'],
    DescribeHostReservationOfferings: ['DescribeHostReservationOfferingsRequest', 'DescribeHostReservationOfferingsResult'],
    DescribeHostReservations: ['DescribeHostReservationsRequest', 'DescribeHostReservationsResult'],
    DescribeHosts: ['DescribeHostsRequest', 'DescribeHostsResult'],
    DescribeIamInstanceProfileAssociations: ['DescribeIamInstanceProfileAssociationsRequest', 'DescribeIamInstanceProfileAssociationsResult'],
    DescribeIdFormat: ['DescribeIdFormatRequest', 'DescribeIdFormatResult'],
    DescribeImageAttribute: ['DescribeImageAttributeRequest', 'ImageAttribute'],
    DescribeImages: ['DescribeImagesRequest', 'DescribeImagesResult'],
    DescribeImportImageTasks: ['DescribeImportImageTasksRequest', 'DescribeImportImageTasksResult'],
    DescribeImportSnapshotTasks: ['DescribeImportSnapshotTasksRequest', 'DescribeImportSnapshotTasksResult'],
    DescribeInstanceAttribute: ['DescribeInstanceAttributeRequest', 'InstanceAttribute'],
    DescribeInstanceConnectEndpoints: ['DescribeInstanceConnectEndpointsRequest', 'DescribeInstanceConnectEndpointsResult'],
    DescribeInstanceCreditSpecifications: ['DescribeInstanceCreditSpecificationsRequest', 'DescribeInstanceCreditSpecificationsResult'],
    DescribeInstanceEventWindows: ['DescribeInstanceEventWindowsRequest', 'DescribeInstanceEventWindowsResult'],
    DescribeInstanceStatus: ['DescribeInstanceStatusRequest', 'DescribeInstanceStatusResult'],
    DescribeInstanceTypeOfferings: ['DescribeInstanceTypeOfferingsRequest', 'DescribeInstanceTypeOfferingsResult'],
    DescribeInstanceTypes: ['DescribeInstanceTypesRequest', 'DescribeInstanceTypesResult'],
    DescribeInstances: ['DescribeInstancesRequest', 'DescribeInstancesResult'],
    DescribeInternetGateways: ['DescribeInternetGatewaysRequest', 'DescribeInternetGatewaysResult'],
    DescribeIpamPools: ['DescribeIpamPoolsRequest', 'DescribeIpamPoolsResult'],
    DescribeIpamScopes: ['DescribeIpamScopesRequest', 'DescribeIpamScopesResult'],
    DescribeIpams: ['DescribeIpamsRequest', 'DescribeIpamsResult'],
    DescribeIpv6Pools: ['DescribeIpv6PoolsRequest', 'DescribeIpv6PoolsResult'],
    DescribeKeyPairs: ['DescribeKeyPairsRequest', 'DescribeKeyPairsResult'],
    DescribeLaunchTemplateVersions: ['DescribeLaunchTemplateVersionsRequest', 'DescribeLaunchTemplateVersionsResult'],
    DescribeLaunchTemplates: ['DescribeLaunchTemplatesRequest', 'DescribeLaunchTemplatesResult'],
    DescribeLocalGateways: ['DescribeLocalGatewaysRequest', 'DescribeLocalGatewaysResult'],
    DescribeLockedSnapshots: ['DescribeLockedSnapshotsRequest', 'DescribeLockedSnapshotsResult'],
    DescribeMacHosts: ['DescribeMacHostsRequest', 'DescribeMacHostsResult'],
    DescribeManagedPrefixLists: ['DescribeManagedPrefixListsRequest', 'DescribeManagedPrefixListsResult'],
    DescribeMovingAddresses: ['DescribeMovingAddressesRequest', 'DescribeMovingAddressesResult'],
    DescribeNatGateways: ['DescribeNatGatewaysRequest', 'DescribeNatGatewaysResult'],
    DescribeNetworkAcls: ['DescribeNetworkAclsRequest', 'DescribeNetworkAclsResult'],
    DescribeNetworkInsightsAnalyses: ['DescribeNetworkInsightsAnalysesRequest', 'DescribeNetworkInsightsAnalysesResult'],
    DescribeNetworkInsightsPaths: ['DescribeNetworkInsightsPathsRequest', 'DescribeNetworkInsightsPathsResult'],
    DescribeNetworkInterfaceAttribute: ['DescribeNetworkInterfaceAttributeRequest', 'DescribeNetworkInterfaceAttributeResult'],
    DescribeNetworkInterfacePermissions: ['DescribeNetworkInterfacePermissionsRequest', 'DescribeNetworkInterfacePermissionsResult'],
    DescribeNetworkInterfaces: ['DescribeNetworkInterfacesRequest', 'DescribeNetworkInterfacesResult'],
    DescribePlacementGroups: ['DescribePlacementGroupsRequest', 'DescribePlacementGroupsResult'],
    DescribePrefixLists: ['DescribePrefixListsRequest', 'DescribePrefixListsResult'],
    DescribePublicIpv4Pools: ['DescribePublicIpv4PoolsRequest', 'DescribePublicIpv4PoolsResult'],
    DescribeRegions: ['DescribeRegionsRequest', 'DescribeRegionsResult'],
    DescribeReplaceRootVolumeTasks: ['DescribeReplaceRootVolumeTasksRequest', 'DescribeReplaceRootVolumeTasksResult'],
    DescribeReservedInstances: ['DescribeReservedInstancesRequest', 'DescribeReservedInstancesResult'],
    DescribeReservedInstancesListings: ['DescribeReservedInstancesListingsRequest', 'DescribeReservedInstancesListingsResult'],
    DescribeReservedInstancesModifications: ['DescribeReservedInstancesModificationsRequest', 'DescribeReservedInstancesModificationsResult'],
    DescribeReservedInstancesOfferings: ['DescribeReservedInstancesOfferingsRequest', 'DescribeReservedInstancesOfferingsResult'],
    DescribeRouteTables: ['DescribeRouteTablesRequest', 'DescribeRouteTablesResult'],
    DescribeScheduledInstances: ['DescribeScheduledInstancesRequest', 'DescribeScheduledInstancesResult'],
    DescribeSecurityGroupReferences: ['DescribeSecurityGroupReferencesRequest', 'DescribeSecurityGroupReferencesResult'],
    DescribeSecurityGroupRules: ['DescribeSecurityGroupRulesRequest', 'DescribeSecurityGroupRulesResult'],
    DescribeSecurityGroupVpcAssociations: ['DescribeSecurityGroupVpcAssociationsRequest', 'DescribeSecurityGroupVpcAssociationsResult'],
    DescribeSecurityGroups: ['DescribeSecurityGroupsRequest', 'DescribeSecurityGroupsResult'],
    DescribeSnapshotAttribute: ['DescribeSnapshotAttributeRequest', 'DescribeSnapshotAttributeResult'],
    DescribeSnapshotTierStatus: ['DescribeSnapshotTierStatusRequest', 'DescribeSnapshotTierStatusResult'],
    DescribeSnapshots: ['DescribeSnapshotsRequest', 'DescribeSnapshotsResult'],
    DescribeSpotDatafeedSubscription: ['DescribeSpotDatafeedSubscriptionRequest', 'DescribeSpotDatafeedSubscriptionResult'],
    DescribeSpotFleetInstances: ['DescribeSpotFleetInstancesRequest', 'DescribeSpotFleetInstancesResponse'],
    DescribeSpotFleetRequests: ['DescribeSpotFleetRequestsRequest', 'DescribeSpotFleetRequestsResponse'],
    DescribeSpotInstanceRequests: ['DescribeSpotInstanceRequestsRequest', 'DescribeSpotInstanceRequestsResult'],
    DescribeSpotPriceHistory: ['DescribeSpotPriceHistoryRequest', 'DescribeSpotPriceHistoryResult'],
    DescribeStaleSecurityGroups: ['DescribeStaleSecurityGroupsRequest', 'DescribeStaleSecurityGroupsResult'],
    DescribeStoreImageTasks: ['DescribeStoreImageTasksRequest', 'DescribeStoreImageTasksResult'],
    DescribeSubnets: ['DescribeSubnetsRequest', 'DescribeSubnetsResult'],
    DescribeTags: ['DescribeTagsRequest', 'DescribeTagsResult'],
    DescribeTrafficMirrorFilters: ['DescribeTrafficMirrorFiltersRequest', 'DescribeTrafficMirrorFiltersResult'],
    DescribeTrafficMirrorSessions: ['DescribeTrafficMirrorSessionsRequest', 'DescribeTrafficMirrorSessionsResult'],
    DescribeTrafficMirrorTargets: ['DescribeTrafficMirrorTargetsRequest', 'DescribeTrafficMirrorTargetsResult'],
    DescribeTransitGatewayAttachments: ['DescribeTransitGatewayAttachmentsRequest', 'DescribeTransitGatewayAttachmentsResult'],
    DescribeTransitGatewayConnectPeers: ['DescribeTransitGatewayConnectPeersRequest', 'DescribeTransitGatewayConnectPeersResult'],
    DescribeTransitGatewayConnects: ['DescribeTransitGatewayConnectsRequest', 'DescribeTransitGatewayConnectsResult'],
    DescribeTransitGatewayMulticastDomains: ['DescribeTransitGatewayMulticastDomainsRequest', 'DescribeTransitGatewayMulticastDomainsResult'],
    DescribeTransitGatewayPeeringAttachments: ['DescribeTransitGatewayPeeringAttachmentsRequest', 'DescribeTransitGatewayPeeringAttachmentsResult'],
    DescribeTransitGatewayRouteTables: ['DescribeTransitGatewayRouteTablesRequest', 'DescribeTransitGatewayRouteTablesResult'],
    DescribeTransitGatewayVpcAttachments: ['DescribeTransitGatewayVpcAttachmentsRequest', 'DescribeTransitGatewayVpcAttachmentsResult'],
    DescribeTransitGateways: ['DescribeTransitGatewaysRequest', 'DescribeTransitGatewaysResult'],
    DescribeVerifiedAccessInstances: ['DescribeVerifiedAccessInstancesRequest', 'DescribeVerifiedAccessInstancesResult'],
    DescribeVolumeAttribute: ['DescribeVolumeAttributeRequest', 'DescribeVolumeAttributeResult'],
    DescribeVolumeStatus: ['DescribeVolumeStatusRequest', 'DescribeVolumeStatusResult'],
    DescribeVolumes: ['DescribeVolumesRequest', 'DescribeVolumesResult'],
    DescribeVolumesModifications: ['DescribeVolumesModificationsRequest', 'DescribeVolumesModificationsResult'],
    DescribeVpcAttribute: ['DescribeVpcAttributeRequest', 'DescribeVpcAttributeResult'],
    DescribeVpcClassicLink: ['DescribeVpcClassicLinkRequest', 'DescribeVpcClassicLinkResult'],
    DescribeVpcClassicLinkDnsSupport: ['DescribeVpcClassicLinkDnsSupportRequest', 'DescribeVpcClassicLinkDnsSupportResult'],
    DescribeVpcEndpointConnectionNotifications: ['DescribeVpcEndpointConnectionNotificationsRequest', 'DescribeVpcEndpointConnectionNotificationsResult'],
    DescribeVpcEndpointConnections: ['DescribeVpcEndpointConnectionsRequest', 'DescribeVpcEndpointConnectionsResult'],
    DescribeVpcEndpointServiceConfigurations: ['DescribeVpcEndpointServiceConfigurationsRequest', 'DescribeVpcEndpointServiceConfigurationsResult'],
    DescribeVpcEndpointServices: ['DescribeVpcEndpointServicesRequest', 'DescribeVpcEndpointServicesResult'],
    DescribeVpcEndpoints: ['DescribeVpcEndpointsRequest', 'DescribeVpcEndpointsResult'],
    DescribeVpcPeeringConnections: ['DescribeVpcPeeringConnectionsRequest', 'DescribeVpcPeeringConnectionsResult'],
    DescribeVpcs: ['DescribeVpcsRequest', 'DescribeVpcsResult'],
    DescribeVpnConnections: ['DescribeVpnConnectionsRequest', 'DescribeVpnConnectionsResult'],
    DescribeVpnGateways: ['DescribeVpnGatewaysRequest', 'DescribeVpnGatewaysResult'],
    DetachInternetGateway: ['DetachInternetGatewayRequest', 'unit'],
    DetachNetworkInterface: ['DetachNetworkInterfaceRequest', 'unit'],
    DisableImageDeprecation: ['DisableImageDeprecationRequest', 'DisableImageDeprecationResult'],
    DisassociateAddress: ['DisassociateAddressRequest', 'unit'],
    DisassociateIamInstanceProfile: ['DisassociateIamInstanceProfileRequest', 'DisassociateIamInstanceProfileResult'],
    DisassociateRouteTable: ['DisassociateRouteTableRequest', 'unit'],
    DisassociateVpcCidrBlock: ['DisassociateVpcCidrBlockRequest', 'DisassociateVpcCidrBlockResult'],
    EnableImageDeprecation: ['EnableImageDeprecationRequest', 'EnableImageDeprecationResult'],
    GetAllowedImagesSettings: ['GetAllowedImagesSettingsRequest', 'GetAllowedImagesSettingsResult'],
    GetConsoleOutput: ['GetConsoleOutputRequest', 'GetConsoleOutputResult'],
    GetConsoleScreenshot: ['GetConsoleScreenshotRequest', 'GetConsoleScreenshotResult'],
    GetEbsEncryptionByDefault: ['GetEbsEncryptionByDefaultRequest', 'GetEbsEncryptionByDefaultResult'],
    GetImageBlockPublicAccessState: ['GetImageBlockPublicAccessStateRequest', 'GetImageBlockPublicAccessStateResult'],
    GetInstanceMetadataDefaults: ['GetInstanceMetadataDefaultsRequest', 'GetInstanceMetadataDefaultsResult'],
    GetLaunchTemplateData: ['GetLaunchTemplateDataRequest', 'GetLaunchTemplateDataResult'],
    GetManagedPrefixListAssociations: ['GetManagedPrefixListAssociationsRequest', 'GetManagedPrefixListAssociationsResult'],
    GetManagedPrefixListEntries: ['GetManagedPrefixListEntriesRequest', 'GetManagedPrefixListEntriesResult'],
    GetPasswordData: ['GetPasswordDataRequest', 'GetPasswordDataResult'],
    GetSecurityGroupsForVpc: ['GetSecurityGroupsForVpcRequest', 'GetSecurityGroupsForVpcResult'],
    GetSerialConsoleAccessStatus: ['GetSerialConsoleAccessStatusRequest', 'GetSerialConsoleAccessStatusResult'],
    GetSnapshotBlockPublicAccessState: ['GetSnapshotBlockPublicAccessStateRequest', 'GetSnapshotBlockPublicAccessStateResult'],
    GetSubnetCidrReservations: ['GetSubnetCidrReservationsRequest', 'GetSubnetCidrReservationsResult'],
    ImportKeyPair: ['ImportKeyPairRequest', 'ImportKeyPairResult'],
    ListImagesInRecycleBin: ['ListImagesInRecycleBinRequest', 'ListImagesInRecycleBinResult'],
    ListSnapshotsInRecycleBin: ['ListSnapshotsInRecycleBinRequest', 'ListSnapshotsInRecycleBinResult'],
    ModifyAddressAttribute: ['ModifyAddressAttributeRequest', 'ModifyAddressAttributeResult'],
    ModifyImageAttribute: ['ModifyImageAttributeRequest', 'unit'],
    ModifyInstanceAttribute: ['ModifyInstanceAttributeRequest', 'unit'],
    ModifyInstanceCapacityReservationAttributes: ['ModifyInstanceCapacityReservationAttributesRequest', 'ModifyInstanceCapacityReservationAttributesResult'],
    ModifyInstanceEventStartTime: ['ModifyInstanceEventStartTimeRequest', 'ModifyInstanceEventStartTimeResult'],
    ModifyInstanceMaintenanceOptions: ['ModifyInstanceMaintenanceOptionsRequest', 'ModifyInstanceMaintenanceOptionsResult'],
    ModifyInstanceMetadataDefaults: ['ModifyInstanceMetadataDefaultsRequest', 'ModifyInstanceMetadataDefaultsResult'],
    ModifyInstanceMetadataOptions: ['ModifyInstanceMetadataOptionsRequest', 'ModifyInstanceMetadataOptionsResult'],
    ModifyInstancePlacement: ['ModifyInstancePlacementRequest', 'ModifyInstancePlacementResult'],
    ModifyLaunchTemplate: ['ModifyLaunchTemplateRequest', 'ModifyLaunchTemplateResult'],
    ModifyManagedPrefixList: ['ModifyManagedPrefixListRequest', 'ModifyManagedPrefixListResult'],
    ModifyNetworkInterfaceAttribute: ['ModifyNetworkInterfaceAttributeRequest', 'unit'],
    ModifyPrivateDnsNameOptions: ['ModifyPrivateDnsNameOptionsRequest', 'ModifyPrivateDnsNameOptionsResult'],
    ModifySecurityGroupRules: ['ModifySecurityGroupRulesRequest', 'ModifySecurityGroupRulesResult'],
    ModifySubnetAttribute: ['ModifySubnetAttributeRequest', 'unit'],
    ModifyVpcAttribute: ['ModifyVpcAttributeRequest', 'unit'],
    ModifyVpcPeeringConnectionOptions: ['ModifyVpcPeeringConnectionOptionsRequest', 'ModifyVpcPeeringConnectionOptionsResult'],
    MonitorInstances: ['MonitorInstancesRequest', 'MonitorInstancesResult'],
    RebootInstances: ['RebootInstancesRequest', 'unit'],
    RegisterImage: ['RegisterImageRequest', 'RegisterImageResult'],
    RejectVpcPeeringConnection: ['RejectVpcPeeringConnectionRequest', 'RejectVpcPeeringConnectionResult'],
    ReleaseAddress: ['ReleaseAddressRequest', 'unit'],
    ReplaceIamInstanceProfileAssociation: ['ReplaceIamInstanceProfileAssociationRequest', 'ReplaceIamInstanceProfileAssociationResult'],
    ReplaceNetworkAclAssociation: ['ReplaceNetworkAclAssociationRequest', 'ReplaceNetworkAclAssociationResult'],
    ReplaceNetworkAclEntry: ['ReplaceNetworkAclEntryRequest', 'unit'],
    ReplaceRoute: ['ReplaceRouteRequest', 'unit'],
    ReplaceRouteTableAssociation: ['ReplaceRouteTableAssociationRequest', 'ReplaceRouteTableAssociationResult'],
    ResetAddressAttribute: ['ResetAddressAttributeRequest', 'ResetAddressAttributeResult'],
    ResetImageAttribute: ['ResetImageAttributeRequest', 'unit'],
    ResetInstanceAttribute: ['ResetInstanceAttributeRequest', 'unit'],
    ResetNetworkInterfaceAttribute: ['ResetNetworkInterfaceAttributeRequest', 'unit'],
    RestoreManagedPrefixListVersion: ['RestoreManagedPrefixListVersionRequest', 'RestoreManagedPrefixListVersionResult'],
    RevokeSecurityGroupEgress: ['RevokeSecurityGroupEgressRequest', 'RevokeSecurityGroupEgressResult'],
    RevokeSecurityGroupIngress: ['RevokeSecurityGroupIngressRequest', 'RevokeSecurityGroupIngressResult'],
    RunInstances: ['RunInstancesRequest', 'Reservation'],
    StartInstances: ['StartInstancesRequest', 'StartInstancesResult'],
    StopInstances: ['StopInstancesRequest', 'StopInstancesResult'],
    TerminateInstances: ['TerminateInstancesRequest', 'TerminateInstancesResult'],
    UnassignPrivateIpAddresses: ['UnassignPrivateIpAddressesRequest', 'unit'],
    UnmonitorInstances: ['UnmonitorInstancesRequest', 'UnmonitorInstancesResult'],
    UpdateSecurityGroupRuleDescriptionsEgress: ['UpdateSecurityGroupRuleDescriptionsEgressRequest', 'UpdateSecurityGroupRuleDescriptionsEgressResult'],
    UpdateSecurityGroupRuleDescriptionsIngress: ['UpdateSecurityGroupRuleDescriptionsIngressRequest', 'UpdateSecurityGroupRuleDescriptionsIngressResult']
  },
  inputs: {
    AcceleratorCountRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    AcceleratorTotalMemoryMiBRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    AcceptVpcPeeringConnectionRequest: {
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      DryRun: 'DryRun boolean'
    },
    AddPrefixListEntry: {
      Cidr: 'Cidr string',
      Description: 'Description string'
    },
    AllocateAddressRequest: {
      Domain: 'Domain string',
      Address: 'Address string',
      PublicIpv4Pool: 'PublicIpv4Pool string',
      NetworkBorderGroup: 'NetworkBorderGroup string',
      CustomerOwnedIpv4Pool: 'CustomerOwnedIpv4Pool string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      IpamPoolId: 'IpamPoolId string',
      DryRun: 'DryRun boolean'
    },
    AssignPrivateIpAddressesRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      Ipv4Prefix: 'Ipv4Prefixes string[]',
      Ipv4PrefixCount: 'Ipv4PrefixCount number',
      PrivateIpAddress: 'PrivateIpAddresses string[]',
      SecondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number',
      AllowReassignment: 'AllowReassignment boolean'
    },
    AssociateAddressRequest: {
      AllocationId: 'AllocationId string',
      InstanceId: 'InstanceId string',
      PublicIp: 'PublicIp string',
      DryRun: 'DryRun boolean',
      NetworkInterfaceId: 'NetworkInterfaceId string',
      PrivateIpAddress: 'PrivateIpAddress string',
      AllowReassociation: 'AllowReassociation boolean'
    },
    AssociateDhcpOptionsRequest: {
      DhcpOptionsId: 'DhcpOptionsId string',
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean'
    },
    AssociateIamInstanceProfileRequest: {
      IamInstanceProfile: 'IamInstanceProfile IamInstanceProfileSpecification',
      InstanceId: 'InstanceId string'
    },
    AssociateRouteTableRequest: {
      RouteTableId: 'RouteTableId string',
      GatewayId: 'GatewayId string',
      PublicIpv4Pool: 'PublicIpv4Pool string',
      DryRun: 'DryRun boolean',
      SubnetId: 'SubnetId string'
    },
    AssociateVpcCidrBlockRequest: {
      VpcId: 'VpcId string',
      CidrBlock: 'CidrBlock string',
      Ipv6CidrBlockNetworkBorderGroup: 'Ipv6CidrBlockNetworkBorderGroup string',
      Ipv6Pool: 'Ipv6Pool string',
      Ipv6CidrBlock: 'Ipv6CidrBlock string',
      Ipv4IpamPoolId: 'Ipv4IpamPoolId string',
      Ipv4NetmaskLength: 'Ipv4NetmaskLength number',
      Ipv6IpamPoolId: 'Ipv6IpamPoolId string',
      Ipv6NetmaskLength: 'Ipv6NetmaskLength number',
      AmazonProvidedIpv6CidrBlock: 'AmazonProvidedIpv6CidrBlock boolean'
    },
    AttachInternetGatewayRequest: {
      InternetGatewayId: 'InternetGatewayId string',
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean'
    },
    AttachNetworkInterfaceRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      InstanceId: 'InstanceId string',
      DeviceIndex: 'DeviceIndex number',
      NetworkCardIndex: 'NetworkCardIndex number',
      EnaSrdSpecification: 'EnaSrdSpecification EnaSrdSpecification',
      EnaQueueCount: 'EnaQueueCount number',
      DryRun: 'DryRun boolean'
    },
    AttributeBooleanValue: {
      Value: 'Value boolean'
    },
    AttributeValue: {
      Value: 'Value string'
    },
    AuthorizeSecurityGroupEgressRequest: {
      GroupId: 'GroupId string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean',
      SourceSecurityGroupName: 'SourceSecurityGroupName string',
      SourceSecurityGroupOwnerId: 'SourceSecurityGroupOwnerId string',
      IpProtocol: 'IpProtocol string',
      FromPort: 'FromPort number',
      ToPort: 'ToPort number',
      CidrIp: 'CidrIp string',
      IpPermissions: 'IpPermissions IpPermission[]'
    },
    AuthorizeSecurityGroupIngressRequest: {
      CidrIp: 'CidrIp string',
      FromPort: 'FromPort number',
      GroupId: 'GroupId string',
      GroupName: 'GroupName string',
      IpPermissions: 'IpPermissions IpPermission[]',
      IpProtocol: 'IpProtocol string',
      SourceSecurityGroupName: 'SourceSecurityGroupName string',
      SourceSecurityGroupOwnerId: 'SourceSecurityGroupOwnerId string',
      ToPort: 'ToPort number',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean'
    },
    AvailabilityZoneAddress: {
      AvailabilityZone: 'AvailabilityZone string',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      AllocationId: 'AllocationIds string[]'
    },
    BaselineEbsBandwidthMbpsRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    BaselinePerformanceFactorsRequest: {
      Cpu: 'Cpu CpuPerformanceFactorRequest'
    },
    BlockDeviceMapping: {
      Ebs: 'Ebs EbsBlockDevice',
      NoDevice: 'NoDevice string',
      DeviceName: 'DeviceName string',
      VirtualName: 'VirtualName string'
    },
    CapacityReservationSpecification: {
      CapacityReservationPreference: 'CapacityReservationPreference string',
      CapacityReservationTarget: 'CapacityReservationTarget CapacityReservationTarget'
    },
    CapacityReservationTarget: {
      CapacityReservationId: 'CapacityReservationId string',
      CapacityReservationResourceGroupArn: 'CapacityReservationResourceGroupArn string'
    },
    ConnectionTrackingSpecificationRequest: {
      TcpEstablishedTimeout: 'TcpEstablishedTimeout number',
      UdpStreamTimeout: 'UdpStreamTimeout number',
      UdpTimeout: 'UdpTimeout number'
    },
    CopyImageRequest: {
      Name: 'Name string',
      SourceImageId: 'SourceImageId string',
      SourceRegion: 'SourceRegion string',
      ClientToken: 'ClientToken string',
      Description: 'Description string',
      Encrypted: 'Encrypted boolean',
      KmsKeyId: 'KmsKeyId string',
      DestinationOutpostArn: 'DestinationOutpostArn string',
      CopyImageTags: 'CopyImageTags boolean',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      SnapshotCopyCompletionDurationMinutes: 'SnapshotCopyCompletionDurationMinutes number',
      DestinationAvailabilityZone: 'DestinationAvailabilityZone string',
      DestinationAvailabilityZoneId: 'DestinationAvailabilityZoneId string',
      DryRun: 'DryRun boolean'
    },
    CpuOptionsRequest: {
      CoreCount: 'CoreCount number',
      ThreadsPerCore: 'ThreadsPerCore number',
      AmdSevSnp: 'AmdSevSnp string',
      NestedVirtualization: 'NestedVirtualization string'
    },
    CpuPerformanceFactorRequest: {
      Reference: 'References PerformanceFactorReferenceRequest[]'
    },
    CreateDefaultSubnetRequest: {
      AvailabilityZone: 'AvailabilityZone string',
      DryRun: 'DryRun boolean',
      Ipv6Native: 'Ipv6Native boolean',
      AvailabilityZoneId: 'AvailabilityZoneId string'
    },
    CreateDefaultVpcRequest: {
      DryRun: 'DryRun boolean'
    },
    CreateDhcpOptionsRequest: {
      DhcpConfiguration: 'DhcpConfigurations NewDhcpConfiguration[]',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean'
    },
    CreateFlowLogsRequest: {
      ResourceId: 'ResourceIds string[]',
      ResourceType: 'ResourceType string',
      DryRun: 'DryRun boolean',
      ClientToken: 'ClientToken string',
      DeliverLogsPermissionArn: 'DeliverLogsPermissionArn string',
      DeliverCrossAccountRole: 'DeliverCrossAccountRole string',
      LogGroupName: 'LogGroupName string',
      TrafficType: 'TrafficType string',
      LogDestinationType: 'LogDestinationType string',
      LogDestination: 'LogDestination string',
      LogFormat: 'LogFormat string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      MaxAggregationInterval: 'MaxAggregationInterval number',
      DestinationOptions: 'DestinationOptions DestinationOptionsRequest',
      TagFieldSpecification: 'TagFieldSpecifications TagFieldSpecificationRequest[]'
    },
    CreateImageRequest: {
      InstanceId: 'InstanceId string',
      Name: 'Name string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      SnapshotLocation: 'SnapshotLocation string',
      BootModeOverride: 'BootModeOverride string',
      DryRun: 'DryRun boolean',
      Description: 'Description string',
      NoReboot: 'NoReboot boolean',
      BlockDeviceMapping: 'BlockDeviceMappings BlockDeviceMapping[]'
    },
    CreateInternetGatewayRequest: {
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean'
    },
    CreateKeyPairRequest: {
      KeyName: 'KeyName string',
      KeyType: 'KeyType string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      KeyFormat: 'KeyFormat string',
      DryRun: 'DryRun boolean'
    },
    CreateLaunchTemplateRequest: {
      LaunchTemplateName: 'LaunchTemplateName string',
      LaunchTemplateData: 'LaunchTemplateData RequestLaunchTemplateData',
      DryRun: 'DryRun boolean',
      ClientToken: 'ClientToken string',
      VersionDescription: 'VersionDescription string',
      Operator: 'Operator OperatorRequest',
      TagSpecification: 'TagSpecifications TagSpecification[]'
    },
    CreateLaunchTemplateVersionRequest: {
      LaunchTemplateData: 'LaunchTemplateData RequestLaunchTemplateData',
      DryRun: 'DryRun boolean',
      ClientToken: 'ClientToken string',
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string',
      SourceVersion: 'SourceVersion string',
      VersionDescription: 'VersionDescription string',
      ResolveAlias: 'ResolveAlias boolean'
    },
    CreateManagedPrefixListRequest: {
      PrefixListName: 'PrefixListName string',
      MaxEntries: 'MaxEntries number',
      AddressFamily: 'AddressFamily string',
      DryRun: 'DryRun boolean',
      Entry: 'Entries AddPrefixListEntry[]',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      ClientToken: 'ClientToken string'
    },
    CreateNatGatewayRequest: {
      AvailabilityMode: 'AvailabilityMode string',
      AllocationId: 'AllocationId string',
      ClientToken: 'ClientToken string',
      DryRun: 'DryRun boolean',
      SubnetId: 'SubnetId string',
      VpcId: 'VpcId string',
      AvailabilityZoneAddress: 'AvailabilityZoneAddresses AvailabilityZoneAddress[]',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      ConnectivityType: 'ConnectivityType string',
      PrivateIpAddress: 'PrivateIpAddress string',
      SecondaryAllocationId: 'SecondaryAllocationIds string[]',
      SecondaryPrivateIpAddress: 'SecondaryPrivateIpAddresses string[]',
      SecondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number'
    },
    CreateNetworkAclEntryRequest: {
      NetworkAclId: 'NetworkAclId string',
      RuleNumber: 'RuleNumber number',
      Protocol: 'Protocol string',
      RuleAction: 'RuleAction string',
      Egress: 'Egress boolean',
      DryRun: 'DryRun boolean',
      CidrBlock: 'CidrBlock string',
      Ipv6CidrBlock: 'Ipv6CidrBlock string',
      Icmp: 'IcmpTypeCode IcmpTypeCode',
      PortRange: 'PortRange PortRange'
    },
    CreateNetworkAclRequest: {
      VpcId: 'VpcId string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      ClientToken: 'ClientToken string',
      DryRun: 'DryRun boolean'
    },
    CreateNetworkInterfaceRequest: {
      SubnetId: 'SubnetId string',
      Ipv4Prefix: 'Ipv4Prefixes Ipv4PrefixSpecificationRequest[]',
      Ipv4PrefixCount: 'Ipv4PrefixCount number',
      Ipv6Prefix: 'Ipv6Prefixes Ipv6PrefixSpecificationRequest[]',
      Ipv6PrefixCount: 'Ipv6PrefixCount number',
      InterfaceType: 'InterfaceType string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      ClientToken: 'ClientToken string',
      EnablePrimaryIpv6: 'EnablePrimaryIpv6 boolean',
      ConnectionTrackingSpecification: 'ConnectionTrackingSpecification ConnectionTrackingSpecificationRequest',
      Operator: 'Operator OperatorRequest',
      Description: 'Description string',
      PrivateIpAddress: 'PrivateIpAddress string',
      SecurityGroupId: 'Groups string[]',
      PrivateIpAddresses: 'PrivateIpAddresses PrivateIpAddressSpecification[]',
      SecondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number',
      Ipv6Addresses: 'Ipv6Addresses InstanceIpv6Address[]',
      Ipv6AddressCount: 'Ipv6AddressCount number',
      DryRun: 'DryRun boolean'
    },
    CreatePlacementGroupRequest: {
      PartitionCount: 'PartitionCount number',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      SpreadLevel: 'SpreadLevel string',
      LinkedGroupId: 'LinkedGroupId string',
      Operator: 'Operator OperatorRequest',
      ParentGroupId: 'ParentGroupId string',
      DryRun: 'DryRun boolean',
      GroupName: 'GroupName string',
      Strategy: 'Strategy string'
    },
    CreateRouteRequest: {
      RouteTableId: 'RouteTableId string',
      DestinationPrefixListId: 'DestinationPrefixListId string',
      VpcEndpointId: 'VpcEndpointId string',
      TransitGatewayId: 'TransitGatewayId string',
      LocalGatewayId: 'LocalGatewayId string',
      CarrierGatewayId: 'CarrierGatewayId string',
      CoreNetworkArn: 'CoreNetworkArn string',
      OdbNetworkArn: 'OdbNetworkArn string',
      DryRun: 'DryRun boolean',
      DestinationCidrBlock: 'DestinationCidrBlock string',
      GatewayId: 'GatewayId string',
      DestinationIpv6CidrBlock: 'DestinationIpv6CidrBlock string',
      EgressOnlyInternetGatewayId: 'EgressOnlyInternetGatewayId string',
      InstanceId: 'InstanceId string',
      NetworkInterfaceId: 'NetworkInterfaceId string',
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      NatGatewayId: 'NatGatewayId string'
    },
    CreateRouteTableRequest: {
      VpcId: 'VpcId string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      ClientToken: 'ClientToken string',
      DryRun: 'DryRun boolean'
    },
    CreateSecurityGroupRequest: {
      GroupDescription: 'Description string',
      GroupName: 'GroupName string',
      VpcId: 'VpcId string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean'
    },
    CreateSubnetRequest: {
      VpcId: 'VpcId string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      AvailabilityZone: 'AvailabilityZone string',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      CidrBlock: 'CidrBlock string',
      Ipv6CidrBlock: 'Ipv6CidrBlock string',
      OutpostArn: 'OutpostArn string',
      Ipv6Native: 'Ipv6Native boolean',
      Ipv4IpamPoolId: 'Ipv4IpamPoolId string',
      Ipv4NetmaskLength: 'Ipv4NetmaskLength number',
      Ipv6IpamPoolId: 'Ipv6IpamPoolId string',
      Ipv6NetmaskLength: 'Ipv6NetmaskLength number',
      DryRun: 'DryRun boolean'
    },
    CreateTagsRequest: {
      ResourceId: 'Resources string[]',
      Tag: 'Tags Tag[]',
      DryRun: 'DryRun boolean'
    },
    CreateVpcPeeringConnectionRequest: {
      VpcId: 'VpcId string',
      PeerRegion: 'PeerRegion string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean',
      PeerVpcId: 'PeerVpcId string',
      PeerOwnerId: 'PeerOwnerId string'
    },
    CreateVpcRequest: {
      CidrBlock: 'CidrBlock string',
      Ipv6Pool: 'Ipv6Pool string',
      Ipv6CidrBlock: 'Ipv6CidrBlock string',
      Ipv4IpamPoolId: 'Ipv4IpamPoolId string',
      Ipv4NetmaskLength: 'Ipv4NetmaskLength number',
      Ipv6IpamPoolId: 'Ipv6IpamPoolId string',
      Ipv6NetmaskLength: 'Ipv6NetmaskLength number',
      Ipv6CidrBlockNetworkBorderGroup: 'Ipv6CidrBlockNetworkBorderGroup string',
      VpcEncryptionControl: 'VpcEncryptionControl VpcEncryptionControlConfiguration',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean',
      InstanceTenancy: 'InstanceTenancy string',
      AmazonProvidedIpv6CidrBlock: 'AmazonProvidedIpv6CidrBlock boolean'
    },
    CreditSpecificationRequest: {
      CpuCredits: 'CpuCredits string'
    },
    DeleteDhcpOptionsRequest: {
      DhcpOptionsId: 'DhcpOptionsId string',
      DryRun: 'DryRun boolean'
    },
    DeleteFlowLogsRequest: {
      FlowLogId: 'FlowLogIds string[]',
      DryRun: 'DryRun boolean'
    },
    DeleteInternetGatewayRequest: {
      InternetGatewayId: 'InternetGatewayId string',
      DryRun: 'DryRun boolean'
    },
    DeleteKeyPairRequest: {
      KeyName: 'KeyName string',
      KeyPairId: 'KeyPairId string',
      DryRun: 'DryRun boolean'
    },
    DeleteLaunchTemplateRequest: {
      DryRun: 'DryRun boolean',
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string'
    },
    DeleteLaunchTemplateVersionsRequest: {
      LaunchTemplateVersion: 'Versions string[]',
      DryRun: 'DryRun boolean',
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string'
    },
    DeleteManagedPrefixListRequest: {
      PrefixListId: 'PrefixListId string',
      DryRun: 'DryRun boolean'
    },
    DeleteNatGatewayRequest: {
      NatGatewayId: 'NatGatewayId string',
      DryRun: 'DryRun boolean'
    },
    DeleteNetworkAclEntryRequest: {
      NetworkAclId: 'NetworkAclId string',
      RuleNumber: 'RuleNumber number',
      Egress: 'Egress boolean',
      DryRun: 'DryRun boolean'
    },
    DeleteNetworkAclRequest: {
      NetworkAclId: 'NetworkAclId string',
      DryRun: 'DryRun boolean'
    },
    DeleteNetworkInterfaceRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      DryRun: 'DryRun boolean'
    },
    DeletePlacementGroupRequest: {
      GroupName: 'GroupName string',
      DryRun: 'DryRun boolean'
    },
    DeleteRouteRequest: {
      RouteTableId: 'RouteTableId string',
      DestinationPrefixListId: 'DestinationPrefixListId string',
      DryRun: 'DryRun boolean',
      DestinationCidrBlock: 'DestinationCidrBlock string',
      DestinationIpv6CidrBlock: 'DestinationIpv6CidrBlock string'
    },
    DeleteRouteTableRequest: {
      RouteTableId: 'RouteTableId string',
      DryRun: 'DryRun boolean'
    },
    DeleteSecurityGroupRequest: {
      GroupId: 'GroupId string',
      GroupName: 'GroupName string',
      DryRun: 'DryRun boolean'
    },
    DeleteSubnetRequest: {
      SubnetId: 'SubnetId string',
      DryRun: 'DryRun boolean'
    },
    DeleteTagsRequest: {
      ResourceId: 'Resources string[]',
      DryRun: 'DryRun boolean',
      Tag: 'Tags Tag[]'
    },
    DeleteVolumeRequest: {
      VolumeId: 'VolumeId string',
      DryRun: 'DryRun boolean'
    },
    DeleteVpcPeeringConnectionRequest: {
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      DryRun: 'DryRun boolean'
    },
    DeleteVpcRequest: {
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean'
    },
    DeregisterImageRequest: {
      ImageId: 'ImageId string',
      DeleteAssociatedSnapshots: 'DeleteAssociatedSnapshots boolean',
      DryRun: 'DryRun boolean'
    },
    DescribeAccountAttributesRequest: {
      DryRun: 'DryRun boolean',
      AttributeName: 'AttributeNames string[]'
    },
    DescribeAddressTransfersRequest: {
      AllocationId: 'AllocationIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    DescribeAddressesAttributeRequest: {
      AllocationId: 'AllocationIds string[]',
      Attribute: 'Attribute string',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    DescribeAddressesRequest: {
      PublicIp: 'PublicIps string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      AllocationId: 'AllocationIds string[]'
    },
    DescribeAvailabilityZonesRequest: {
      ZoneName: 'ZoneNames string[]',
      ZoneId: 'ZoneIds string[]',
      AllAvailabilityZones: 'AllAvailabilityZones boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeBundleTasksRequest: {
      BundleId: 'BundleIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeCapacityReservationsRequest: {
      CapacityReservationId: 'CapacityReservationIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean'
    },
    DescribeCarrierGatewaysRequest: {
      CarrierGatewayId: 'CarrierGatewayIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeClassicLinkInstancesRequest: {
      DryRun: 'DryRun boolean',
      InstanceId: 'InstanceIds string[]',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeClientVpnEndpointsRequest: {
      ClientVpnEndpointId: 'ClientVpnEndpointIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean'
    },
    DescribeCoipPoolsRequest: {
      PoolId: 'PoolIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeConversionTasksRequest: {
      DryRun: 'DryRun boolean',
      ConversionTaskId: 'ConversionTaskIds string[]'
    },
    DescribeCustomerGatewaysRequest: {
      CustomerGatewayId: 'CustomerGatewayIds string[]',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean'
    },
    DescribeDhcpOptionsRequest: {
      DhcpOptionsId: 'DhcpOptionsIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeEgressOnlyInternetGatewaysRequest: {
      DryRun: 'DryRun boolean',
      EgressOnlyInternetGatewayId: 'EgressOnlyInternetGatewayIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]'
    },
    DescribeElasticGpusRequest: {
      ElasticGpuId: 'ElasticGpuIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeExportImageTasksRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      ExportImageTaskId: 'ExportImageTaskIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeExportTasksRequest: {
      Filter: 'Filters Filter[]',
      ExportTaskId: 'ExportTaskIds string[]'
    },
    DescribeFastLaunchImagesRequest: {
      ImageId: 'ImageIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeFastSnapshotRestoresRequest: {
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeFleetInstancesRequest: {
      FleetId: 'FleetId string',
      DryRun: 'DryRun boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]'
    },
    DescribeFleetsRequest: {
      DryRun: 'DryRun boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      FleetId: 'FleetIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeFlowLogsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filter Filter[]',
      FlowLogId: 'FlowLogIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeFpgaImagesRequest: {
      DryRun: 'DryRun boolean',
      FpgaImageId: 'FpgaImageIds string[]',
      Owner: 'Owners string[]',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeHostReservationOfferingsRequest: {
      Filter: 'Filter Filter[]',
      MaxDuration: 'MaxDuration number',
      MaxResults: 'MaxResults number',
      MinDuration: 'MinDuration number',
      NextToken: 'NextToken string',
      OfferingId: 'OfferingId string'
    },
    DescribeHostReservationsRequest: {
      Filter: 'Filter Filter[]',
      HostReservationIdSet: 'HostReservationIdSet string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeHostsRequest: {
      HostId: 'HostIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      Filter: 'Filter Filter[]'
    },
    DescribeIamInstanceProfileAssociationsRequest: {
      AssociationId: 'AssociationIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeIdFormatRequest: {
      Resource: 'Resource string'
    },
    DescribeImageAttributeRequest: {
      Attribute: 'Attribute string',
      ImageId: 'ImageId string',
      DryRun: 'DryRun boolean'
    },
    DescribeImagesRequest: {
      ExecutableBy: 'ExecutableUsers string[]',
      ImageId: 'ImageIds string[]',
      Owner: 'Owners string[]',
      IncludeDeprecated: 'IncludeDeprecated boolean',
      IncludeDisabled: 'IncludeDisabled boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeImportImageTasksRequest: {
      DryRun: 'DryRun boolean',
      Filters: 'Filters Filter[]',
      ImportTaskId: 'ImportTaskIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeImportSnapshotTasksRequest: {
      DryRun: 'DryRun boolean',
      Filters: 'Filters Filter[]',
      ImportTaskId: 'ImportTaskIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeInstanceAttributeRequest: {
      InstanceId: 'InstanceId string',
      Attribute: 'Attribute string',
      DryRun: 'DryRun boolean'
    },
    DescribeInstanceConnectEndpointsRequest: {
      DryRun: 'DryRun boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]',
      InstanceConnectEndpointId: 'InstanceConnectEndpointIds string[]'
    },
    DescribeInstanceCreditSpecificationsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      InstanceId: 'InstanceIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeInstanceEventWindowsRequest: {
      DryRun: 'DryRun boolean',
      InstanceEventWindowId: 'InstanceEventWindowIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeInstanceStatusRequest: {
      InstanceId: 'InstanceIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      IncludeManagedResources: 'IncludeManagedResources boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      IncludeAllInstances: 'IncludeAllInstances boolean'
    },
    DescribeInstanceTypeOfferingsRequest: {
      DryRun: 'DryRun boolean',
      LocationType: 'LocationType string',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeInstanceTypesRequest: {
      DryRun: 'DryRun boolean',
      InstanceType: 'InstanceTypes string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      IncludeUnsupportedInRegion: 'IncludeUnsupportedInRegion boolean'
    },
    DescribeInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      IncludeManagedResources: 'IncludeManagedResources boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeInternetGatewaysRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      InternetGatewayId: 'InternetGatewayIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeIpamPoolsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      IpamPoolId: 'IpamPoolIds string[]'
    },
    DescribeIpamScopesRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      IpamScopeId: 'IpamScopeIds string[]'
    },
    DescribeIpamsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      IpamId: 'IpamIds string[]'
    },
    DescribeIpv6PoolsRequest: {
      PoolId: 'PoolIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeKeyPairsRequest: {
      KeyName: 'KeyNames string[]',
      KeyPairId: 'KeyPairIds string[]',
      IncludePublicKey: 'IncludePublicKey boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeLaunchTemplateVersionsRequest: {
      DryRun: 'DryRun boolean',
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string',
      LaunchTemplateVersion: 'Versions string[]',
      MinVersion: 'MinVersion string',
      MaxVersion: 'MaxVersion string',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      Filter: 'Filters Filter[]',
      ResolveAlias: 'ResolveAlias boolean',
      IncludeManagedResources: 'IncludeManagedResources boolean'
    },
    DescribeLaunchTemplatesRequest: {
      DryRun: 'DryRun boolean',
      LaunchTemplateId: 'LaunchTemplateIds string[]',
      LaunchTemplateName: 'LaunchTemplateNames string[]',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      IncludeManagedResources: 'IncludeManagedResources boolean'
    },
    DescribeLocalGatewaysRequest: {
      LocalGatewayId: 'LocalGatewayIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeLockedSnapshotsRequest: {
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      SnapshotId: 'SnapshotIds string[]',
      DryRun: 'DryRun boolean'
    },
    DescribeMacHostsRequest: {
      Filter: 'Filters Filter[]',
      HostId: 'HostIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeManagedPrefixListsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      PrefixListId: 'PrefixListIds string[]'
    },
    DescribeMovingAddressesRequest: {
      DryRun: 'DryRun boolean',
      PublicIp: 'PublicIps string[]',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number'
    },
    DescribeNatGatewaysRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filter Filter[]',
      MaxResults: 'MaxResults number',
      NatGatewayId: 'NatGatewayIds string[]',
      NextToken: 'NextToken string'
    },
    DescribeNetworkAclsRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      NetworkAclId: 'NetworkAclIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeNetworkInsightsAnalysesRequest: {
      NetworkInsightsAnalysisId: 'NetworkInsightsAnalysisIds string[]',
      NetworkInsightsPathId: 'NetworkInsightsPathId string',
      AnalysisStartTime: 'AnalysisStartTime timestamp',
      AnalysisEndTime: 'AnalysisEndTime timestamp',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string'
    },
    DescribeNetworkInsightsPathsRequest: {
      NetworkInsightsPathId: 'NetworkInsightsPathIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string'
    },
    DescribeNetworkInterfaceAttributeRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      DryRun: 'DryRun boolean',
      Attribute: 'Attribute string'
    },
    DescribeNetworkInterfacePermissionsRequest: {
      NetworkInterfacePermissionId: 'NetworkInterfacePermissionIds string[]',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeNetworkInterfacesRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      IncludeManagedResources: 'IncludeManagedResources boolean',
      DryRun: 'DryRun boolean',
      NetworkInterfaceId: 'NetworkInterfaceIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribePlacementGroupsRequest: {
      GroupId: 'GroupIds string[]',
      DryRun: 'DryRun boolean',
      GroupName: 'GroupNames string[]',
      Filter: 'Filters Filter[]'
    },
    DescribePrefixListsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      PrefixListId: 'PrefixListIds string[]'
    },
    DescribePublicIpv4PoolsRequest: {
      PoolId: 'PoolIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      Filter: 'Filters Filter[]'
    },
    DescribeRegionsRequest: {
      RegionName: 'RegionNames string[]',
      AllRegions: 'AllRegions boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeReplaceRootVolumeTasksRequest: {
      ReplaceRootVolumeTaskId: 'ReplaceRootVolumeTaskIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeReservedInstancesListingsRequest: {
      ReservedInstancesId: 'ReservedInstancesId string',
      ReservedInstancesListingId: 'ReservedInstancesListingId string',
      Filter: 'Filters Filter[]'
    },
    DescribeReservedInstancesModificationsRequest: {
      ReservedInstancesModificationId: 'ReservedInstancesModificationIds string[]',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]'
    },
    DescribeReservedInstancesOfferingsRequest: {
      AvailabilityZone: 'AvailabilityZone string',
      IncludeMarketplace: 'IncludeMarketplace boolean',
      InstanceType: 'InstanceType string',
      MaxDuration: 'MaxDuration number',
      MaxInstanceCount: 'MaxInstanceCount number',
      MinDuration: 'MinDuration number',
      OfferingClass: 'OfferingClass string',
      ProductDescription: 'ProductDescription string',
      ReservedInstancesOfferingId: 'ReservedInstancesOfferingIds string[]',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      InstanceTenancy: 'InstanceTenancy string',
      OfferingType: 'OfferingType string',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeReservedInstancesRequest: {
      OfferingClass: 'OfferingClass string',
      ReservedInstancesId: 'ReservedInstancesIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      OfferingType: 'OfferingType string'
    },
    DescribeRouteTablesRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      RouteTableId: 'RouteTableIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeScheduledInstancesRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      ScheduledInstanceId: 'ScheduledInstanceIds string[]',
      SlotStartTimeRange: 'SlotStartTimeRange SlotStartTimeRangeRequest'
    },
    DescribeSecurityGroupReferencesRequest: {
      GroupId: 'GroupId string[]',
      DryRun: 'DryRun boolean'
    },
    DescribeSecurityGroupRulesRequest: {
      Filter: 'Filters Filter[]',
      SecurityGroupRuleId: 'SecurityGroupRuleIds string[]',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeSecurityGroupVpcAssociationsRequest: {
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    DescribeSecurityGroupsRequest: {
      GroupId: 'GroupIds string[]',
      GroupName: 'GroupNames string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeSnapshotAttributeRequest: {
      Attribute: 'Attribute string',
      SnapshotId: 'SnapshotId string',
      DryRun: 'DryRun boolean'
    },
    DescribeSnapshotTierStatusRequest: {
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeSnapshotsRequest: {
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Owner: 'OwnerIds string[]',
      RestorableBy: 'RestorableByUserIds string[]',
      SnapshotId: 'SnapshotIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeSpotDatafeedSubscriptionRequest: {
      DryRun: 'DryRun boolean'
    },
    DescribeSpotFleetInstancesRequest: {
      SpotFleetRequestId: 'SpotFleetRequestId string',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeSpotFleetRequestsRequest: {
      DryRun: 'DryRun boolean',
      SpotFleetRequestId: 'SpotFleetRequestIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeSpotInstanceRequestsRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      SpotInstanceRequestId: 'SpotInstanceRequestIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeSpotPriceHistoryRequest: {
      AvailabilityZoneId: 'AvailabilityZoneId string',
      DryRun: 'DryRun boolean',
      StartTime: 'StartTime timestamp',
      EndTime: 'EndTime timestamp',
      InstanceType: 'InstanceTypes string[]',
      ProductDescription: 'ProductDescriptions string[]',
      Filter: 'Filters Filter[]',
      AvailabilityZone: 'AvailabilityZone string',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeStaleSecurityGroupsRequest: {
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeStoreImageTasksRequest: {
      ImageId: 'ImageIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeSubnetsRequest: {
      Filter: 'Filters Filter[]',
      SubnetId: 'SubnetIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    DescribeTagsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeTrafficMirrorFiltersRequest: {
      TrafficMirrorFilterId: 'TrafficMirrorFilterIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeTrafficMirrorSessionsRequest: {
      TrafficMirrorSessionId: 'TrafficMirrorSessionIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeTrafficMirrorTargetsRequest: {
      TrafficMirrorTargetId: 'TrafficMirrorTargetIds string[]',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeTransitGatewayAttachmentsRequest: {
      TransitGatewayAttachmentIds: 'TransitGatewayAttachmentIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayConnectPeersRequest: {
      TransitGatewayConnectPeerIds: 'TransitGatewayConnectPeerIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayConnectsRequest: {
      TransitGatewayAttachmentIds: 'TransitGatewayAttachmentIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayMulticastDomainsRequest: {
      TransitGatewayMulticastDomainIds: 'TransitGatewayMulticastDomainIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayPeeringAttachmentsRequest: {
      TransitGatewayAttachmentIds: 'TransitGatewayAttachmentIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayRouteTablesRequest: {
      TransitGatewayRouteTableIds: 'TransitGatewayRouteTableIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewayVpcAttachmentsRequest: {
      TransitGatewayAttachmentIds: 'TransitGatewayAttachmentIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeTransitGatewaysRequest: {
      TransitGatewayIds: 'TransitGatewayIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      DryRun: 'DryRun boolean'
    },
    DescribeVerifiedAccessInstancesRequest: {
      VerifiedAccessInstanceId: 'VerifiedAccessInstanceIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean'
    },
    DescribeVolumeAttributeRequest: {
      Attribute: 'Attribute string',
      VolumeId: 'VolumeId string',
      DryRun: 'DryRun boolean'
    },
    DescribeVolumeStatusRequest: {
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      VolumeId: 'VolumeIds string[]',
      IncludeManagedResources: 'IncludeManagedResources boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]'
    },
    DescribeVolumesModificationsRequest: {
      DryRun: 'DryRun boolean',
      VolumeId: 'VolumeIds string[]',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      IncludeManagedResources: 'IncludeManagedResources boolean'
    },
    DescribeVolumesRequest: {
      VolumeId: 'VolumeIds string[]',
      IncludeManagedResources: 'IncludeManagedResources boolean',
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    DescribeVpcAttributeRequest: {
      Attribute: 'Attribute string',
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean'
    },
    DescribeVpcClassicLinkDnsSupportRequest: {
      VpcIds: 'VpcIds string[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeVpcClassicLinkRequest: {
      DryRun: 'DryRun boolean',
      VpcId: 'VpcIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeVpcEndpointConnectionNotificationsRequest: {
      DryRun: 'DryRun boolean',
      ConnectionNotificationId: 'ConnectionNotificationId string',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeVpcEndpointConnectionsRequest: {
      DryRun: 'DryRun boolean',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeVpcEndpointServiceConfigurationsRequest: {
      DryRun: 'DryRun boolean',
      ServiceId: 'ServiceIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeVpcEndpointServicesRequest: {
      DryRun: 'DryRun boolean',
      ServiceName: 'ServiceNames string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      ServiceRegion: 'ServiceRegions string[]'
    },
    DescribeVpcEndpointsRequest: {
      DryRun: 'DryRun boolean',
      VpcEndpointId: 'VpcEndpointIds string[]',
      Filter: 'Filters Filter[]',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    DescribeVpcPeeringConnectionsRequest: {
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean',
      VpcPeeringConnectionId: 'VpcPeeringConnectionIds string[]',
      Filter: 'Filters Filter[]'
    },
    DescribeVpcsRequest: {
      Filter: 'Filters Filter[]',
      VpcId: 'VpcIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    DescribeVpnConnectionsRequest: {
      Filter: 'Filters Filter[]',
      VpnConnectionId: 'VpnConnectionIds string[]',
      DryRun: 'DryRun boolean'
    },
    DescribeVpnGatewaysRequest: {
      Filter: 'Filters Filter[]',
      VpnGatewayId: 'VpnGatewayIds string[]',
      DryRun: 'DryRun boolean'
    },
    DestinationOptionsRequest: {
      FileFormat: 'FileFormat string',
      HiveCompatiblePartitions: 'HiveCompatiblePartitions boolean',
      PerHourPartition: 'PerHourPartition boolean'
    },
    DetachInternetGatewayRequest: {
      InternetGatewayId: 'InternetGatewayId string',
      VpcId: 'VpcId string',
      DryRun: 'DryRun boolean'
    },
    DetachNetworkInterfaceRequest: {
      AttachmentId: 'AttachmentId string',
      DryRun: 'DryRun boolean',
      Force: 'Force boolean'
    },
    DisableImageDeprecationRequest: {
      ImageId: 'ImageId string',
      DryRun: 'DryRun boolean'
    },
    DisassociateAddressRequest: {
      AssociationId: 'AssociationId string',
      PublicIp: 'PublicIp string',
      DryRun: 'DryRun boolean'
    },
    DisassociateIamInstanceProfileRequest: {
      AssociationId: 'AssociationId string'
    },
    DisassociateRouteTableRequest: {
      AssociationId: 'AssociationId string',
      DryRun: 'DryRun boolean'
    },
    DisassociateVpcCidrBlockRequest: {
      AssociationId: 'AssociationId string'
    },
    EbsBlockDevice: {
      DeleteOnTermination: 'DeleteOnTermination boolean',
      Iops: 'Iops number',
      SnapshotId: 'SnapshotId string',
      VolumeSize: 'VolumeSize number',
      VolumeType: 'VolumeType string',
      KmsKeyId: 'KmsKeyId string',
      Throughput: 'Throughput number',
      OutpostArn: 'OutpostArn string',
      AvailabilityZone: 'AvailabilityZone string',
      Encrypted: 'Encrypted boolean',
      VolumeInitializationRate: 'VolumeInitializationRate number',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      EbsCardIndex: 'EbsCardIndex number'
    },
    EbsInstanceBlockDeviceSpecification: {
      VolumeId: 'VolumeId string',
      DeleteOnTermination: 'DeleteOnTermination boolean'
    },
    ElasticGpuSpecification: {
      Type: 'Type string'
    },
    ElasticInferenceAccelerator: {
      Type: 'Type string',
      Count: 'Count number'
    },
    EnaSrdSpecification: {
      EnaSrdEnabled: 'EnaSrdEnabled boolean',
      EnaSrdUdpSpecification: 'EnaSrdUdpSpecification EnaSrdUdpSpecification'
    },
    EnaSrdSpecificationRequest: {
      EnaSrdEnabled: 'EnaSrdEnabled boolean',
      EnaSrdUdpSpecification: 'EnaSrdUdpSpecification EnaSrdUdpSpecificationRequest'
    },
    EnaSrdUdpSpecification: {
      EnaSrdUdpEnabled: 'EnaSrdUdpEnabled boolean'
    },
    EnaSrdUdpSpecificationRequest: {
      EnaSrdUdpEnabled: 'EnaSrdUdpEnabled boolean'
    },
    EnableImageDeprecationRequest: {
      ImageId: 'ImageId string',
      DeprecateAt: 'DeprecateAt timestamp',
      DryRun: 'DryRun boolean'
    },
    EnclaveOptionsRequest: {
      Enabled: 'Enabled boolean'
    },
    Filter: {
      Name: 'Name string',
      Value: 'Values string[]'
    },
    GetAllowedImagesSettingsRequest: {
      DryRun: 'DryRun boolean'
    },
    GetConsoleOutputRequest: {
      InstanceId: 'InstanceId string',
      Latest: 'Latest boolean',
      DryRun: 'DryRun boolean'
    },
    GetConsoleScreenshotRequest: {
      InstanceId: 'InstanceId string',
      DryRun: 'DryRun boolean',
      WakeUp: 'WakeUp boolean'
    },
    GetEbsEncryptionByDefaultRequest: {
      DryRun: 'DryRun boolean'
    },
    GetImageBlockPublicAccessStateRequest: {
      DryRun: 'DryRun boolean'
    },
    GetInstanceMetadataDefaultsRequest: {
      DryRun: 'DryRun boolean'
    },
    GetLaunchTemplateDataRequest: {
      InstanceId: 'InstanceId string',
      DryRun: 'DryRun boolean'
    },
    GetManagedPrefixListAssociationsRequest: {
      PrefixListId: 'PrefixListId string',
      DryRun: 'DryRun boolean',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    GetManagedPrefixListEntriesRequest: {
      PrefixListId: 'PrefixListId string',
      DryRun: 'DryRun boolean',
      TargetVersion: 'TargetVersion number',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string'
    },
    GetPasswordDataRequest: {
      InstanceId: 'InstanceId string',
      DryRun: 'DryRun boolean'
    },
    GetSecurityGroupsForVpcRequest: {
      VpcId: 'VpcId string',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean'
    },
    GetSerialConsoleAccessStatusRequest: {
      DryRun: 'DryRun boolean'
    },
    GetSnapshotBlockPublicAccessStateRequest: {
      DryRun: 'DryRun boolean'
    },
    GetSubnetCidrReservationsRequest: {
      SubnetId: 'SubnetId string',
      Filter: 'Filters Filter[]',
      DryRun: 'DryRun boolean',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number'
    },
    HibernationOptionsRequest: {
      Configured: 'Configured boolean'
    },
    IamInstanceProfileSpecification: {
      Arn: 'Arn string',
      Name: 'Name string'
    },
    IcmpTypeCode: {
      Code: 'Code number',
      Type: 'Type number'
    },
    ImportKeyPairRequest: {
      KeyName: 'KeyName string',
      PublicKeyMaterial: 'PublicKeyMaterial blob',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean'
    },
    InstanceBlockDeviceMappingSpecification: {
      DeviceName: 'DeviceName string',
      Ebs: 'Ebs EbsInstanceBlockDeviceSpecification',
      VirtualName: 'VirtualName string',
      NoDevice: 'NoDevice string'
    },
    InstanceIpv6Address: {
      Ipv6Address: 'Ipv6Address string',
      IsPrimaryIpv6: 'IsPrimaryIpv6 boolean'
    },
    InstanceIpv6AddressRequest: {
      Ipv6Address: 'Ipv6Address string'
    },
    InstanceMaintenanceOptionsRequest: {
      AutoRecovery: 'AutoRecovery string'
    },
    InstanceMarketOptionsRequest: {
      MarketType: 'MarketType string',
      SpotOptions: 'SpotOptions SpotMarketOptions'
    },
    InstanceMetadataOptionsRequest: {
      HttpTokens: 'HttpTokens string',
      HttpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      HttpEndpoint: 'HttpEndpoint string',
      HttpProtocolIpv6: 'HttpProtocolIpv6 string',
      InstanceMetadataTags: 'InstanceMetadataTags string'
    },
    InstanceNetworkInterfaceSpecification: {
      AssociatePublicIpAddress: 'AssociatePublicIpAddress boolean',
      DeleteOnTermination: 'DeleteOnTermination boolean',
      Description: 'Description string',
      DeviceIndex: 'DeviceIndex number',
      SecurityGroupId: 'Groups string[]',
      Ipv6AddressCount: 'Ipv6AddressCount number',
      Ipv6Addresses: 'Ipv6Addresses InstanceIpv6Address[]',
      NetworkInterfaceId: 'NetworkInterfaceId string',
      PrivateIpAddress: 'PrivateIpAddress string',
      PrivateIpAddresses: 'PrivateIpAddresses PrivateIpAddressSpecification[]',
      SecondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number',
      SubnetId: 'SubnetId string',
      AssociateCarrierIpAddress: 'AssociateCarrierIpAddress boolean',
      InterfaceType: 'InterfaceType string',
      NetworkCardIndex: 'NetworkCardIndex number',
      Ipv4Prefix: 'Ipv4Prefixes Ipv4PrefixSpecificationRequest[]',
      Ipv4PrefixCount: 'Ipv4PrefixCount number',
      Ipv6Prefix: 'Ipv6Prefixes Ipv6PrefixSpecificationRequest[]',
      Ipv6PrefixCount: 'Ipv6PrefixCount number',
      PrimaryIpv6: 'PrimaryIpv6 boolean',
      EnaSrdSpecification: 'EnaSrdSpecification EnaSrdSpecificationRequest',
      ConnectionTrackingSpecification: 'ConnectionTrackingSpecification ConnectionTrackingSpecificationRequest',
      EnaQueueCount: 'EnaQueueCount number'
    },
    InstanceNetworkPerformanceOptionsRequest: {
      BandwidthWeighting: 'BandwidthWeighting string'
    },
    InstanceRequirementsRequest: {
      VCpuCount: 'VCpuCount VCpuCountRangeRequest',
      MemoryMiB: 'MemoryMiB MemoryMiBRequest',
      CpuManufacturer: 'CpuManufacturers string[]',
      MemoryGiBPerVCpu: 'MemoryGiBPerVCpu MemoryGiBPerVCpuRequest',
      ExcludedInstanceType: 'ExcludedInstanceTypes string[]',
      InstanceGeneration: 'InstanceGenerations string[]',
      SpotMaxPricePercentageOverLowestPrice: 'SpotMaxPricePercentageOverLowestPrice number',
      OnDemandMaxPricePercentageOverLowestPrice: 'OnDemandMaxPricePercentageOverLowestPrice number',
      BareMetal: 'BareMetal string',
      BurstablePerformance: 'BurstablePerformance string',
      RequireHibernateSupport: 'RequireHibernateSupport boolean',
      NetworkInterfaceCount: 'NetworkInterfaceCount NetworkInterfaceCountRequest',
      LocalStorage: 'LocalStorage string',
      LocalStorageType: 'LocalStorageTypes string[]',
      TotalLocalStorageGB: 'TotalLocalStorageGB TotalLocalStorageGBRequest',
      BaselineEbsBandwidthMbps: 'BaselineEbsBandwidthMbps BaselineEbsBandwidthMbpsRequest',
      AcceleratorType: 'AcceleratorTypes string[]',
      AcceleratorCount: 'AcceleratorCount AcceleratorCountRequest',
      AcceleratorManufacturer: 'AcceleratorManufacturers string[]',
      AcceleratorName: 'AcceleratorNames string[]',
      AcceleratorTotalMemoryMiB: 'AcceleratorTotalMemoryMiB AcceleratorTotalMemoryMiBRequest',
      NetworkBandwidthGbps: 'NetworkBandwidthGbps NetworkBandwidthGbpsRequest',
      AllowedInstanceType: 'AllowedInstanceTypes string[]',
      MaxSpotPriceAsPercentageOfOptimalOnDemandPrice: 'MaxSpotPriceAsPercentageOfOptimalOnDemandPrice number',
      BaselinePerformanceFactors: 'BaselinePerformanceFactors BaselinePerformanceFactorsRequest',
      RequireEncryptionInTransit: 'RequireEncryptionInTransit boolean'
    },
    InstanceSecondaryInterfacePrivateIpAddressRequest: {
      PrivateIpAddress: 'PrivateIpAddress string'
    },
    InstanceSecondaryInterfaceSpecificationRequest: {
      DeleteOnTermination: 'DeleteOnTermination boolean',
      DeviceIndex: 'DeviceIndex number',
      PrivateIpAddress: 'PrivateIpAddresses InstanceSecondaryInterfacePrivateIpAddressRequest[]',
      PrivateIpAddressCount: 'PrivateIpAddressCount number',
      SecondarySubnetId: 'SecondarySubnetId string',
      InterfaceType: 'InterfaceType string',
      NetworkCardIndex: 'NetworkCardIndex number'
    },
    IpPermission: {
      IpProtocol: 'IpProtocol string',
      FromPort: 'FromPort number',
      ToPort: 'ToPort number',
      Groups: 'UserIdGroupPairs UserIdGroupPair[]',
      IpRanges: 'IpRanges IpRange[]',
      Ipv6Ranges: 'Ipv6Ranges Ipv6Range[]',
      PrefixListIds: 'PrefixListIds PrefixListId[]'
    },
    IpRange: {
      Description: 'Description string',
      CidrIp: 'CidrIp string'
    },
    Ipv4PrefixSpecificationRequest: {
      Ipv4Prefix: 'Ipv4Prefix string'
    },
    Ipv6PrefixSpecificationRequest: {
      Ipv6Prefix: 'Ipv6Prefix string'
    },
    Ipv6Range: {
      Description: 'Description string',
      CidrIpv6: 'CidrIpv6 string'
    },
    LaunchPermission: {
      OrganizationArn: 'OrganizationArn string',
      OrganizationalUnitArn: 'OrganizationalUnitArn string',
      UserId: 'UserId string',
      Group: 'Group string'
    },
    LaunchPermissionModifications: {
      Add: 'Add LaunchPermission[]',
      Remove: 'Remove LaunchPermission[]'
    },
    LaunchTemplateBlockDeviceMappingRequest: {
      DeviceName: 'DeviceName string',
      VirtualName: 'VirtualName string',
      Ebs: 'Ebs LaunchTemplateEbsBlockDeviceRequest',
      NoDevice: 'NoDevice string'
    },
    LaunchTemplateCapacityReservationSpecificationRequest: {
      CapacityReservationPreference: 'CapacityReservationPreference string',
      CapacityReservationTarget: 'CapacityReservationTarget CapacityReservationTarget'
    },
    LaunchTemplateCpuOptionsRequest: {
      CoreCount: 'CoreCount number',
      ThreadsPerCore: 'ThreadsPerCore number',
      AmdSevSnp: 'AmdSevSnp string',
      NestedVirtualization: 'NestedVirtualization string'
    },
    LaunchTemplateEbsBlockDeviceRequest: {
      Encrypted: 'Encrypted boolean',
      DeleteOnTermination: 'DeleteOnTermination boolean',
      Iops: 'Iops number',
      KmsKeyId: 'KmsKeyId string',
      SnapshotId: 'SnapshotId string',
      VolumeSize: 'VolumeSize number',
      VolumeType: 'VolumeType string',
      Throughput: 'Throughput number',
      VolumeInitializationRate: 'VolumeInitializationRate number',
      EbsCardIndex: 'EbsCardIndex number'
    },
    LaunchTemplateElasticInferenceAccelerator: {
      Type: 'Type string',
      Count: 'Count number'
    },
    LaunchTemplateEnclaveOptionsRequest: {
      Enabled: 'Enabled boolean'
    },
    LaunchTemplateHibernationOptionsRequest: {
      Configured: 'Configured boolean'
    },
    LaunchTemplateIamInstanceProfileSpecificationRequest: {
      Arn: 'Arn string',
      Name: 'Name string'
    },
    LaunchTemplateInstanceMaintenanceOptionsRequest: {
      AutoRecovery: 'AutoRecovery string'
    },
    LaunchTemplateInstanceMarketOptionsRequest: {
      MarketType: 'MarketType string',
      SpotOptions: 'SpotOptions LaunchTemplateSpotMarketOptionsRequest'
    },
    LaunchTemplateInstanceMetadataOptionsRequest: {
      HttpTokens: 'HttpTokens string',
      HttpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      HttpEndpoint: 'HttpEndpoint string',
      HttpProtocolIpv6: 'HttpProtocolIpv6 string',
      InstanceMetadataTags: 'InstanceMetadataTags string'
    },
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest: {
      AssociateCarrierIpAddress: 'AssociateCarrierIpAddress boolean',
      AssociatePublicIpAddress: 'AssociatePublicIpAddress boolean',
      DeleteOnTermination: 'DeleteOnTermination boolean',
      Description: 'Description string',
      DeviceIndex: 'DeviceIndex number',
      SecurityGroupId: 'Groups string[]',
      InterfaceType: 'InterfaceType string',
      Ipv6AddressCount: 'Ipv6AddressCount number',
      Ipv6Addresses: 'Ipv6Addresses InstanceIpv6AddressRequest[]',
      NetworkInterfaceId: 'NetworkInterfaceId string',
      PrivateIpAddress: 'PrivateIpAddress string',
      PrivateIpAddresses: 'PrivateIpAddresses PrivateIpAddressSpecification[]',
      SecondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number',
      SubnetId: 'SubnetId string',
      NetworkCardIndex: 'NetworkCardIndex number',
      Ipv4Prefix: 'Ipv4Prefixes Ipv4PrefixSpecificationRequest[]',
      Ipv4PrefixCount: 'Ipv4PrefixCount number',
      Ipv6Prefix: 'Ipv6Prefixes Ipv6PrefixSpecificationRequest[]',
      Ipv6PrefixCount: 'Ipv6PrefixCount number',
      PrimaryIpv6: 'PrimaryIpv6 boolean',
      EnaSrdSpecification: 'EnaSrdSpecification EnaSrdSpecificationRequest',
      ConnectionTrackingSpecification: 'ConnectionTrackingSpecification ConnectionTrackingSpecificationRequest',
      EnaQueueCount: 'EnaQueueCount number'
    },
    LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest: {
      DeleteOnTermination: 'DeleteOnTermination boolean',
      DeviceIndex: 'DeviceIndex number',
      PrivateIpAddress: 'PrivateIpAddresses SecondaryInterfacePrivateIpAddressSpecificationRequest[]',
      PrivateIpAddressCount: 'PrivateIpAddressCount number',
      SecondarySubnetId: 'SecondarySubnetId string',
      InterfaceType: 'InterfaceType string',
      NetworkCardIndex: 'NetworkCardIndex number'
    },
    LaunchTemplateLicenseConfigurationRequest: {
      LicenseConfigurationArn: 'LicenseConfigurationArn string'
    },
    LaunchTemplateNetworkPerformanceOptionsRequest: {
      BandwidthWeighting: 'BandwidthWeighting string'
    },
    LaunchTemplatePlacementRequest: {
      AvailabilityZone: 'AvailabilityZone string',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      Affinity: 'Affinity string',
      GroupName: 'GroupName string',
      HostId: 'HostId string',
      Tenancy: 'Tenancy string',
      SpreadDomain: 'SpreadDomain string',
      HostResourceGroupArn: 'HostResourceGroupArn string',
      PartitionNumber: 'PartitionNumber number',
      GroupId: 'GroupId string'
    },
    LaunchTemplatePrivateDnsNameOptionsRequest: {
      HostnameType: 'HostnameType string',
      EnableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      EnableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    LaunchTemplateSpecification: {
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string',
      Version: 'Version string'
    },
    LaunchTemplateSpotMarketOptionsRequest: {
      MaxPrice: 'MaxPrice string',
      SpotInstanceType: 'SpotInstanceType string',
      BlockDurationMinutes: 'BlockDurationMinutes number',
      ValidUntil: 'ValidUntil timestamp',
      InstanceInterruptionBehavior: 'InstanceInterruptionBehavior string'
    },
    LaunchTemplateTagSpecificationRequest: {
      ResourceType: 'ResourceType string',
      Tag: 'Tags Tag[]'
    },
    LaunchTemplatesMonitoringRequest: {
      Enabled: 'Enabled boolean',
      MetricCategoryId: 'MetricCategoryIds string[]'
    },
    LicenseConfigurationRequest: {
      LicenseConfigurationArn: 'LicenseConfigurationArn string'
    },
    ListImagesInRecycleBinRequest: {
      ImageId: 'ImageIds string[]',
      NextToken: 'NextToken string',
      MaxResults: 'MaxResults number',
      DryRun: 'DryRun boolean'
    },
    ListSnapshotsInRecycleBinRequest: {
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
      SnapshotId: 'SnapshotIds string[]',
      DryRun: 'DryRun boolean'
    },
    MemoryGiBPerVCpuRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    MemoryMiBRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    ModifyAddressAttributeRequest: {
      AllocationId: 'AllocationId string',
      DomainName: 'DomainName string',
      DryRun: 'DryRun boolean'
    },
    ModifyImageAttributeRequest: {
      ImageId: 'ImageId string',
      Attribute: 'Attribute string',
      Description: 'Description AttributeValue',
      LaunchPermission: 'LaunchPermission LaunchPermissionModifications',
      OperationType: 'OperationType string',
      ProductCode: 'ProductCodes string[]',
      UserGroup: 'UserGroups string[]',
      UserId: 'UserIds string[]',
      Value: 'Value string',
      OrganizationArn: 'OrganizationArns string[]',
      OrganizationalUnitArn: 'OrganizationalUnitArns string[]',
      ImdsSupport: 'ImdsSupport AttributeValue',
      DryRun: 'DryRun boolean'
    },
    ModifyInstanceAttributeRequest: {
      InstanceId: 'InstanceId string',
      SourceDestCheck: 'SourceDestCheck AttributeBooleanValue',
      EnclaveOptions: 'EnclaveOptions EnclaveOptionsRequest',
      DisableApiStop: 'DisableApiStop AttributeBooleanValue',
      DryRun: 'DryRun boolean',
      Attribute: 'Attribute string',
      Value: 'Value string',
      BlockDeviceMapping: 'BlockDeviceMappings InstanceBlockDeviceMappingSpecification[]',
      DisableApiTermination: 'DisableApiTermination AttributeBooleanValue',
      InstanceType: 'InstanceType AttributeValue',
      Kernel: 'Kernel AttributeValue',
      Ramdisk: 'Ramdisk AttributeValue',
      UserData: 'UserData SecureBlobAttributeValue',
      InstanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior AttributeValue',
      GroupId: 'Groups string[]',
      EbsOptimized: 'EbsOptimized AttributeBooleanValue',
      SriovNetSupport: 'SriovNetSupport AttributeValue',
      EnaSupport: 'EnaSupport AttributeBooleanValue'
    },
    ModifyInstanceCapacityReservationAttributesRequest: {
      InstanceId: 'InstanceId string',
      CapacityReservationSpecification: 'CapacityReservationSpecification CapacityReservationSpecification',
      DryRun: 'DryRun boolean'
    },
    ModifyInstanceEventStartTimeRequest: {
      InstanceId: 'InstanceId string',
      InstanceEventId: 'InstanceEventId string',
      NotBefore: 'NotBefore timestamp',
      DryRun: 'DryRun boolean'
    },
    ModifyInstanceMaintenanceOptionsRequest: {
      InstanceId: 'InstanceId string',
      AutoRecovery: 'AutoRecovery string',
      RebootMigration: 'RebootMigration string',
      DryRun: 'DryRun boolean'
    },
    ModifyInstanceMetadataDefaultsRequest: {
      HttpTokens: 'HttpTokens string',
      HttpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      HttpEndpoint: 'HttpEndpoint string',
      InstanceMetadataTags: 'InstanceMetadataTags string',
      DryRun: 'DryRun boolean',
      HttpTokensEnforced: 'HttpTokensEnforced string'
    },
    ModifyInstanceMetadataOptionsRequest: {
      InstanceId: 'InstanceId string',
      HttpTokens: 'HttpTokens string',
      HttpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      HttpEndpoint: 'HttpEndpoint string',
      DryRun: 'DryRun boolean',
      HttpProtocolIpv6: 'HttpProtocolIpv6 string',
      InstanceMetadataTags: 'InstanceMetadataTags string'
    },
    ModifyInstancePlacementRequest: {
      InstanceId: 'InstanceId string',
      GroupName: 'GroupName string',
      PartitionNumber: 'PartitionNumber number',
      HostResourceGroupArn: 'HostResourceGroupArn string',
      GroupId: 'GroupId string',
      Tenancy: 'Tenancy string',
      Affinity: 'Affinity string',
      HostId: 'HostId string'
    },
    ModifyLaunchTemplateRequest: {
      DryRun: 'DryRun boolean',
      ClientToken: 'ClientToken string',
      LaunchTemplateId: 'LaunchTemplateId string',
      LaunchTemplateName: 'LaunchTemplateName string',
      SetDefaultVersion: 'DefaultVersion string'
    },
    ModifyManagedPrefixListRequest: {
      PrefixListId: 'PrefixListId string',
      DryRun: 'DryRun boolean',
      CurrentVersion: 'CurrentVersion number',
      PrefixListName: 'PrefixListName string',
      AddEntry: 'AddEntries AddPrefixListEntry[]',
      RemoveEntry: 'RemoveEntries RemovePrefixListEntry[]',
      MaxEntries: 'MaxEntries number',
      IpamPrefixListResolverSyncEnabled: 'IpamPrefixListResolverSyncEnabled boolean'
    },
    ModifyNetworkInterfaceAttributeRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      EnaSrdSpecification: 'EnaSrdSpecification EnaSrdSpecification',
      EnablePrimaryIpv6: 'EnablePrimaryIpv6 boolean',
      ConnectionTrackingSpecification: 'ConnectionTrackingSpecification ConnectionTrackingSpecificationRequest',
      AssociatePublicIpAddress: 'AssociatePublicIpAddress boolean',
      AssociatedSubnetId: 'AssociatedSubnetIds string[]',
      DryRun: 'DryRun boolean',
      Description: 'Description AttributeValue',
      SourceDestCheck: 'SourceDestCheck AttributeBooleanValue',
      SecurityGroupId: 'Groups string[]',
      Attachment: 'Attachment NetworkInterfaceAttachmentChanges'
    },
    ModifyPrivateDnsNameOptionsRequest: {
      InstanceId: 'InstanceId string',
      DryRun: 'DryRun boolean',
      PrivateDnsHostnameType: 'PrivateDnsHostnameType string',
      EnableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      EnableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    ModifySecurityGroupRulesRequest: {
      GroupId: 'GroupId string',
      SecurityGroupRule: 'SecurityGroupRules SecurityGroupRuleUpdate[]',
      DryRun: 'DryRun boolean'
    },
    ModifySubnetAttributeRequest: {
      SubnetId: 'SubnetId string',
      AssignIpv6AddressOnCreation: 'AssignIpv6AddressOnCreation AttributeBooleanValue',
      MapPublicIpOnLaunch: 'MapPublicIpOnLaunch AttributeBooleanValue',
      MapCustomerOwnedIpOnLaunch: 'MapCustomerOwnedIpOnLaunch AttributeBooleanValue',
      CustomerOwnedIpv4Pool: 'CustomerOwnedIpv4Pool string',
      EnableDns64: 'EnableDns64 AttributeBooleanValue',
      PrivateDnsHostnameTypeOnLaunch: 'PrivateDnsHostnameTypeOnLaunch string',
      EnableResourceNameDnsARecordOnLaunch: 'EnableResourceNameDnsARecordOnLaunch AttributeBooleanValue',
      EnableResourceNameDnsAAAARecordOnLaunch: 'EnableResourceNameDnsAAAARecordOnLaunch AttributeBooleanValue',
      EnableLniAtDeviceIndex: 'EnableLniAtDeviceIndex number',
      DisableLniAtDeviceIndex: 'DisableLniAtDeviceIndex AttributeBooleanValue'
    },
    ModifyVpcAttributeRequest: {
      VpcId: 'VpcId string',
      EnableDnsHostnames: 'EnableDnsHostnames AttributeBooleanValue',
      EnableDnsSupport: 'EnableDnsSupport AttributeBooleanValue',
      EnableNetworkAddressUsageMetrics: 'EnableNetworkAddressUsageMetrics AttributeBooleanValue'
    },
    ModifyVpcPeeringConnectionOptionsRequest: {
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      AccepterPeeringConnectionOptions: 'AccepterPeeringConnectionOptions PeeringConnectionOptionsRequest',
      DryRun: 'DryRun boolean',
      RequesterPeeringConnectionOptions: 'RequesterPeeringConnectionOptions PeeringConnectionOptionsRequest'
    },
    MonitorInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      MetricCategoryId: 'MetricCategoryIds string[]',
      DryRun: 'DryRun boolean'
    },
    NetworkBandwidthGbpsRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    NetworkInterfaceAttachmentChanges: {
      DefaultEnaQueueCount: 'DefaultEnaQueueCount boolean',
      EnaQueueCount: 'EnaQueueCount number',
      AttachmentId: 'AttachmentId string',
      DeleteOnTermination: 'DeleteOnTermination boolean'
    },
    NetworkInterfaceCountRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    NewDhcpConfiguration: {
      Key: 'Key string',
      Value: 'Values string[]'
    },
    OperatorRequest: {
      Principal: 'Principal string'
    },
    PeeringConnectionOptionsRequest: {
      AllowDnsResolutionFromRemoteVpc: 'AllowDnsResolutionFromRemoteVpc boolean',
      AllowEgressFromLocalClassicLinkToRemoteVpc: 'AllowEgressFromLocalClassicLinkToRemoteVpc boolean',
      AllowEgressFromLocalVpcToRemoteClassicLink: 'AllowEgressFromLocalVpcToRemoteClassicLink boolean'
    },
    PerformanceFactorReferenceRequest: {
      InstanceFamily: 'InstanceFamily string'
    },
    Placement: {
      AvailabilityZoneId: 'AvailabilityZoneId string',
      Affinity: 'Affinity string',
      GroupName: 'GroupName string',
      PartitionNumber: 'PartitionNumber number',
      HostId: 'HostId string',
      Tenancy: 'Tenancy string',
      SpreadDomain: 'SpreadDomain string',
      HostResourceGroupArn: 'HostResourceGroupArn string',
      GroupId: 'GroupId string',
      AvailabilityZone: 'AvailabilityZone string'
    },
    PortRange: {
      From: 'From number',
      To: 'To number'
    },
    PrefixListId: {
      Description: 'Description string',
      PrefixListId: 'PrefixListId string'
    },
    PrivateDnsNameOptionsRequest: {
      HostnameType: 'HostnameType string',
      EnableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      EnableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    PrivateIpAddressSpecification: {
      Primary: 'Primary boolean',
      PrivateIpAddress: 'PrivateIpAddress string'
    },
    RebootInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      DryRun: 'DryRun boolean'
    },
    RegisterImageRequest: {
      Name: 'Name string',
      ImageLocation: 'ImageLocation string',
      BillingProduct: 'BillingProducts string[]',
      BootMode: 'BootMode string',
      TpmSupport: 'TpmSupport string',
      UefiData: 'UefiData string',
      ImdsSupport: 'ImdsSupport string',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      DryRun: 'DryRun boolean',
      Description: 'Description string',
      Architecture: 'Architecture string',
      KernelId: 'KernelId string',
      RamdiskId: 'RamdiskId string',
      RootDeviceName: 'RootDeviceName string',
      BlockDeviceMapping: 'BlockDeviceMappings BlockDeviceMapping[]',
      VirtualizationType: 'VirtualizationType string',
      SriovNetSupport: 'SriovNetSupport string',
      EnaSupport: 'EnaSupport boolean'
    },
    RejectVpcPeeringConnectionRequest: {
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      DryRun: 'DryRun boolean'
    },
    ReleaseAddressRequest: {
      AllocationId: 'AllocationId string',
      PublicIp: 'PublicIp string',
      NetworkBorderGroup: 'NetworkBorderGroup string',
      DryRun: 'DryRun boolean'
    },
    RemovePrefixListEntry: {
      Cidr: 'Cidr string'
    },
    ReplaceIamInstanceProfileAssociationRequest: {
      IamInstanceProfile: 'IamInstanceProfile IamInstanceProfileSpecification',
      AssociationId: 'AssociationId string'
    },
    ReplaceNetworkAclAssociationRequest: {
      AssociationId: 'AssociationId string',
      NetworkAclId: 'NetworkAclId string',
      DryRun: 'DryRun boolean'
    },
    ReplaceNetworkAclEntryRequest: {
      NetworkAclId: 'NetworkAclId string',
      RuleNumber: 'RuleNumber number',
      Protocol: 'Protocol string',
      RuleAction: 'RuleAction string',
      Egress: 'Egress boolean',
      DryRun: 'DryRun boolean',
      CidrBlock: 'CidrBlock string',
      Ipv6CidrBlock: 'Ipv6CidrBlock string',
      Icmp: 'IcmpTypeCode IcmpTypeCode',
      PortRange: 'PortRange PortRange'
    },
    ReplaceRouteRequest: {
      RouteTableId: 'RouteTableId string',
      DestinationPrefixListId: 'DestinationPrefixListId string',
      VpcEndpointId: 'VpcEndpointId string',
      LocalTarget: 'LocalTarget boolean',
      TransitGatewayId: 'TransitGatewayId string',
      LocalGatewayId: 'LocalGatewayId string',
      CarrierGatewayId: 'CarrierGatewayId string',
      CoreNetworkArn: 'CoreNetworkArn string',
      OdbNetworkArn: 'OdbNetworkArn string',
      DryRun: 'DryRun boolean',
      DestinationCidrBlock: 'DestinationCidrBlock string',
      GatewayId: 'GatewayId string',
      DestinationIpv6CidrBlock: 'DestinationIpv6CidrBlock string',
      EgressOnlyInternetGatewayId: 'EgressOnlyInternetGatewayId string',
      InstanceId: 'InstanceId string',
      NetworkInterfaceId: 'NetworkInterfaceId string',
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      NatGatewayId: 'NatGatewayId string'
    },
    ReplaceRouteTableAssociationRequest: {
      AssociationId: 'AssociationId string',
      RouteTableId: 'RouteTableId string',
      DryRun: 'DryRun boolean'
    },
    RequestLaunchTemplateData: {
      KernelId: 'KernelId string',
      EbsOptimized: 'EbsOptimized boolean',
      IamInstanceProfile: 'IamInstanceProfile LaunchTemplateIamInstanceProfileSpecificationRequest',
      BlockDeviceMapping: 'BlockDeviceMappings LaunchTemplateBlockDeviceMappingRequest[]',
      NetworkInterface: 'NetworkInterfaces LaunchTemplateInstanceNetworkInterfaceSpecificationRequest[]',
      ImageId: 'ImageId string',
      InstanceType: 'InstanceType string',
      KeyName: 'KeyName string',
      Monitoring: 'Monitoring LaunchTemplatesMonitoringRequest',
      Placement: 'Placement LaunchTemplatePlacementRequest',
      RamDiskId: 'RamDiskId string',
      DisableApiTermination: 'DisableApiTermination boolean',
      InstanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior string',
      UserData: 'UserData string',
      TagSpecification: 'TagSpecifications LaunchTemplateTagSpecificationRequest[]',
      ElasticGpuSpecification: 'ElasticGpuSpecifications ElasticGpuSpecification[]',
      ElasticInferenceAccelerator: 'ElasticInferenceAccelerators LaunchTemplateElasticInferenceAccelerator[]',
      SecurityGroupId: 'SecurityGroupIds string[]',
      SecurityGroup: 'SecurityGroups string[]',
      InstanceMarketOptions: 'InstanceMarketOptions LaunchTemplateInstanceMarketOptionsRequest',
      CreditSpecification: 'CreditSpecification CreditSpecificationRequest',
      CpuOptions: 'CpuOptions LaunchTemplateCpuOptionsRequest',
      CapacityReservationSpecification: 'CapacityReservationSpecification LaunchTemplateCapacityReservationSpecificationRequest',
      LicenseSpecification: 'LicenseSpecifications LaunchTemplateLicenseConfigurationRequest[]',
      HibernationOptions: 'HibernationOptions LaunchTemplateHibernationOptionsRequest',
      MetadataOptions: 'MetadataOptions LaunchTemplateInstanceMetadataOptionsRequest',
      EnclaveOptions: 'EnclaveOptions LaunchTemplateEnclaveOptionsRequest',
      InstanceRequirements: 'InstanceRequirements InstanceRequirementsRequest',
      PrivateDnsNameOptions: 'PrivateDnsNameOptions LaunchTemplatePrivateDnsNameOptionsRequest',
      MaintenanceOptions: 'MaintenanceOptions LaunchTemplateInstanceMaintenanceOptionsRequest',
      DisableApiStop: 'DisableApiStop boolean',
      Operator: 'Operator OperatorRequest',
      NetworkPerformanceOptions: 'NetworkPerformanceOptions LaunchTemplateNetworkPerformanceOptionsRequest',
      SecondaryInterface: 'SecondaryInterfaces LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest[]'
    },
    ResetAddressAttributeRequest: {
      AllocationId: 'AllocationId string',
      Attribute: 'Attribute string',
      DryRun: 'DryRun boolean'
    },
    ResetImageAttributeRequest: {
      Attribute: 'Attribute string',
      ImageId: 'ImageId string',
      DryRun: 'DryRun boolean'
    },
    ResetInstanceAttributeRequest: {
      InstanceId: 'InstanceId string',
      Attribute: 'Attribute string',
      DryRun: 'DryRun boolean'
    },
    ResetNetworkInterfaceAttributeRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      DryRun: 'DryRun boolean',
      SourceDestCheck: 'SourceDestCheck string'
    },
    RestoreManagedPrefixListVersionRequest: {
      PrefixListId: 'PrefixListId string',
      PreviousVersion: 'PreviousVersion number',
      CurrentVersion: 'CurrentVersion number',
      DryRun: 'DryRun boolean'
    },
    RevokeSecurityGroupEgressRequest: {
      GroupId: 'GroupId string',
      SecurityGroupRuleId: 'SecurityGroupRuleIds string[]',
      DryRun: 'DryRun boolean',
      SourceSecurityGroupName: 'SourceSecurityGroupName string',
      SourceSecurityGroupOwnerId: 'SourceSecurityGroupOwnerId string',
      IpProtocol: 'IpProtocol string',
      FromPort: 'FromPort number',
      ToPort: 'ToPort number',
      CidrIp: 'CidrIp string',
      IpPermissions: 'IpPermissions IpPermission[]'
    },
    RevokeSecurityGroupIngressRequest: {
      CidrIp: 'CidrIp string',
      FromPort: 'FromPort number',
      GroupId: 'GroupId string',
      GroupName: 'GroupName string',
      IpPermissions: 'IpPermissions IpPermission[]',
      IpProtocol: 'IpProtocol string',
      SourceSecurityGroupName: 'SourceSecurityGroupName string',
      SourceSecurityGroupOwnerId: 'SourceSecurityGroupOwnerId string',
      ToPort: 'ToPort number',
      SecurityGroupRuleId: 'SecurityGroupRuleIds string[]',
      DryRun: 'DryRun boolean'
    },
    RunInstancesMonitoringEnabled: {
      Enabled: 'Enabled boolean',
      MetricCategoryId: 'MetricCategoryIds string[]'
    },
    RunInstancesRequest: {
      MaxCount: 'MaxCount number',
      MinCount: 'MinCount number',
      BlockDeviceMapping: 'BlockDeviceMappings BlockDeviceMapping[]',
      ImageId: 'ImageId string',
      InstanceType: 'InstanceType string',
      Ipv6AddressCount: 'Ipv6AddressCount number',
      Ipv6Address: 'Ipv6Addresses InstanceIpv6Address[]',
      KernelId: 'KernelId string',
      KeyName: 'KeyName string',
      Monitoring: 'Monitoring RunInstancesMonitoringEnabled',
      Placement: 'Placement Placement',
      RamdiskId: 'RamdiskId string',
      SecurityGroupId: 'SecurityGroupIds string[]',
      SecurityGroup: 'SecurityGroups string[]',
      SubnetId: 'SubnetId string',
      UserData: 'UserData string',
      ElasticGpuSpecification: 'ElasticGpuSpecification ElasticGpuSpecification[]',
      ElasticInferenceAccelerator: 'ElasticInferenceAccelerators ElasticInferenceAccelerator[]',
      TagSpecification: 'TagSpecifications TagSpecification[]',
      LaunchTemplate: 'LaunchTemplate LaunchTemplateSpecification',
      InstanceMarketOptions: 'InstanceMarketOptions InstanceMarketOptionsRequest',
      CreditSpecification: 'CreditSpecification CreditSpecificationRequest',
      CpuOptions: 'CpuOptions CpuOptionsRequest',
      CapacityReservationSpecification: 'CapacityReservationSpecification CapacityReservationSpecification',
      HibernationOptions: 'HibernationOptions HibernationOptionsRequest',
      LicenseSpecification: 'LicenseSpecifications LicenseConfigurationRequest[]',
      MetadataOptions: 'MetadataOptions InstanceMetadataOptionsRequest',
      EnclaveOptions: 'EnclaveOptions EnclaveOptionsRequest',
      PrivateDnsNameOptions: 'PrivateDnsNameOptions PrivateDnsNameOptionsRequest',
      MaintenanceOptions: 'MaintenanceOptions InstanceMaintenanceOptionsRequest',
      DisableApiStop: 'DisableApiStop boolean',
      EnablePrimaryIpv6: 'EnablePrimaryIpv6 boolean',
      NetworkPerformanceOptions: 'NetworkPerformanceOptions InstanceNetworkPerformanceOptionsRequest',
      Operator: 'Operator OperatorRequest',
      SecondaryInterface: 'SecondaryInterfaces InstanceSecondaryInterfaceSpecificationRequest[]',
      DryRun: 'DryRun boolean',
      DisableApiTermination: 'DisableApiTermination boolean',
      InstanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior string',
      PrivateIpAddress: 'PrivateIpAddress string',
      ClientToken: 'ClientToken string',
      AdditionalInfo: 'AdditionalInfo string',
      NetworkInterface: 'NetworkInterfaces InstanceNetworkInterfaceSpecification[]',
      IamInstanceProfile: 'IamInstanceProfile IamInstanceProfileSpecification',
      EbsOptimized: 'EbsOptimized boolean'
    },
    SecondaryInterfacePrivateIpAddressSpecificationRequest: {
      PrivateIpAddress: 'PrivateIpAddress string'
    },
    SecureBlobAttributeValue: {
      Value: 'Value blob'
    },
    SecurityGroupRuleDescription: {
      SecurityGroupRuleId: 'SecurityGroupRuleId string',
      Description: 'Description string'
    },
    SecurityGroupRuleRequest: {
      IpProtocol: 'IpProtocol string',
      FromPort: 'FromPort number',
      ToPort: 'ToPort number',
      CidrIpv4: 'CidrIpv4 string',
      CidrIpv6: 'CidrIpv6 string',
      PrefixListId: 'PrefixListId string',
      ReferencedGroupId: 'ReferencedGroupId string',
      Description: 'Description string'
    },
    SecurityGroupRuleUpdate: {
      SecurityGroupRuleId: 'SecurityGroupRuleId string',
      SecurityGroupRule: 'SecurityGroupRule SecurityGroupRuleRequest'
    },
    SlotStartTimeRangeRequest: {
      EarliestTime: 'EarliestTime timestamp',
      LatestTime: 'LatestTime timestamp'
    },
    SpotMarketOptions: {
      MaxPrice: 'MaxPrice string',
      SpotInstanceType: 'SpotInstanceType string',
      BlockDurationMinutes: 'BlockDurationMinutes number',
      ValidUntil: 'ValidUntil timestamp',
      InstanceInterruptionBehavior: 'InstanceInterruptionBehavior string'
    },
    StartInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      AdditionalInfo: 'AdditionalInfo string',
      DryRun: 'DryRun boolean'
    },
    StopInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      Hibernate: 'Hibernate boolean',
      SkipOsShutdown: 'SkipOsShutdown boolean',
      DryRun: 'DryRun boolean',
      Force: 'Force boolean'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    },
    TagFieldSpecificationRequest: {
      ResourceType: 'ResourceType string',
      TagKey: 'TagKeys string[]'
    },
    TagSpecification: {
      ResourceType: 'ResourceType string',
      Tag: 'Tags Tag[]'
    },
    TerminateInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      Force: 'Force boolean',
      SkipOsShutdown: 'SkipOsShutdown boolean',
      DryRun: 'DryRun boolean'
    },
    TotalLocalStorageGBRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    UnassignPrivateIpAddressesRequest: {
      NetworkInterfaceId: 'NetworkInterfaceId string',
      Ipv4Prefix: 'Ipv4Prefixes string[]',
      PrivateIpAddress: 'PrivateIpAddresses string[]'
    },
    UnmonitorInstancesRequest: {
      InstanceId: 'InstanceIds string[]',
      MetricCategoryId: 'MetricCategoryIds string[]',
      DryRun: 'DryRun boolean'
    },
    UpdateSecurityGroupRuleDescriptionsEgressRequest: {
      DryRun: 'DryRun boolean',
      GroupId: 'GroupId string',
      GroupName: 'GroupName string',
      IpPermissions: 'IpPermissions IpPermission[]',
      SecurityGroupRuleDescription: 'SecurityGroupRuleDescriptions SecurityGroupRuleDescription[]'
    },
    UpdateSecurityGroupRuleDescriptionsIngressRequest: {
      DryRun: 'DryRun boolean',
      GroupId: 'GroupId string',
      GroupName: 'GroupName string',
      IpPermissions: 'IpPermissions IpPermission[]',
      SecurityGroupRuleDescription: 'SecurityGroupRuleDescriptions SecurityGroupRuleDescription[]'
    },
    UserIdGroupPair: {
      Description: 'Description string',
      UserId: 'UserId string',
      GroupName: 'GroupName string',
      GroupId: 'GroupId string',
      VpcId: 'VpcId string',
      VpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      PeeringStatus: 'PeeringStatus string'
    },
    VCpuCountRangeRequest: {
      Min: 'Min number',
      Max: 'Max number'
    },
    VpcEncryptionControlConfiguration: {
      Mode: 'Mode string',
      InternetGatewayExclusion: 'InternetGatewayExclusion string',
      EgressOnlyInternetGatewayExclusion: 'EgressOnlyInternetGatewayExclusion string',
      NatGatewayExclusion: 'NatGatewayExclusion string',
      VirtualPrivateGatewayExclusion: 'VirtualPrivateGatewayExclusion string',
      VpcPeeringExclusion: 'VpcPeeringExclusion string',
      LambdaExclusion: 'LambdaExclusion string',
      VpcLatticeExclusion: 'VpcLatticeExclusion string',
      ElasticFileSystemExclusion: 'ElasticFileSystemExclusion string',
      GlobalAcceleratorExclusion: 'GlobalAcceleratorExclusion string',
      ApiGatewayV2Exclusion: 'ApiGatewayV2Exclusion string'
    }
  },
  outputs: {
    AcceleratorCount: {
      min: 'Min number',
      max: 'Max number'
    },
    AcceleratorTotalMemoryMiB: {
      min: 'Min number',
      max: 'Max number'
    },
    AcceptVpcPeeringConnectionResult: {
      vpcPeeringConnection: 'VpcPeeringConnection VpcPeeringConnection'
    },
    AccountAttribute: {
      attributeName: 'AttributeName string',
      attributeValueSet: 'AttributeValues AccountAttributeValue[item]'
    },
    AccountAttributeValue: {
      attributeValue: 'AttributeValue string'
    },
    Address: {
      publicIp: 'PublicIp string',
      allocationId: 'AllocationId string',
      domain: 'Domain string',
      instanceId: 'InstanceId string',
      associationId: 'AssociationId string',
      networkInterfaceId: 'NetworkInterfaceId string',
      networkInterfaceOwnerId: 'NetworkInterfaceOwnerId string',
      privateIpAddress: 'PrivateIpAddress string',
      tagSet: 'Tags Tag[item]',
      publicIpv4Pool: 'PublicIpv4Pool string',
      networkBorderGroup: 'NetworkBorderGroup string',
      customerOwnedIp: 'CustomerOwnedIp string',
      customerOwnedIpv4Pool: 'CustomerOwnedIpv4Pool string',
      carrierIp: 'CarrierIp string',
      subnetId: 'SubnetId string',
      serviceManaged: 'ServiceManaged string'
    },
    AddressAttribute: {
      publicIp: 'PublicIp string',
      allocationId: 'AllocationId string',
      ptrRecord: 'PtrRecord string',
      ptrRecordUpdate: 'PtrRecordUpdate PtrUpdateStatus'
    },
    AllocateAddressResult: {
      publicIp: 'PublicIp string',
      domain: 'Domain string',
      allocationId: 'AllocationId string',
      publicIpv4Pool: 'PublicIpv4Pool string',
      networkBorderGroup: 'NetworkBorderGroup string',
      customerOwnedIp: 'CustomerOwnedIp string',
      customerOwnedIpv4Pool: 'CustomerOwnedIpv4Pool string',
      carrierIp: 'CarrierIp string'
    },
    ApplicationStatusSummary: {
      status: 'Status string',
      impairedSince: 'ImpairedSince timestamp'
    },
    AssignPrivateIpAddressesResult: {
      networkInterfaceId: 'NetworkInterfaceId string',
      assignedPrivateIpAddressesSet: 'AssignedPrivateIpAddresses AssignedPrivateIpAddress[item]',
      assignedIpv4PrefixSet: 'AssignedIpv4Prefixes Ipv4PrefixSpecification[item]'
    },
    AssignedPrivateIpAddress: {
      privateIpAddress: 'PrivateIpAddress string'
    },
    AssociateAddressResult: {
      associationId: 'AssociationId string'
    },
    AssociateIamInstanceProfileResult: {
      iamInstanceProfileAssociation: 'IamInstanceProfileAssociation IamInstanceProfileAssociation'
    },
    AssociateRouteTableResult: {
      associationId: 'AssociationId string',
      associationState: 'AssociationState RouteTableAssociationState'
    },
    AssociateVpcCidrBlockResult: {
      ipv6CidrBlockAssociation: 'Ipv6CidrBlockAssociation VpcIpv6CidrBlockAssociation',
      cidrBlockAssociation: 'CidrBlockAssociation VpcCidrBlockAssociation',
      vpcId: 'VpcId string'
    },
    AttachNetworkInterfaceResult: {
      attachmentId: 'AttachmentId string',
      networkCardIndex: 'NetworkCardIndex number'
    },
    AttachmentEnaSrdSpecification: {
      enaSrdEnabled: 'EnaSrdEnabled boolean',
      enaSrdUdpSpecification: 'EnaSrdUdpSpecification AttachmentEnaSrdUdpSpecification'
    },
    AttachmentEnaSrdUdpSpecification: {
      enaSrdUdpEnabled: 'EnaSrdUdpEnabled boolean'
    },
    AttributeBooleanValue: {
      value: 'Value boolean'
    },
    AttributeValue: {
      value: 'Value string'
    },
    AuthorizeSecurityGroupEgressResult: {
      return: 'Return boolean',
      securityGroupRuleSet: 'SecurityGroupRules SecurityGroupRule[item]'
    },
    AuthorizeSecurityGroupIngressResult: {
      return: 'Return boolean',
      securityGroupRuleSet: 'SecurityGroupRules SecurityGroupRule[item]'
    },
    AvailabilityZone: {
      zoneName: 'ZoneName string',
      zoneState: 'State string',
      regionName: 'RegionName string',
      zoneId: 'ZoneId string',
      groupName: 'GroupName string',
      networkBorderGroup: 'NetworkBorderGroup string',
      zoneType: 'ZoneType string',
      optInStatus: 'OptInStatus string',
      messageSet: 'Messages AvailabilityZoneMessage[item]',
      parentZoneName: 'ParentZoneName string',
      parentZoneId: 'ParentZoneId string',
      groupLongName: 'GroupLongName string',
      geographySet: 'Geography AvailabilityZoneGeography[item]',
      subGeographySet: 'SubGeography AvailabilityZoneSubGeography[item]'
    },
    AvailabilityZoneGeography: {
      name: 'Name string'
    },
    AvailabilityZoneMessage: {
      message: 'Message string'
    },
    AvailabilityZoneSubGeography: {
      name: 'Name string'
    },
    BaselineEbsBandwidthMbps: {
      min: 'Min number',
      max: 'Max number'
    },
    BaselinePerformanceFactors: {
      cpu: 'Cpu CpuPerformanceFactor'
    },
    BlockDeviceMapping: {
      deviceName: 'DeviceName string',
      virtualName: 'VirtualName string',
      ebs: 'Ebs EbsBlockDevice',
      noDevice: 'NoDevice string'
    },
    BlockPublicAccessStates: {
      internetGatewayBlockMode: 'InternetGatewayBlockMode string'
    },
    CapacityReservationSpecificationResponse: {
      capacityReservationPreference: 'CapacityReservationPreference string',
      capacityReservationTarget: 'CapacityReservationTarget CapacityReservationTargetResponse'
    },
    CapacityReservationTargetResponse: {
      capacityReservationId: 'CapacityReservationId string',
      capacityReservationResourceGroupArn: 'CapacityReservationResourceGroupArn string'
    },
    CidrBlock: {
      cidrBlock: 'CidrBlock string'
    },
    ClassicLinkDnsSupport: {
      vpcId: 'VpcId string',
      classicLinkDnsSupported: 'ClassicLinkDnsSupported boolean'
    },
    ConnectionTrackingConfiguration: {
      tcpEstablishedTimeout: 'TcpEstablishedTimeout number',
      udpStreamTimeout: 'UdpStreamTimeout number',
      udpTimeout: 'UdpTimeout number'
    },
    ConnectionTrackingSpecification: {
      tcpEstablishedTimeout: 'TcpEstablishedTimeout number',
      udpTimeout: 'UdpTimeout number',
      udpStreamTimeout: 'UdpStreamTimeout number'
    },
    ConnectionTrackingSpecificationResponse: {
      tcpEstablishedTimeout: 'TcpEstablishedTimeout number',
      udpStreamTimeout: 'UdpStreamTimeout number',
      udpTimeout: 'UdpTimeout number'
    },
    CopyImageResult: {
      imageId: 'ImageId string'
    },
    CpuOptions: {
      coreCount: 'CoreCount number',
      threadsPerCore: 'ThreadsPerCore number',
      amdSevSnp: 'AmdSevSnp string',
      nestedVirtualization: 'NestedVirtualization string'
    },
    CpuPerformanceFactor: {
      referenceSet: 'References PerformanceFactorReference[item]'
    },
    CreateDefaultSubnetResult: {
      subnet: 'Subnet Subnet'
    },
    CreateDefaultVpcResult: {
      vpc: 'Vpc Vpc'
    },
    CreateDhcpOptionsResult: {
      dhcpOptions: 'DhcpOptions DhcpOptions'
    },
    CreateFlowLogsResult: {
      clientToken: 'ClientToken string',
      flowLogIdSet: 'FlowLogIds string[item]',
      unsuccessful: 'Unsuccessful UnsuccessfulItem[item]'
    },
    CreateImageResult: {
      imageId: 'ImageId string'
    },
    CreateInternetGatewayResult: {
      internetGateway: 'InternetGateway InternetGateway'
    },
    CreateLaunchTemplateResult: {
      launchTemplate: 'LaunchTemplate LaunchTemplate',
      warning: 'Warning ValidationWarning'
    },
    CreateLaunchTemplateVersionResult: {
      launchTemplateVersion: 'LaunchTemplateVersion LaunchTemplateVersion',
      warning: 'Warning ValidationWarning'
    },
    CreateManagedPrefixListResult: {
      prefixList: 'PrefixList ManagedPrefixList'
    },
    CreateNatGatewayResult: {
      clientToken: 'ClientToken string',
      natGateway: 'NatGateway NatGateway'
    },
    CreateNetworkAclResult: {
      networkAcl: 'NetworkAcl NetworkAcl',
      clientToken: 'ClientToken string'
    },
    CreateNetworkInterfaceResult: {
      networkInterface: 'NetworkInterface NetworkInterface',
      clientToken: 'ClientToken string'
    },
    CreatePlacementGroupResult: {
      placementGroup: 'PlacementGroup PlacementGroup'
    },
    CreateRouteResult: {
      return: 'Return boolean'
    },
    CreateRouteTableResult: {
      routeTable: 'RouteTable RouteTable',
      clientToken: 'ClientToken string'
    },
    CreateSecurityGroupResult: {
      groupId: 'GroupId string',
      tagSet: 'Tags Tag[item]',
      securityGroupArn: 'SecurityGroupArn string'
    },
    CreateSubnetResult: {
      subnet: 'Subnet Subnet'
    },
    CreateVpcPeeringConnectionResult: {
      vpcPeeringConnection: 'VpcPeeringConnection VpcPeeringConnection'
    },
    CreateVpcResult: {
      vpc: 'Vpc Vpc'
    },
    CreationDateCondition: {
      maximumDaysSinceCreated: 'MaximumDaysSinceCreated number'
    },
    CreditSpecification: {
      cpuCredits: 'CpuCredits string'
    },
    DefaultConnectionTrackingConfiguration: {
      defaultTcpEstablishedTimeout: 'DefaultTcpEstablishedTimeout number',
      defaultUdpTimeout: 'DefaultUdpTimeout number',
      defaultUdpStreamTimeout: 'DefaultUdpStreamTimeout number'
    },
    DeleteFlowLogsResult: {
      unsuccessful: 'Unsuccessful UnsuccessfulItem[item]'
    },
    DeleteKeyPairResult: {
      return: 'Return boolean',
      keyPairId: 'KeyPairId string'
    },
    DeleteLaunchTemplateResult: {
      launchTemplate: 'LaunchTemplate LaunchTemplate'
    },
    DeleteLaunchTemplateVersionsResponseErrorItem: {
      launchTemplateId: 'LaunchTemplateId string',
      launchTemplateName: 'LaunchTemplateName string',
      versionNumber: 'VersionNumber number',
      responseError: 'ResponseError ResponseError'
    },
    DeleteLaunchTemplateVersionsResponseSuccessItem: {
      launchTemplateId: 'LaunchTemplateId string',
      launchTemplateName: 'LaunchTemplateName string',
      versionNumber: 'VersionNumber number'
    },
    DeleteLaunchTemplateVersionsResult: {
      successfullyDeletedLaunchTemplateVersionSet: 'SuccessfullyDeletedLaunchTemplateVersions DeleteLaunchTemplateVersionsResponseSuccessItem[item]',
      unsuccessfullyDeletedLaunchTemplateVersionSet: 'UnsuccessfullyDeletedLaunchTemplateVersions DeleteLaunchTemplateVersionsResponseErrorItem[item]'
    },
    DeleteManagedPrefixListResult: {
      prefixList: 'PrefixList ManagedPrefixList'
    },
    DeleteNatGatewayResult: {
      natGatewayId: 'NatGatewayId string'
    },
    DeleteSecurityGroupResult: {
      return: 'Return boolean',
      groupId: 'GroupId string'
    },
    DeleteSnapshotReturnCode: {
      snapshotId: 'SnapshotId string',
      returnCode: 'ReturnCode string'
    },
    DeleteVpcPeeringConnectionResult: {
      return: 'Return boolean'
    },
    DeprecationTimeCondition: {
      maximumDaysSinceDeprecated: 'MaximumDaysSinceDeprecated number'
    },
    DeregisterImageResult: {
      return: 'Return boolean',
      deleteSnapshotResultSet: 'DeleteSnapshotResults DeleteSnapshotReturnCode[item]'
    },
    DescribeAccountAttributesResult: {
      accountAttributeSet: 'AccountAttributes AccountAttribute[item]'
    },
    DescribeAddressTransfersResult: {
      addressTransferSet: 'AddressTransfers Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeAddressesAttributeResult: {
      addressSet: 'Addresses AddressAttribute[item]',
      nextToken: 'NextToken string'
    },
    DescribeAddressesResult: {
      addressesSet: 'Addresses Address[item]'
    },
    DescribeAvailabilityZonesResult: {
      availabilityZoneInfo: 'AvailabilityZones AvailabilityZone[item]'
    },
    DescribeBundleTasksResult: {
      bundleInstanceTasksSet: 'BundleTasks Nothing[item]'
    },
    DescribeCapacityReservationsResult: {
      capacityReservationSet: 'CapacityReservations Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeCarrierGatewaysResult: {
      carrierGatewaySet: 'CarrierGateways Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeClassicLinkInstancesResult: {
      instancesSet: 'Instances Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeClientVpnEndpointsResult: {
      clientVpnEndpoint: 'ClientVpnEndpoints Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeCoipPoolsResult: {
      coipPoolSet: 'CoipPools Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeConversionTasksResult: {
      conversionTasks: 'ConversionTasks Nothing[item]'
    },
    DescribeCustomerGatewaysResult: {
      customerGatewaySet: 'CustomerGateways Nothing[item]'
    },
    DescribeDhcpOptionsResult: {
      dhcpOptionsSet: 'DhcpOptions DhcpOptions[item]',
      nextToken: 'NextToken string'
    },
    DescribeEgressOnlyInternetGatewaysResult: {
      egressOnlyInternetGatewaySet: 'EgressOnlyInternetGateways Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeElasticGpusResult: {
      elasticGpuSet: 'ElasticGpuSet Nothing[item]',
      maxResults: 'MaxResults number',
      nextToken: 'NextToken string'
    },
    DescribeExportImageTasksResult: {
      exportImageTaskSet: 'ExportImageTasks Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeExportTasksResult: {
      exportTaskSet: 'ExportTasks Nothing[item]'
    },
    DescribeFastLaunchImagesResult: {
      fastLaunchImageSet: 'FastLaunchImages Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeFastSnapshotRestoresResult: {
      fastSnapshotRestoreSet: 'FastSnapshotRestores Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeFleetInstancesResult: {
      activeInstanceSet: 'ActiveInstances Nothing[item]',
      fleetId: 'FleetId string',
      nextToken: 'NextToken string'
    },
    DescribeFleetsResult: {
      fleetSet: 'Fleets Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeFlowLogsResult: {
      flowLogSet: 'FlowLogs FlowLog[item]',
      nextToken: 'NextToken string'
    },
    DescribeFpgaImagesResult: {
      fpgaImageSet: 'FpgaImages Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeHostReservationOfferingsResult: {
      offeringSet: 'OfferingSet Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeHostReservationsResult: {
      hostReservationSet: 'HostReservationSet Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeHostsResult: {
      hostSet: 'Hosts Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeIamInstanceProfileAssociationsResult: {
      iamInstanceProfileAssociationSet: 'IamInstanceProfileAssociations IamInstanceProfileAssociation[item]',
      nextToken: 'NextToken string'
    },
    DescribeIdFormatResult: {
      statusSet: 'Statuses IdFormat[item]'
    },
    DescribeImagesResult: {
      imagesSet: 'Images Image[item]',
      nextToken: 'NextToken string'
    },
    DescribeImportImageTasksResult: {
      importImageTaskSet: 'ImportImageTasks Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeImportSnapshotTasksResult: {
      importSnapshotTaskSet: 'ImportSnapshotTasks Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceConnectEndpointsResult: {
      instanceConnectEndpointSet: 'InstanceConnectEndpoints Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceCreditSpecificationsResult: {
      instanceCreditSpecificationSet: 'InstanceCreditSpecifications InstanceCreditSpecification[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceEventWindowsResult: {
      instanceEventWindowSet: 'InstanceEventWindows Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceStatusResult: {
      instanceStatusSet: 'InstanceStatuses InstanceStatus[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceTypeOfferingsResult: {
      instanceTypeOfferingSet: 'InstanceTypeOfferings InstanceTypeOffering[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstanceTypesResult: {
      instanceTypeSet: 'InstanceTypes InstanceTypeInfo[item]',
      nextToken: 'NextToken string'
    },
    DescribeInstancesResult: {
      reservationSet: 'Reservations Reservation[item]',
      nextToken: 'NextToken string'
    },
    DescribeInternetGatewaysResult: {
      internetGatewaySet: 'InternetGateways InternetGateway[item]',
      nextToken: 'NextToken string'
    },
    DescribeIpamPoolsResult: {
      ipamPoolSet: 'IpamPools Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeIpamScopesResult: {
      ipamScopeSet: 'IpamScopes Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeIpamsResult: {
      ipamSet: 'Ipams Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeIpv6PoolsResult: {
      ipv6PoolSet: 'Ipv6Pools Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeKeyPairsResult: {
      keySet: 'KeyPairs KeyPairInfo[item]'
    },
    DescribeLaunchTemplateVersionsResult: {
      launchTemplateVersionSet: 'LaunchTemplateVersions LaunchTemplateVersion[item]',
      nextToken: 'NextToken string'
    },
    DescribeLaunchTemplatesResult: {
      launchTemplates: 'LaunchTemplates LaunchTemplate[item]',
      nextToken: 'NextToken string'
    },
    DescribeLocalGatewaysResult: {
      localGatewaySet: 'LocalGateways Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeLockedSnapshotsResult: {
      snapshotSet: 'Snapshots Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeMacHostsResult: {
      macHostSet: 'MacHosts Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeManagedPrefixListsResult: {
      prefixListSet: 'PrefixLists ManagedPrefixList[item]',
      nextToken: 'NextToken string'
    },
    DescribeMovingAddressesResult: {
      movingAddressStatusSet: 'MovingAddressStatuses Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeNatGatewaysResult: {
      natGatewaySet: 'NatGateways NatGateway[item]',
      nextToken: 'NextToken string'
    },
    DescribeNetworkAclsResult: {
      networkAclSet: 'NetworkAcls NetworkAcl[item]',
      nextToken: 'NextToken string'
    },
    DescribeNetworkInsightsAnalysesResult: {
      networkInsightsAnalysisSet: 'NetworkInsightsAnalyses Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeNetworkInsightsPathsResult: {
      networkInsightsPathSet: 'NetworkInsightsPaths Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeNetworkInterfaceAttributeResult: {
      networkInterfaceId: 'NetworkInterfaceId string',
      attachment: 'Attachment NetworkInterfaceAttachment',
      description: 'Description AttributeValue',
      groupSet: 'Groups GroupIdentifier[item]',
      sourceDestCheck: 'SourceDestCheck AttributeBooleanValue',
      associatePublicIpAddress: 'AssociatePublicIpAddress boolean'
    },
    DescribeNetworkInterfacePermissionsResult: {
      networkInterfacePermissions: 'NetworkInterfacePermissions Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeNetworkInterfacesResult: {
      networkInterfaceSet: 'NetworkInterfaces NetworkInterface[item]',
      nextToken: 'NextToken string'
    },
    DescribePlacementGroupsResult: {
      placementGroupSet: 'PlacementGroups PlacementGroup[item]'
    },
    DescribePrefixListsResult: {
      prefixListSet: 'PrefixLists Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribePublicIpv4PoolsResult: {
      publicIpv4PoolSet: 'PublicIpv4Pools PublicIpv4Pool[item]',
      nextToken: 'NextToken string'
    },
    DescribeRegionsResult: {
      regionInfo: 'Regions Region[item]'
    },
    DescribeReplaceRootVolumeTasksResult: {
      replaceRootVolumeTaskSet: 'ReplaceRootVolumeTasks Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeReservedInstancesListingsResult: {
      reservedInstancesListingsSet: 'ReservedInstancesListings Nothing[item]'
    },
    DescribeReservedInstancesModificationsResult: {
      reservedInstancesModificationsSet: 'ReservedInstancesModifications Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeReservedInstancesOfferingsResult: {
      reservedInstancesOfferingsSet: 'ReservedInstancesOfferings Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeReservedInstancesResult: {
      reservedInstancesSet: 'ReservedInstances Nothing[item]'
    },
    DescribeRouteTablesResult: {
      routeTableSet: 'RouteTables RouteTable[item]',
      nextToken: 'NextToken string'
    },
    DescribeScheduledInstancesResult: {
      scheduledInstanceSet: 'ScheduledInstanceSet Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSecurityGroupReferencesResult: {
      securityGroupReferenceSet: 'SecurityGroupReferenceSet SecurityGroupReference[item]'
    },
    DescribeSecurityGroupRulesResult: {
      securityGroupRuleSet: 'SecurityGroupRules SecurityGroupRule[item]',
      nextToken: 'NextToken string'
    },
    DescribeSecurityGroupVpcAssociationsResult: {
      securityGroupVpcAssociationSet: 'SecurityGroupVpcAssociations Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSecurityGroupsResult: {
      securityGroupInfo: 'SecurityGroups SecurityGroup[item]',
      nextToken: 'NextToken string'
    },
    DescribeSnapshotAttributeResult: {
      productCodes: 'ProductCodes Nothing[item]',
      snapshotId: 'SnapshotId string',
      createVolumePermission: 'CreateVolumePermissions Nothing[item]'
    },
    DescribeSnapshotTierStatusResult: {
      snapshotTierStatusSet: 'SnapshotTierStatuses Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSnapshotsResult: {
      snapshotSet: 'Snapshots Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSpotDatafeedSubscriptionResult: {
      spotDatafeedSubscription: 'SpotDatafeedSubscription SpotDatafeedSubscription'
    },
    DescribeSpotFleetInstancesResponse: {
      activeInstanceSet: 'ActiveInstances Nothing[item]',
      spotFleetRequestId: 'SpotFleetRequestId string',
      nextToken: 'NextToken string'
    },
    DescribeSpotFleetRequestsResponse: {
      spotFleetRequestConfigSet: 'SpotFleetRequestConfigs Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSpotInstanceRequestsResult: {
      spotInstanceRequestSet: 'SpotInstanceRequests Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSpotPriceHistoryResult: {
      spotPriceHistorySet: 'SpotPriceHistory Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeStaleSecurityGroupsResult: {
      staleSecurityGroupSet: 'StaleSecurityGroupSet StaleSecurityGroup[item]',
      nextToken: 'NextToken string'
    },
    DescribeStoreImageTasksResult: {
      storeImageTaskResultSet: 'StoreImageTaskResults Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeSubnetsResult: {
      subnetSet: 'Subnets Subnet[item]',
      nextToken: 'NextToken string'
    },
    DescribeTagsResult: {
      tagSet: 'Tags TagDescription[item]',
      nextToken: 'NextToken string'
    },
    DescribeTrafficMirrorFiltersResult: {
      trafficMirrorFilterSet: 'TrafficMirrorFilters Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTrafficMirrorSessionsResult: {
      trafficMirrorSessionSet: 'TrafficMirrorSessions Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTrafficMirrorTargetsResult: {
      trafficMirrorTargetSet: 'TrafficMirrorTargets Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayAttachmentsResult: {
      transitGatewayAttachments: 'TransitGatewayAttachments Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayConnectPeersResult: {
      transitGatewayConnectPeerSet: 'TransitGatewayConnectPeers Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayConnectsResult: {
      transitGatewayConnectSet: 'TransitGatewayConnects Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayMulticastDomainsResult: {
      transitGatewayMulticastDomains: 'TransitGatewayMulticastDomains Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayPeeringAttachmentsResult: {
      transitGatewayPeeringAttachments: 'TransitGatewayPeeringAttachments Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayRouteTablesResult: {
      transitGatewayRouteTables: 'TransitGatewayRouteTables Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewayVpcAttachmentsResult: {
      transitGatewayVpcAttachments: 'TransitGatewayVpcAttachments Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeTransitGatewaysResult: {
      transitGatewaySet: 'TransitGateways Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVerifiedAccessInstancesResult: {
      verifiedAccessInstanceSet: 'VerifiedAccessInstances Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVolumeAttributeResult: {
      volumeId: 'VolumeId string',
      autoEnableIO: 'AutoEnableIO AttributeBooleanValue',
      productCodes: 'ProductCodes ProductCode[item]'
    },
    DescribeVolumeStatusResult: {
      volumeStatusSet: 'VolumeStatuses VolumeStatusItem[item]',
      nextToken: 'NextToken string'
    },
    DescribeVolumesModificationsResult: {
      volumeModificationSet: 'VolumesModifications Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVolumesResult: {
      volumeSet: 'Volumes Volume[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcAttributeResult: {
      vpcId: 'VpcId string',
      enableDnsHostnames: 'EnableDnsHostnames AttributeBooleanValue',
      enableDnsSupport: 'EnableDnsSupport AttributeBooleanValue',
      enableNetworkAddressUsageMetrics: 'EnableNetworkAddressUsageMetrics AttributeBooleanValue'
    },
    DescribeVpcClassicLinkDnsSupportResult: {
      vpcs: 'Vpcs ClassicLinkDnsSupport[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcClassicLinkResult: {
      vpcSet: 'Vpcs VpcClassicLink[item]'
    },
    DescribeVpcEndpointConnectionNotificationsResult: {
      connectionNotificationSet: 'ConnectionNotificationSet Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcEndpointConnectionsResult: {
      vpcEndpointConnectionSet: 'VpcEndpointConnections Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcEndpointServiceConfigurationsResult: {
      serviceConfigurationSet: 'ServiceConfigurations Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcEndpointServicesResult: {
      serviceNameSet: 'ServiceNames Nothing[item]',
      serviceDetailSet: 'ServiceDetails Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcEndpointsResult: {
      vpcEndpointSet: 'VpcEndpoints Nothing[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcPeeringConnectionsResult: {
      vpcPeeringConnectionSet: 'VpcPeeringConnections VpcPeeringConnection[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpcsResult: {
      vpcSet: 'Vpcs Vpc[item]',
      nextToken: 'NextToken string'
    },
    DescribeVpnConnectionsResult: {
      vpnConnectionSet: 'VpnConnections Nothing[item]'
    },
    DescribeVpnGatewaysResult: {
      vpnGatewaySet: 'VpnGateways Nothing[item]'
    },
    DestinationOptionsResponse: {
      fileFormat: 'FileFormat string',
      hiveCompatiblePartitions: 'HiveCompatiblePartitions boolean',
      perHourPartition: 'PerHourPartition boolean'
    },
    DhcpConfiguration: {
      key: 'Key string',
      valueSet: 'Values AttributeValue[item]'
    },
    DhcpOptions: {
      dhcpOptionsId: 'DhcpOptionsId string',
      dhcpConfigurationSet: 'DhcpConfigurations DhcpConfiguration[item]',
      tagSet: 'Tags Tag[item]',
      ownerId: 'OwnerId string'
    },
    DisableImageDeprecationResult: {
      return: 'Return boolean'
    },
    DisassociateIamInstanceProfileResult: {
      iamInstanceProfileAssociation: 'IamInstanceProfileAssociation IamInstanceProfileAssociation'
    },
    DisassociateVpcCidrBlockResult: {
      ipv6CidrBlockAssociation: 'Ipv6CidrBlockAssociation VpcIpv6CidrBlockAssociation',
      cidrBlockAssociation: 'CidrBlockAssociation VpcCidrBlockAssociation',
      vpcId: 'VpcId string'
    },
    DiskInfo: {
      sizeInGB: 'SizeInGB number',
      count: 'Count number',
      type: 'Type string'
    },
    EbsBlockDevice: {
      snapshotId: 'SnapshotId string',
      volumeSize: 'VolumeSize number',
      deleteOnTermination: 'DeleteOnTermination boolean',
      volumeType: 'VolumeType string',
      iops: 'Iops number',
      encrypted: 'Encrypted boolean',
      kmsKeyId: 'KmsKeyId string',
      throughput: 'Throughput number',
      outpostArn: 'OutpostArn string',
      availabilityZone: 'AvailabilityZone string',
      VolumeInitializationRate: 'VolumeInitializationRate number',
      AvailabilityZoneId: 'AvailabilityZoneId string',
      EbsCardIndex: 'EbsCardIndex number'
    },
    EbsCardInfo: {
      ebsCardIndex: 'EbsCardIndex number',
      baselineBandwidthInMbps: 'BaselineBandwidthInMbps number',
      baselineThroughputInMBps: 'BaselineThroughputInMBps number',
      baselineIops: 'BaselineIops number',
      maximumBandwidthInMbps: 'MaximumBandwidthInMbps number',
      maximumThroughputInMBps: 'MaximumThroughputInMBps number',
      maximumIops: 'MaximumIops number'
    },
    EbsInfo: {
      ebsOptimizedSupport: 'EbsOptimizedSupport string',
      encryptionSupport: 'EncryptionSupport string',
      ebsOptimizedInfo: 'EbsOptimizedInfo EbsOptimizedInfo',
      nvmeSupport: 'NvmeSupport string',
      maximumEbsAttachments: 'MaximumEbsAttachments number',
      attachmentLimitType: 'AttachmentLimitType string',
      maximumEbsCards: 'MaximumEbsCards number',
      ebsCardSet: 'EbsCards EbsCardInfo[item]'
    },
    EbsInstanceBlockDevice: {
      volumeId: 'VolumeId string',
      status: 'Status string',
      attachTime: 'AttachTime timestamp',
      deleteOnTermination: 'DeleteOnTermination boolean',
      associatedResource: 'AssociatedResource string',
      volumeOwnerId: 'VolumeOwnerId string',
      operator: 'Operator OperatorResponse',
      ebsCardIndex: 'EbsCardIndex number'
    },
    EbsOptimizedInfo: {
      baselineBandwidthInMbps: 'BaselineBandwidthInMbps number',
      baselineThroughputInMBps: 'BaselineThroughputInMBps number',
      baselineIops: 'BaselineIops number',
      maximumBandwidthInMbps: 'MaximumBandwidthInMbps number',
      maximumThroughputInMBps: 'MaximumThroughputInMBps number',
      maximumIops: 'MaximumIops number'
    },
    EbsStatusDetails: {
      name: 'Name string',
      status: 'Status string',
      impairedSince: 'ImpairedSince timestamp'
    },
    EbsStatusSummary: {
      status: 'Status string',
      details: 'Details EbsStatusDetails[item]'
    },
    EfaInfo: {
      maximumEfaInterfaces: 'MaximumEfaInterfaces number'
    },
    ElasticGpuAssociation: {
      elasticGpuId: 'ElasticGpuId string',
      elasticGpuAssociationId: 'ElasticGpuAssociationId string',
      elasticGpuAssociationState: 'ElasticGpuAssociationState string',
      elasticGpuAssociationTime: 'ElasticGpuAssociationTime string'
    },
    ElasticGpuSpecificationResponse: {
      type: 'Type string'
    },
    ElasticInferenceAcceleratorAssociation: {
      elasticInferenceAcceleratorArn: 'ElasticInferenceAcceleratorArn string',
      elasticInferenceAcceleratorAssociationId: 'ElasticInferenceAcceleratorAssociationId string',
      elasticInferenceAcceleratorAssociationState: 'ElasticInferenceAcceleratorAssociationState string',
      elasticInferenceAcceleratorAssociationTime: 'ElasticInferenceAcceleratorAssociationTime timestamp'
    },
    EnableImageDeprecationResult: {
      return: 'Return boolean'
    },
    EnclaveOptions: {
      enabled: 'Enabled boolean'
    },
    FlowLog: {
      creationTime: 'CreationTime timestamp',
      deliverLogsErrorMessage: 'DeliverLogsErrorMessage string',
      deliverLogsPermissionArn: 'DeliverLogsPermissionArn string',
      deliverCrossAccountRole: 'DeliverCrossAccountRole string',
      deliverLogsStatus: 'DeliverLogsStatus string',
      flowLogId: 'FlowLogId string',
      flowLogStatus: 'FlowLogStatus string',
      logGroupName: 'LogGroupName string',
      resourceId: 'ResourceId string',
      trafficType: 'TrafficType string',
      logDestinationType: 'LogDestinationType string',
      logDestination: 'LogDestination string',
      logFormat: 'LogFormat string',
      tagSet: 'Tags Tag[item]',
      maxAggregationInterval: 'MaxAggregationInterval number',
      destinationOptions: 'DestinationOptions DestinationOptionsResponse',
      tagFieldSpecificationSet: 'TagFieldSpecifications TagFieldSpecificationResponse[item]'
    },
    FpgaDeviceInfo: {
      name: 'Name string',
      manufacturer: 'Manufacturer string',
      count: 'Count number',
      memoryInfo: 'MemoryInfo FpgaDeviceMemoryInfo'
    },
    FpgaDeviceMemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    FpgaInfo: {
      fpgas: 'Fpgas FpgaDeviceInfo[item]',
      totalFpgaMemoryInMiB: 'TotalFpgaMemoryInMiB number'
    },
    GetAllowedImagesSettingsResult: {
      state: 'State string',
      imageCriterionSet: 'ImageCriteria ImageCriterion[item]',
      managedBy: 'ManagedBy string'
    },
    GetConsoleOutputResult: {
      instanceId: 'InstanceId string',
      timestamp: 'Timestamp timestamp',
      output: 'Output string'
    },
    GetConsoleScreenshotResult: {
      imageData: 'ImageData string',
      instanceId: 'InstanceId string'
    },
    GetEbsEncryptionByDefaultResult: {
      ebsEncryptionByDefault: 'EbsEncryptionByDefault boolean',
      sseType: 'SseType string'
    },
    GetImageBlockPublicAccessStateResult: {
      imageBlockPublicAccessState: 'ImageBlockPublicAccessState string',
      managedBy: 'ManagedBy string'
    },
    GetInstanceMetadataDefaultsResult: {
      accountLevel: 'AccountLevel InstanceMetadataDefaultsResponse'
    },
    GetLaunchTemplateDataResult: {
      launchTemplateData: 'LaunchTemplateData ResponseLaunchTemplateData'
    },
    GetManagedPrefixListAssociationsResult: {
      prefixListAssociationSet: 'PrefixListAssociations PrefixListAssociation[item]',
      nextToken: 'NextToken string'
    },
    GetManagedPrefixListEntriesResult: {
      entrySet: 'Entries PrefixListEntry[item]',
      nextToken: 'NextToken string'
    },
    GetPasswordDataResult: {
      instanceId: 'InstanceId string',
      timestamp: 'Timestamp timestamp',
      passwordData: 'PasswordData string'
    },
    GetSecurityGroupsForVpcResult: {
      securityGroupForVpcSet: 'SecurityGroupForVpcs SecurityGroupForVpc[item]',
      nextToken: 'NextToken string'
    },
    GetSerialConsoleAccessStatusResult: {
      serialConsoleAccessEnabled: 'SerialConsoleAccessEnabled boolean',
      managedBy: 'ManagedBy string'
    },
    GetSnapshotBlockPublicAccessStateResult: {
      state: 'State string',
      managedBy: 'ManagedBy string'
    },
    GetSubnetCidrReservationsResult: {
      subnetIpv4CidrReservationSet: 'SubnetIpv4CidrReservations SubnetCidrReservation[item]',
      subnetIpv6CidrReservationSet: 'SubnetIpv6CidrReservations SubnetCidrReservation[item]',
      nextToken: 'NextToken string'
    },
    GpuDeviceInfo: {
      name: 'Name string',
      manufacturer: 'Manufacturer string',
      count: 'Count number',
      logicalGpuCount: 'LogicalGpuCount number',
      gpuPartitionSize: 'GpuPartitionSize number',
      workloadSet: 'Workloads string[item]',
      memoryInfo: 'MemoryInfo GpuDeviceMemoryInfo'
    },
    GpuDeviceMemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    GpuInfo: {
      gpus: 'Gpus GpuDeviceInfo[item]',
      totalGpuMemoryInMiB: 'TotalGpuMemoryInMiB number'
    },
    GroupIdentifier: {
      groupId: 'GroupId string',
      groupName: 'GroupName string'
    },
    HibernationOptions: {
      configured: 'Configured boolean'
    },
    IamInstanceProfile: {
      arn: 'Arn string',
      id: 'Id string'
    },
    IamInstanceProfileAssociation: {
      associationId: 'AssociationId string',
      instanceId: 'InstanceId string',
      iamInstanceProfile: 'IamInstanceProfile IamInstanceProfile',
      state: 'State string',
      timestamp: 'Timestamp timestamp'
    },
    IcmpTypeCode: {
      code: 'Code number',
      type: 'Type number'
    },
    IdFormat: {
      deadline: 'Deadline timestamp',
      resource: 'Resource string',
      useLongIds: 'UseLongIds boolean'
    },
    Image: {
      imageId: 'ImageId string',
      imageLocation: 'ImageLocation string',
      imageState: 'State string',
      imageOwnerId: 'OwnerId string',
      creationDate: 'CreationDate string',
      isPublic: 'Public boolean',
      productCodes: 'ProductCodes ProductCode[item]',
      architecture: 'Architecture string',
      imageType: 'ImageType string',
      kernelId: 'KernelId string',
      ramdiskId: 'RamdiskId string',
      platform: 'Platform string',
      sriovNetSupport: 'SriovNetSupport string',
      stateReason: 'StateReason StateReason',
      imageOwnerAlias: 'ImageOwnerAlias string',
      name: 'Name string',
      description: 'Description string',
      rootDeviceType: 'RootDeviceType string',
      rootDeviceName: 'RootDeviceName string',
      blockDeviceMapping: 'BlockDeviceMappings BlockDeviceMapping[item]',
      virtualizationType: 'VirtualizationType string',
      tagSet: 'Tags Tag[item]',
      hypervisor: 'Hypervisor string',
      platformDetails: 'PlatformDetails string',
      usageOperation: 'UsageOperation string',
      enaSupport: 'EnaSupport boolean',
      bootMode: 'BootMode string',
      tpmSupport: 'TpmSupport string',
      deprecationTime: 'DeprecationTime string',
      imdsSupport: 'ImdsSupport string',
      sourceInstanceId: 'SourceInstanceId string',
      deregistrationProtection: 'DeregistrationProtection string',
      lastLaunchedTime: 'LastLaunchedTime string',
      imageAllowed: 'ImageAllowed boolean',
      sourceImageId: 'SourceImageId string',
      sourceImageRegion: 'SourceImageRegion string',
      freeTierEligible: 'FreeTierEligible boolean',
      publicSsmParameterName: 'PublicSsmParameterName string',
      imageWatermarkSet: 'ImageWatermarks ImageWatermark[item]',
      scanResults: 'ScanResults ScanResults',
      instanceTypeSpecification: 'InstanceTypeSpecification InstanceTypeSpecification'
    },
    ImageAttribute: {
      imageId: 'ImageId string',
      launchPermission: 'LaunchPermissions LaunchPermission[item]',
      description: 'Description AttributeValue',
      kernel: 'KernelId AttributeValue',
      ramdisk: 'RamdiskId AttributeValue',
      sriovNetSupport: 'SriovNetSupport AttributeValue',
      bootMode: 'BootMode AttributeValue',
      tpmSupport: 'TpmSupport AttributeValue',
      uefiData: 'UefiData AttributeValue',
      lastLaunchedTime: 'LastLaunchedTime AttributeValue',
      imdsSupport: 'ImdsSupport AttributeValue',
      deregistrationProtection: 'DeregistrationProtection AttributeValue',
      productCodes: 'ProductCodes ProductCode[item]',
      blockDeviceMapping: 'BlockDeviceMappings BlockDeviceMapping[item]'
    },
    ImageCriterion: {
      imageProviderSet: 'ImageProviders string[item]',
      marketplaceProductCodeSet: 'MarketplaceProductCodes string[item]',
      imageNameSet: 'ImageNames string[item]',
      deprecationTimeCondition: 'DeprecationTimeCondition DeprecationTimeCondition',
      creationDateCondition: 'CreationDateCondition CreationDateCondition',
      imageWatermarkSet: 'ImageWatermarks ImageWatermarkFilterResponse[item]',
      scanResultCondition: 'ScanResultCondition ScanResultCondition'
    },
    ImageWatermark: {
      watermarkKey: 'WatermarkKey string',
      sourceImageRegion: 'SourceImageRegion string',
      sourceImageId: 'SourceImageId string',
      sourceImageCreationTime: 'SourceImageCreationTime timestamp',
      watermarkCreationTime: 'WatermarkCreationTime timestamp'
    },
    ImageWatermarkFilterResponse: {
      watermarkKey: 'WatermarkKey string',
      sourceImageRegion: 'SourceImageRegion string',
      maximumDaysSinceSourceImageCreated: 'MaximumDaysSinceSourceImageCreated number',
      maximumDaysSinceWatermarkCreated: 'MaximumDaysSinceWatermarkCreated number'
    },
    ImportKeyPairResult: {
      keyName: 'KeyName string',
      keyFingerprint: 'KeyFingerprint string',
      keyPairId: 'KeyPairId string',
      tagSet: 'Tags Tag[item]'
    },
    InferenceAcceleratorInfo: {
      accelerators: 'Accelerators InferenceDeviceInfo[member]',
      totalInferenceMemoryInMiB: 'TotalInferenceMemoryInMiB number'
    },
    InferenceDeviceInfo: {
      count: 'Count number',
      name: 'Name string',
      manufacturer: 'Manufacturer string',
      memoryInfo: 'MemoryInfo InferenceDeviceMemoryInfo'
    },
    InferenceDeviceMemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    InitializationStatusDetails: {
      initializationType: 'InitializationType string',
      progress: 'Progress number',
      estimatedTimeToCompleteInSeconds: 'EstimatedTimeToCompleteInSeconds number'
    },
    Instance: {
      instanceId: 'InstanceId string',
      imageId: 'ImageId string',
      instanceState: 'State InstanceState',
      privateDnsName: 'PrivateDnsName string',
      dnsName: 'PublicDnsName string',
      reason: 'StateTransitionReason string',
      keyName: 'KeyName string',
      amiLaunchIndex: 'AmiLaunchIndex number',
      productCodes: 'ProductCodes ProductCode[item]',
      instanceType: 'InstanceType string',
      launchTime: 'LaunchTime timestamp',
      placement: 'Placement Placement',
      kernelId: 'KernelId string',
      ramdiskId: 'RamdiskId string',
      platform: 'Platform string',
      monitoring: 'Monitoring Monitoring',
      subnetId: 'SubnetId string',
      vpcId: 'VpcId string',
      privateIpAddress: 'PrivateIpAddress string',
      ipAddress: 'PublicIpAddress string',
      sourceDestCheck: 'SourceDestCheck boolean',
      groupSet: 'SecurityGroups GroupIdentifier[item]',
      stateReason: 'StateReason StateReason',
      architecture: 'Architecture string',
      rootDeviceType: 'RootDeviceType string',
      rootDeviceName: 'RootDeviceName string',
      blockDeviceMapping: 'BlockDeviceMappings InstanceBlockDeviceMapping[item]',
      instanceLifecycle: 'InstanceLifecycle string',
      spotInstanceRequestId: 'SpotInstanceRequestId string',
      virtualizationType: 'VirtualizationType string',
      clientToken: 'ClientToken string',
      tagSet: 'Tags Tag[item]',
      hypervisor: 'Hypervisor string',
      networkInterfaceSet: 'NetworkInterfaces InstanceNetworkInterface[item]',
      iamInstanceProfile: 'IamInstanceProfile IamInstanceProfile',
      ebsOptimized: 'EbsOptimized boolean',
      sriovNetSupport: 'SriovNetSupport string',
      enaSupport: 'EnaSupport boolean',
      elasticGpuAssociationSet: 'ElasticGpuAssociations ElasticGpuAssociation[item]',
      elasticInferenceAcceleratorAssociationSet: 'ElasticInferenceAcceleratorAssociations ElasticInferenceAcceleratorAssociation[item]',
      outpostArn: 'OutpostArn string',
      cpuOptions: 'CpuOptions CpuOptions',
      capacityBlockId: 'CapacityBlockId string',
      capacityReservationId: 'CapacityReservationId string',
      capacityReservationSpecification: 'CapacityReservationSpecification CapacityReservationSpecificationResponse',
      hibernationOptions: 'HibernationOptions HibernationOptions',
      licenseSet: 'Licenses LicenseConfiguration[item]',
      metadataOptions: 'MetadataOptions InstanceMetadataOptionsResponse',
      enclaveOptions: 'EnclaveOptions EnclaveOptions',
      bootMode: 'BootMode string',
      platformDetails: 'PlatformDetails string',
      usageOperation: 'UsageOperation string',
      usageOperationUpdateTime: 'UsageOperationUpdateTime timestamp',
      privateDnsNameOptions: 'PrivateDnsNameOptions PrivateDnsNameOptionsResponse',
      ipv6Address: 'Ipv6Address string',
      tpmSupport: 'TpmSupport string',
      maintenanceOptions: 'MaintenanceOptions InstanceMaintenanceOptions',
      currentInstanceBootMode: 'CurrentInstanceBootMode string',
      networkPerformanceOptions: 'NetworkPerformanceOptions InstanceNetworkPerformanceOptions',
      operator: 'Operator OperatorResponse',
      secondaryInterfaceSet: 'SecondaryInterfaces InstanceSecondaryInterface[item]'
    },
    InstanceAttachmentEnaSrdSpecification: {
      enaSrdEnabled: 'EnaSrdEnabled boolean',
      enaSrdUdpSpecification: 'EnaSrdUdpSpecification InstanceAttachmentEnaSrdUdpSpecification'
    },
    InstanceAttachmentEnaSrdUdpSpecification: {
      enaSrdUdpEnabled: 'EnaSrdUdpEnabled boolean'
    },
    InstanceAttribute: {
      instanceId: 'InstanceId string',
      blockDeviceMapping: 'BlockDeviceMappings InstanceBlockDeviceMapping[item]',
      disableApiTermination: 'DisableApiTermination AttributeBooleanValue',
      enaSupport: 'EnaSupport AttributeBooleanValue',
      enclaveOptions: 'EnclaveOptions EnclaveOptions',
      ebsOptimized: 'EbsOptimized AttributeBooleanValue',
      instanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior AttributeValue',
      instanceType: 'InstanceType AttributeValue',
      kernel: 'KernelId AttributeValue',
      productCodes: 'ProductCodes ProductCode[item]',
      ramdisk: 'RamdiskId AttributeValue',
      rootDeviceName: 'RootDeviceName AttributeValue',
      sourceDestCheck: 'SourceDestCheck AttributeBooleanValue',
      sriovNetSupport: 'SriovNetSupport AttributeValue',
      userData: 'UserData AttributeValue',
      disableApiStop: 'DisableApiStop AttributeBooleanValue',
      groupSet: 'Groups GroupIdentifier[item]'
    },
    InstanceBlockDeviceMapping: {
      deviceName: 'DeviceName string',
      ebs: 'Ebs EbsInstanceBlockDevice'
    },
    InstanceCreditSpecification: {
      instanceId: 'InstanceId string',
      cpuCredits: 'CpuCredits string'
    },
    InstanceIpv4Prefix: {
      ipv4Prefix: 'Ipv4Prefix string'
    },
    InstanceIpv6Address: {
      ipv6Address: 'Ipv6Address string',
      isPrimaryIpv6: 'IsPrimaryIpv6 boolean'
    },
    InstanceIpv6Prefix: {
      ipv6Prefix: 'Ipv6Prefix string'
    },
    InstanceMaintenanceOptions: {
      autoRecovery: 'AutoRecovery string',
      rebootMigration: 'RebootMigration string'
    },
    InstanceMetadataDefaultsResponse: {
      httpTokens: 'HttpTokens string',
      httpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      httpEndpoint: 'HttpEndpoint string',
      instanceMetadataTags: 'InstanceMetadataTags string',
      managedBy: 'ManagedBy string',
      managedExceptionMessage: 'ManagedExceptionMessage string',
      httpTokensEnforced: 'HttpTokensEnforced string'
    },
    InstanceMetadataOptionsResponse: {
      state: 'State string',
      httpTokens: 'HttpTokens string',
      httpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      httpEndpoint: 'HttpEndpoint string',
      httpProtocolIpv6: 'HttpProtocolIpv6 string',
      instanceMetadataTags: 'InstanceMetadataTags string'
    },
    InstanceMonitoring: {
      instanceId: 'InstanceId string',
      monitoring: 'Monitoring Monitoring'
    },
    InstanceNetworkInterface: {
      networkInterfaceId: 'NetworkInterfaceId string',
      subnetId: 'SubnetId string',
      vpcId: 'VpcId string',
      description: 'Description string',
      ownerId: 'OwnerId string',
      status: 'Status string',
      macAddress: 'MacAddress string',
      privateIpAddress: 'PrivateIpAddress string',
      privateDnsName: 'PrivateDnsName string',
      sourceDestCheck: 'SourceDestCheck boolean',
      groupSet: 'Groups GroupIdentifier[item]',
      attachment: 'Attachment InstanceNetworkInterfaceAttachment',
      association: 'Association InstanceNetworkInterfaceAssociation',
      privateIpAddressesSet: 'PrivateIpAddresses InstancePrivateIpAddress[item]',
      ipv6AddressesSet: 'Ipv6Addresses InstanceIpv6Address[item]',
      interfaceType: 'InterfaceType string',
      ipv4PrefixSet: 'Ipv4Prefixes InstanceIpv4Prefix[item]',
      ipv6PrefixSet: 'Ipv6Prefixes InstanceIpv6Prefix[item]',
      connectionTrackingConfiguration: 'ConnectionTrackingConfiguration ConnectionTrackingSpecificationResponse',
      operator: 'Operator OperatorResponse'
    },
    InstanceNetworkInterfaceAssociation: {
      publicIp: 'PublicIp string',
      publicDnsName: 'PublicDnsName string',
      ipOwnerId: 'IpOwnerId string',
      carrierIp: 'CarrierIp string',
      customerOwnedIp: 'CustomerOwnedIp string'
    },
    InstanceNetworkInterfaceAttachment: {
      attachmentId: 'AttachmentId string',
      deviceIndex: 'DeviceIndex number',
      status: 'Status string',
      attachTime: 'AttachTime timestamp',
      deleteOnTermination: 'DeleteOnTermination boolean',
      networkCardIndex: 'NetworkCardIndex number',
      enaSrdSpecification: 'EnaSrdSpecification InstanceAttachmentEnaSrdSpecification',
      enaQueueCount: 'EnaQueueCount number'
    },
    InstanceNetworkPerformanceOptions: {
      bandwidthWeighting: 'BandwidthWeighting string'
    },
    InstancePrivateIpAddress: {
      privateIpAddress: 'PrivateIpAddress string',
      privateDnsName: 'PrivateDnsName string',
      primary: 'Primary boolean',
      association: 'Association InstanceNetworkInterfaceAssociation'
    },
    InstanceRequirements: {
      vCpuCount: 'VCpuCount VCpuCountRange',
      memoryMiB: 'MemoryMiB MemoryMiB',
      cpuManufacturerSet: 'CpuManufacturers string[item]',
      memoryGiBPerVCpu: 'MemoryGiBPerVCpu MemoryGiBPerVCpu',
      excludedInstanceTypeSet: 'ExcludedInstanceTypes string[item]',
      instanceGenerationSet: 'InstanceGenerations string[item]',
      spotMaxPricePercentageOverLowestPrice: 'SpotMaxPricePercentageOverLowestPrice number',
      onDemandMaxPricePercentageOverLowestPrice: 'OnDemandMaxPricePercentageOverLowestPrice number',
      bareMetal: 'BareMetal string',
      burstablePerformance: 'BurstablePerformance string',
      requireHibernateSupport: 'RequireHibernateSupport boolean',
      networkInterfaceCount: 'NetworkInterfaceCount NetworkInterfaceCount',
      localStorage: 'LocalStorage string',
      localStorageTypeSet: 'LocalStorageTypes string[item]',
      totalLocalStorageGB: 'TotalLocalStorageGB TotalLocalStorageGB',
      baselineEbsBandwidthMbps: 'BaselineEbsBandwidthMbps BaselineEbsBandwidthMbps',
      acceleratorTypeSet: 'AcceleratorTypes string[item]',
      acceleratorCount: 'AcceleratorCount AcceleratorCount',
      acceleratorManufacturerSet: 'AcceleratorManufacturers string[item]',
      acceleratorNameSet: 'AcceleratorNames string[item]',
      acceleratorTotalMemoryMiB: 'AcceleratorTotalMemoryMiB AcceleratorTotalMemoryMiB',
      networkBandwidthGbps: 'NetworkBandwidthGbps NetworkBandwidthGbps',
      allowedInstanceTypeSet: 'AllowedInstanceTypes string[item]',
      maxSpotPriceAsPercentageOfOptimalOnDemandPrice: 'MaxSpotPriceAsPercentageOfOptimalOnDemandPrice number',
      baselinePerformanceFactors: 'BaselinePerformanceFactors BaselinePerformanceFactors',
      requireEncryptionInTransit: 'RequireEncryptionInTransit boolean'
    },
    InstanceSecondaryInterface: {
      attachment: 'Attachment InstanceSecondaryInterfaceAttachment',
      macAddress: 'MacAddress string',
      secondaryInterfaceId: 'SecondaryInterfaceId string',
      ownerId: 'OwnerId string',
      privateIpAddressSet: 'PrivateIpAddresses InstanceSecondaryInterfacePrivateIpAddress[item]',
      sourceDestCheck: 'SourceDestCheck boolean',
      status: 'Status string',
      secondarySubnetId: 'SecondarySubnetId string',
      secondaryNetworkId: 'SecondaryNetworkId string',
      interfaceType: 'InterfaceType string'
    },
    InstanceSecondaryInterfaceAttachment: {
      attachTime: 'AttachTime timestamp',
      attachmentId: 'AttachmentId string',
      deleteOnTermination: 'DeleteOnTermination boolean',
      deviceIndex: 'DeviceIndex number',
      status: 'Status string',
      networkCardIndex: 'NetworkCardIndex number'
    },
    InstanceSecondaryInterfacePrivateIpAddress: {
      privateIpAddress: 'PrivateIpAddress string'
    },
    InstanceState: {
      code: 'Code number',
      name: 'Name string'
    },
    InstanceStateChange: {
      instanceId: 'InstanceId string',
      currentState: 'CurrentState InstanceState',
      previousState: 'PreviousState InstanceState'
    },
    InstanceStatus: {
      instanceId: 'InstanceId string',
      availabilityZone: 'AvailabilityZone string',
      instanceState: 'InstanceState InstanceState',
      systemStatus: 'SystemStatus InstanceStatusSummary',
      instanceStatus: 'InstanceStatus InstanceStatusSummary',
      eventsSet: 'Events InstanceStatusEvent[item]',
      availabilityZoneId: 'AvailabilityZoneId string',
      outpostArn: 'OutpostArn string',
      operator: 'Operator OperatorResponse',
      attachedEbsStatus: 'AttachedEbsStatus EbsStatusSummary',
      applicationStatus: 'ApplicationStatus ApplicationStatusSummary',
      performanceStatus: 'PerformanceStatus PerformanceStatusSummary'
    },
    InstanceStatusDetails: {
      name: 'Name string',
      status: 'Status string',
      impairedSince: 'ImpairedSince timestamp'
    },
    InstanceStatusEvent: {
      instanceEventId: 'InstanceEventId string',
      code: 'Code string',
      description: 'Description string',
      notBefore: 'NotBefore timestamp',
      notAfter: 'NotAfter timestamp',
      notBeforeDeadline: 'NotBeforeDeadline timestamp'
    },
    InstanceStatusSummary: {
      status: 'Status string',
      details: 'Details InstanceStatusDetails[item]'
    },
    InstanceStorageInfo: {
      totalSizeInGB: 'TotalSizeInGB number',
      disks: 'Disks DiskInfo[item]',
      nvmeSupport: 'NvmeSupport string',
      encryptionSupport: 'EncryptionSupport string'
    },
    InstanceTypeInfo: {
      instanceType: 'InstanceType string',
      currentGeneration: 'CurrentGeneration boolean',
      freeTierEligible: 'FreeTierEligible boolean',
      supportedUsageClasses: 'SupportedUsageClasses string[item]',
      supportedRootDeviceTypes: 'SupportedRootDeviceTypes string[item]',
      supportedVirtualizationTypes: 'SupportedVirtualizationTypes string[item]',
      bareMetal: 'BareMetal boolean',
      hypervisor: 'Hypervisor string',
      processorInfo: 'ProcessorInfo ProcessorInfo',
      vCpuInfo: 'VCpuInfo VCpuInfo',
      memoryInfo: 'MemoryInfo MemoryInfo',
      instanceStorageSupported: 'InstanceStorageSupported boolean',
      instanceStorageInfo: 'InstanceStorageInfo InstanceStorageInfo',
      ebsInfo: 'EbsInfo EbsInfo',
      networkInfo: 'NetworkInfo NetworkInfo',
      gpuInfo: 'GpuInfo GpuInfo',
      fpgaInfo: 'FpgaInfo FpgaInfo',
      placementGroupInfo: 'PlacementGroupInfo PlacementGroupInfo',
      inferenceAcceleratorInfo: 'InferenceAcceleratorInfo InferenceAcceleratorInfo',
      hibernationSupported: 'HibernationSupported boolean',
      burstablePerformanceSupported: 'BurstablePerformanceSupported boolean',
      dedicatedHostsSupported: 'DedicatedHostsSupported boolean',
      autoRecoverySupported: 'AutoRecoverySupported boolean',
      supportedBootModes: 'SupportedBootModes string[item]',
      nitroEnclavesSupport: 'NitroEnclavesSupport string',
      nitroTpmSupport: 'NitroTpmSupport string',
      nitroTpmInfo: 'NitroTpmInfo NitroTpmInfo',
      mediaAcceleratorInfo: 'MediaAcceleratorInfo MediaAcceleratorInfo',
      neuronInfo: 'NeuronInfo NeuronInfo',
      phcSupport: 'PhcSupport string',
      rebootMigrationSupport: 'RebootMigrationSupport string',
      supportedInRegion: 'SupportedInRegion boolean'
    },
    InstanceTypeItem: {
      instanceType: 'InstanceType string'
    },
    InstanceTypeOffering: {
      instanceType: 'InstanceType string',
      locationType: 'LocationType string',
      location: 'Location string'
    },
    InstanceTypeSpecification: {
      supportedInstanceTypeSet: 'SupportedInstanceTypes InstanceTypeItem[item]',
      unsupportedInstanceTypeSet: 'UnsupportedInstanceTypes InstanceTypeItem[item]'
    },
    InternetGateway: {
      internetGatewayId: 'InternetGatewayId string',
      attachmentSet: 'Attachments InternetGatewayAttachment[item]',
      tagSet: 'Tags Tag[item]',
      ownerId: 'OwnerId string'
    },
    InternetGatewayAttachment: {
      vpcId: 'VpcId string',
      state: 'State string'
    },
    IpPermission: {
      ipProtocol: 'IpProtocol string',
      fromPort: 'FromPort number',
      toPort: 'ToPort number',
      groups: 'UserIdGroupPairs UserIdGroupPair[item]',
      ipRanges: 'IpRanges IpRange[item]',
      ipv6Ranges: 'Ipv6Ranges Ipv6Range[item]',
      prefixListIds: 'PrefixListIds PrefixListId[item]'
    },
    IpRange: {
      cidrIp: 'CidrIp string',
      description: 'Description string'
    },
    Ipv4PrefixSpecification: {
      ipv4Prefix: 'Ipv4Prefix string'
    },
    Ipv4PrefixSpecificationResponse: {
      ipv4Prefix: 'Ipv4Prefix string'
    },
    Ipv6CidrBlock: {
      ipv6CidrBlock: 'Ipv6CidrBlock string'
    },
    Ipv6PrefixSpecification: {
      ipv6Prefix: 'Ipv6Prefix string'
    },
    Ipv6PrefixSpecificationResponse: {
      ipv6Prefix: 'Ipv6Prefix string'
    },
    Ipv6Range: {
      cidrIpv6: 'CidrIpv6 string',
      description: 'Description string'
    },
    KeyPair: {
      keyName: 'KeyName string',
      keyFingerprint: 'KeyFingerprint string',
      keyMaterial: 'KeyMaterial string',
      keyPairId: 'KeyPairId string',
      tagSet: 'Tags Tag[item]'
    },
    KeyPairInfo: {
      keyPairId: 'KeyPairId string',
      keyName: 'KeyName string',
      keyFingerprint: 'KeyFingerprint string',
      keyType: 'KeyType string',
      tagSet: 'Tags Tag[item]',
      publicKey: 'PublicKey string',
      createTime: 'CreateTime timestamp'
    },
    LaunchPermission: {
      organizationArn: 'OrganizationArn string',
      organizationalUnitArn: 'OrganizationalUnitArn string',
      userId: 'UserId string',
      group: 'Group string'
    },
    LaunchTemplate: {
      launchTemplateId: 'LaunchTemplateId string',
      launchTemplateName: 'LaunchTemplateName string',
      createTime: 'CreateTime timestamp',
      createdBy: 'CreatedBy string',
      defaultVersionNumber: 'DefaultVersionNumber number',
      latestVersionNumber: 'LatestVersionNumber number',
      tagSet: 'Tags Tag[item]',
      operator: 'Operator OperatorResponse'
    },
    LaunchTemplateBlockDeviceMapping: {
      deviceName: 'DeviceName string',
      virtualName: 'VirtualName string',
      ebs: 'Ebs LaunchTemplateEbsBlockDevice',
      noDevice: 'NoDevice string'
    },
    LaunchTemplateCapacityReservationSpecificationResponse: {
      capacityReservationPreference: 'CapacityReservationPreference string',
      capacityReservationTarget: 'CapacityReservationTarget CapacityReservationTargetResponse'
    },
    LaunchTemplateCpuOptions: {
      coreCount: 'CoreCount number',
      threadsPerCore: 'ThreadsPerCore number',
      amdSevSnp: 'AmdSevSnp string',
      nestedVirtualization: 'NestedVirtualization string'
    },
    LaunchTemplateEbsBlockDevice: {
      encrypted: 'Encrypted boolean',
      deleteOnTermination: 'DeleteOnTermination boolean',
      iops: 'Iops number',
      kmsKeyId: 'KmsKeyId string',
      snapshotId: 'SnapshotId string',
      volumeSize: 'VolumeSize number',
      volumeType: 'VolumeType string',
      throughput: 'Throughput number',
      volumeInitializationRate: 'VolumeInitializationRate number',
      ebsCardIndex: 'EbsCardIndex number'
    },
    LaunchTemplateElasticInferenceAcceleratorResponse: {
      type: 'Type string',
      count: 'Count number'
    },
    LaunchTemplateEnaSrdSpecification: {
      enaSrdEnabled: 'EnaSrdEnabled boolean',
      enaSrdUdpSpecification: 'EnaSrdUdpSpecification LaunchTemplateEnaSrdUdpSpecification'
    },
    LaunchTemplateEnaSrdUdpSpecification: {
      enaSrdUdpEnabled: 'EnaSrdUdpEnabled boolean'
    },
    LaunchTemplateEnclaveOptions: {
      enabled: 'Enabled boolean'
    },
    LaunchTemplateHibernationOptions: {
      configured: 'Configured boolean'
    },
    LaunchTemplateIamInstanceProfileSpecification: {
      arn: 'Arn string',
      name: 'Name string'
    },
    LaunchTemplateInstanceMaintenanceOptions: {
      autoRecovery: 'AutoRecovery string'
    },
    LaunchTemplateInstanceMarketOptions: {
      marketType: 'MarketType string',
      spotOptions: 'SpotOptions LaunchTemplateSpotMarketOptions'
    },
    LaunchTemplateInstanceMetadataOptions: {
      state: 'State string',
      httpTokens: 'HttpTokens string',
      httpPutResponseHopLimit: 'HttpPutResponseHopLimit number',
      httpEndpoint: 'HttpEndpoint string',
      httpProtocolIpv6: 'HttpProtocolIpv6 string',
      instanceMetadataTags: 'InstanceMetadataTags string'
    },
    LaunchTemplateInstanceNetworkInterfaceSpecification: {
      associateCarrierIpAddress: 'AssociateCarrierIpAddress boolean',
      associatePublicIpAddress: 'AssociatePublicIpAddress boolean',
      deleteOnTermination: 'DeleteOnTermination boolean',
      description: 'Description string',
      deviceIndex: 'DeviceIndex number',
      groupSet: 'Groups string[groupId]',
      interfaceType: 'InterfaceType string',
      ipv6AddressCount: 'Ipv6AddressCount number',
      ipv6AddressesSet: 'Ipv6Addresses InstanceIpv6Address[item]',
      networkInterfaceId: 'NetworkInterfaceId string',
      privateIpAddress: 'PrivateIpAddress string',
      privateIpAddressesSet: 'PrivateIpAddresses PrivateIpAddressSpecification[item]',
      secondaryPrivateIpAddressCount: 'SecondaryPrivateIpAddressCount number',
      subnetId: 'SubnetId string',
      networkCardIndex: 'NetworkCardIndex number',
      ipv4PrefixSet: 'Ipv4Prefixes Ipv4PrefixSpecificationResponse[item]',
      ipv4PrefixCount: 'Ipv4PrefixCount number',
      ipv6PrefixSet: 'Ipv6Prefixes Ipv6PrefixSpecificationResponse[item]',
      ipv6PrefixCount: 'Ipv6PrefixCount number',
      primaryIpv6: 'PrimaryIpv6 boolean',
      enaSrdSpecification: 'EnaSrdSpecification LaunchTemplateEnaSrdSpecification',
      connectionTrackingSpecification: 'ConnectionTrackingSpecification ConnectionTrackingSpecification',
      enaQueueCount: 'EnaQueueCount number'
    },
    LaunchTemplateInstanceSecondaryInterfaceSpecification: {
      deleteOnTermination: 'DeleteOnTermination boolean',
      deviceIndex: 'DeviceIndex number',
      privateIpAddressesSet: 'PrivateIpAddresses SecondaryInterfacePrivateIpAddressSpecification[item]',
      privateIpAddressCount: 'PrivateIpAddressCount number',
      secondarySubnetId: 'SecondarySubnetId string',
      interfaceType: 'InterfaceType string',
      networkCardIndex: 'NetworkCardIndex number'
    },
    LaunchTemplateLicenseConfiguration: {
      licenseConfigurationArn: 'LicenseConfigurationArn string'
    },
    LaunchTemplateNetworkPerformanceOptions: {
      bandwidthWeighting: 'BandwidthWeighting string'
    },
    LaunchTemplatePlacement: {
      availabilityZone: 'AvailabilityZone string',
      availabilityZoneId: 'AvailabilityZoneId string',
      affinity: 'Affinity string',
      groupName: 'GroupName string',
      hostId: 'HostId string',
      tenancy: 'Tenancy string',
      spreadDomain: 'SpreadDomain string',
      hostResourceGroupArn: 'HostResourceGroupArn string',
      partitionNumber: 'PartitionNumber number',
      groupId: 'GroupId string'
    },
    LaunchTemplatePrivateDnsNameOptions: {
      hostnameType: 'HostnameType string',
      enableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      enableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    LaunchTemplateSpotMarketOptions: {
      maxPrice: 'MaxPrice string',
      spotInstanceType: 'SpotInstanceType string',
      blockDurationMinutes: 'BlockDurationMinutes number',
      validUntil: 'ValidUntil timestamp',
      instanceInterruptionBehavior: 'InstanceInterruptionBehavior string'
    },
    LaunchTemplateTagSpecification: {
      resourceType: 'ResourceType string',
      tagSet: 'Tags Tag[item]'
    },
    LaunchTemplateVersion: {
      launchTemplateId: 'LaunchTemplateId string',
      launchTemplateName: 'LaunchTemplateName string',
      versionNumber: 'VersionNumber number',
      versionDescription: 'VersionDescription string',
      createTime: 'CreateTime timestamp',
      createdBy: 'CreatedBy string',
      defaultVersion: 'DefaultVersion boolean',
      launchTemplateData: 'LaunchTemplateData ResponseLaunchTemplateData',
      operator: 'Operator OperatorResponse'
    },
    LaunchTemplatesMonitoring: {
      enabled: 'Enabled boolean',
      metricCategoryIdSet: 'MetricCategoryIds string[item]'
    },
    LicenseConfiguration: {
      licenseConfigurationArn: 'LicenseConfigurationArn string'
    },
    ListImagesInRecycleBinResult: {
      imageSet: 'Images Nothing[item]',
      nextToken: 'NextToken string'
    },
    ListSnapshotsInRecycleBinResult: {
      snapshotSet: 'Snapshots Nothing[item]',
      nextToken: 'NextToken string'
    },
    ManagedPrefixList: {
      prefixListId: 'PrefixListId string',
      addressFamily: 'AddressFamily string',
      state: 'State string',
      stateMessage: 'StateMessage string',
      prefixListArn: 'PrefixListArn string',
      prefixListName: 'PrefixListName string',
      maxEntries: 'MaxEntries number',
      version: 'Version number',
      tagSet: 'Tags Tag[item]',
      ownerId: 'OwnerId string',
      ipamPrefixListResolverTargetId: 'IpamPrefixListResolverTargetId string',
      ipamPrefixListResolverSyncEnabled: 'IpamPrefixListResolverSyncEnabled boolean'
    },
    MediaAcceleratorInfo: {
      accelerators: 'Accelerators MediaDeviceInfo[item]',
      totalMediaMemoryInMiB: 'TotalMediaMemoryInMiB number'
    },
    MediaDeviceInfo: {
      count: 'Count number',
      name: 'Name string',
      manufacturer: 'Manufacturer string',
      memoryInfo: 'MemoryInfo MediaDeviceMemoryInfo'
    },
    MediaDeviceMemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    MemoryGiBPerVCpu: {
      min: 'Min number',
      max: 'Max number'
    },
    MemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    MemoryMiB: {
      min: 'Min number',
      max: 'Max number'
    },
    ModifyAddressAttributeResult: {
      address: 'Address AddressAttribute'
    },
    ModifyInstanceCapacityReservationAttributesResult: {
      return: 'Return boolean'
    },
    ModifyInstanceEventStartTimeResult: {
      event: 'Event InstanceStatusEvent'
    },
    ModifyInstanceMaintenanceOptionsResult: {
      instanceId: 'InstanceId string',
      autoRecovery: 'AutoRecovery string',
      rebootMigration: 'RebootMigration string'
    },
    ModifyInstanceMetadataDefaultsResult: {
      return: 'Return boolean'
    },
    ModifyInstanceMetadataOptionsResult: {
      instanceId: 'InstanceId string',
      instanceMetadataOptions: 'InstanceMetadataOptions InstanceMetadataOptionsResponse'
    },
    ModifyInstancePlacementResult: {
      return: 'Return boolean'
    },
    ModifyLaunchTemplateResult: {
      launchTemplate: 'LaunchTemplate LaunchTemplate'
    },
    ModifyManagedPrefixListResult: {
      prefixList: 'PrefixList ManagedPrefixList'
    },
    ModifyPrivateDnsNameOptionsResult: {
      return: 'Return boolean'
    },
    ModifySecurityGroupRulesResult: {
      return: 'Return boolean'
    },
    ModifyVpcPeeringConnectionOptionsResult: {
      accepterPeeringConnectionOptions: 'AccepterPeeringConnectionOptions PeeringConnectionOptions',
      requesterPeeringConnectionOptions: 'RequesterPeeringConnectionOptions PeeringConnectionOptions'
    },
    MonitorInstancesResult: {
      instancesSet: 'InstanceMonitorings InstanceMonitoring[item]'
    },
    Monitoring: {
      state: 'State string',
      metricCategoryIdSet: 'MetricCategoryIds string[item]'
    },
    NatGateway: {
      createTime: 'CreateTime timestamp',
      deleteTime: 'DeleteTime timestamp',
      failureCode: 'FailureCode string',
      failureMessage: 'FailureMessage string',
      natGatewayAddressSet: 'NatGatewayAddresses NatGatewayAddress[item]',
      natGatewayId: 'NatGatewayId string',
      provisionedBandwidth: 'ProvisionedBandwidth ProvisionedBandwidth',
      state: 'State string',
      subnetId: 'SubnetId string',
      vpcId: 'VpcId string',
      tagSet: 'Tags Tag[item]',
      connectivityType: 'ConnectivityType string',
      availabilityMode: 'AvailabilityMode string',
      autoScalingIps: 'AutoScalingIps string',
      autoProvisionZones: 'AutoProvisionZones string',
      attachedApplianceSet: 'AttachedAppliances NatGatewayAttachedAppliance[item]',
      routeTableId: 'RouteTableId string'
    },
    NatGatewayAddress: {
      allocationId: 'AllocationId string',
      networkInterfaceId: 'NetworkInterfaceId string',
      privateIp: 'PrivateIp string',
      publicIp: 'PublicIp string',
      associationId: 'AssociationId string',
      isPrimary: 'IsPrimary boolean',
      failureMessage: 'FailureMessage string',
      status: 'Status string',
      availabilityZone: 'AvailabilityZone string',
      availabilityZoneId: 'AvailabilityZoneId string'
    },
    NatGatewayAttachedAppliance: {
      type: 'Type string',
      applianceArn: 'ApplianceArn string',
      vpcEndpointId: 'VpcEndpointId string',
      attachmentState: 'AttachmentState string',
      modificationState: 'ModificationState string',
      failureCode: 'FailureCode string',
      failureMessage: 'FailureMessage string'
    },
    NetworkAcl: {
      networkAclId: 'NetworkAclId string',
      vpcId: 'VpcId string',
      default: 'IsDefault boolean',
      entrySet: 'Entries NetworkAclEntry[item]',
      associationSet: 'Associations NetworkAclAssociation[item]',
      tagSet: 'Tags Tag[item]',
      ownerId: 'OwnerId string'
    },
    NetworkAclAssociation: {
      networkAclAssociationId: 'NetworkAclAssociationId string',
      networkAclId: 'NetworkAclId string',
      subnetId: 'SubnetId string'
    },
    NetworkAclEntry: {
      ruleNumber: 'RuleNumber number',
      protocol: 'Protocol string',
      ruleAction: 'RuleAction string',
      egress: 'Egress boolean',
      cidrBlock: 'CidrBlock string',
      icmpTypeCode: 'IcmpTypeCode IcmpTypeCode',
      ipv6CidrBlock: 'Ipv6CidrBlock string',
      portRange: 'PortRange PortRange'
    },
    NetworkBandwidthGbps: {
      min: 'Min number',
      max: 'Max number'
    },
    NetworkCardInfo: {
      networkCardIndex: 'NetworkCardIndex number',
      networkPerformance: 'NetworkPerformance string',
      maximumNetworkInterfaces: 'MaximumNetworkInterfaces number',
      additionalFlexibleNetworkInterfaces: 'AdditionalFlexibleNetworkInterfaces number',
      baselineBandwidthInGbps: 'BaselineBandwidthInGbps number',
      peakBandwidthInGbps: 'PeakBandwidthInGbps number',
      defaultEnaQueueCountPerInterface: 'DefaultEnaQueueCountPerInterface number',
      maximumEnaQueueCount: 'MaximumEnaQueueCount number',
      maximumEnaQueueCountPerInterface: 'MaximumEnaQueueCountPerInterface number',
      interfaceTypeSet: 'InterfaceTypes string[item]'
    },
    NetworkInfo: {
      networkPerformance: 'NetworkPerformance string',
      maximumNetworkInterfaces: 'MaximumNetworkInterfaces number',
      maximumNetworkCards: 'MaximumNetworkCards number',
      defaultNetworkCardIndex: 'DefaultNetworkCardIndex number',
      networkCards: 'NetworkCards NetworkCardInfo[item]',
      ipv4AddressesPerInterface: 'Ipv4AddressesPerInterface number',
      ipv6AddressesPerInterface: 'Ipv6AddressesPerInterface number',
      ipv6Supported: 'Ipv6Supported boolean',
      enaSupport: 'EnaSupport string',
      efaSupported: 'EfaSupported boolean',
      efaInfo: 'EfaInfo EfaInfo',
      encryptionInTransitSupported: 'EncryptionInTransitSupported boolean',
      enaSrdSupported: 'EnaSrdSupported boolean',
      bandwidthWeightings: 'BandwidthWeightings string[item]',
      flexibleEnaQueuesSupport: 'FlexibleEnaQueuesSupport string',
      connectionTrackingConfiguration: 'ConnectionTrackingConfiguration DefaultConnectionTrackingConfiguration',
      secondaryNetworkSupported: 'SecondaryNetworkSupported boolean',
      maximumSecondaryNetworkInterfaces: 'MaximumSecondaryNetworkInterfaces number',
      ipv4AddressesPerSecondaryInterface: 'Ipv4AddressesPerSecondaryInterface number'
    },
    NetworkInterface: {
      networkInterfaceId: 'NetworkInterfaceId string',
      subnetId: 'SubnetId string',
      vpcId: 'VpcId string',
      availabilityZone: 'AvailabilityZone string',
      description: 'Description string',
      ownerId: 'OwnerId string',
      requesterId: 'RequesterId string',
      requesterManaged: 'RequesterManaged boolean',
      status: 'Status string',
      macAddress: 'MacAddress string',
      privateIpAddress: 'PrivateIpAddress string',
      privateDnsName: 'PrivateDnsName string',
      sourceDestCheck: 'SourceDestCheck boolean',
      groupSet: 'Groups GroupIdentifier[item]',
      attachment: 'Attachment NetworkInterfaceAttachment',
      association: 'Association NetworkInterfaceAssociation',
      tagSet: 'TagSet Tag[item]',
      privateIpAddressesSet: 'PrivateIpAddresses NetworkInterfacePrivateIpAddress[item]',
      ipv6AddressesSet: 'Ipv6Addresses NetworkInterfaceIpv6Address[item]',
      connectionTrackingConfiguration: 'ConnectionTrackingConfiguration ConnectionTrackingConfiguration',
      interfaceType: 'InterfaceType string',
      outpostArn: 'OutpostArn string',
      publicDnsName: 'PublicDnsName string',
      publicIpDnsNameOptions: 'PublicIpDnsNameOptions PublicIpDnsNameOptions',
      ipv4PrefixSet: 'Ipv4Prefixes Ipv4PrefixSpecification[item]',
      ipv6PrefixSet: 'Ipv6Prefixes Ipv6PrefixSpecification[item]',
      denyAllIgwTraffic: 'DenyAllIgwTraffic boolean',
      ipv6Native: 'Ipv6Native boolean',
      ipv6Address: 'Ipv6Address string',
      operator: 'Operator OperatorResponse',
      associatedSubnetSet: 'AssociatedSubnets string[item]',
      availabilityZoneId: 'AvailabilityZoneId string'
    },
    NetworkInterfaceAssociation: {
      publicIp: 'PublicIp string',
      publicDnsName: 'PublicDnsName string',
      ipOwnerId: 'IpOwnerId string',
      allocationId: 'AllocationId string',
      associationId: 'AssociationId string',
      customerOwnedIp: 'CustomerOwnedIp string',
      carrierIp: 'CarrierIp string'
    },
    NetworkInterfaceAttachment: {
      attachmentId: 'AttachmentId string',
      instanceId: 'InstanceId string',
      instanceOwnerId: 'InstanceOwnerId string',
      deviceIndex: 'DeviceIndex number',
      status: 'Status string',
      attachTime: 'AttachTime timestamp',
      deleteOnTermination: 'DeleteOnTermination boolean',
      networkCardIndex: 'NetworkCardIndex number',
      enaSrdSpecification: 'EnaSrdSpecification AttachmentEnaSrdSpecification',
      enaQueueCount: 'EnaQueueCount number'
    },
    NetworkInterfaceCount: {
      min: 'Min number',
      max: 'Max number'
    },
    NetworkInterfaceIpv6Address: {
      ipv6Address: 'Ipv6Address string',
      publicIpv6DnsName: 'PublicIpv6DnsName string',
      isPrimaryIpv6: 'IsPrimaryIpv6 boolean'
    },
    NetworkInterfacePrivateIpAddress: {
      privateIpAddress: 'PrivateIpAddress string',
      privateDnsName: 'PrivateDnsName string',
      primary: 'Primary boolean',
      association: 'Association NetworkInterfaceAssociation'
    },
    NeuronDeviceCoreInfo: {
      count: 'Count number',
      version: 'Version number'
    },
    NeuronDeviceInfo: {
      count: 'Count number',
      name: 'Name string',
      coreInfo: 'CoreInfo NeuronDeviceCoreInfo',
      memoryInfo: 'MemoryInfo NeuronDeviceMemoryInfo'
    },
    NeuronDeviceMemoryInfo: {
      sizeInMiB: 'SizeInMiB number'
    },
    NeuronInfo: {
      neuronDevices: 'NeuronDevices NeuronDeviceInfo[item]',
      totalNeuronDeviceMemoryInMiB: 'TotalNeuronDeviceMemoryInMiB number'
    },
    NitroTpmInfo: {
      supportedVersions: 'SupportedVersions string[item]'
    },
    Nothing: {},
    OperatorResponse: {
      managed: 'Managed boolean',
      principal: 'Principal string',
      hiddenByDefault: 'HiddenByDefault boolean'
    },
    PeeringConnectionOptions: {
      allowDnsResolutionFromRemoteVpc: 'AllowDnsResolutionFromRemoteVpc boolean',
      allowEgressFromLocalClassicLinkToRemoteVpc: 'AllowEgressFromLocalClassicLinkToRemoteVpc boolean',
      allowEgressFromLocalVpcToRemoteClassicLink: 'AllowEgressFromLocalVpcToRemoteClassicLink boolean'
    },
    PerformanceFactorReference: {
      instanceFamily: 'InstanceFamily string'
    },
    PerformanceStatusSummary: {
      status: 'Status string',
      impairedSince: 'ImpairedSince timestamp',
      remediation: 'Remediation string'
    },
    Placement: {
      availabilityZone: 'AvailabilityZone string',
      affinity: 'Affinity string',
      groupName: 'GroupName string',
      hostId: 'HostId string',
      tenancy: 'Tenancy string',
      availabilityZoneId: 'AvailabilityZoneId string',
      partitionNumber: 'PartitionNumber number',
      spreadDomain: 'SpreadDomain string',
      hostResourceGroupArn: 'HostResourceGroupArn string',
      groupId: 'GroupId string'
    },
    PlacementGroup: {
      groupName: 'GroupName string',
      state: 'State string',
      strategy: 'Strategy string',
      partitionCount: 'PartitionCount number',
      groupId: 'GroupId string',
      tagSet: 'Tags Tag[item]',
      groupArn: 'GroupArn string',
      spreadLevel: 'SpreadLevel string',
      linkedGroupId: 'LinkedGroupId string',
      operator: 'Operator OperatorResponse',
      parentGroupId: 'ParentGroupId string'
    },
    PlacementGroupInfo: {
      supportedStrategies: 'SupportedStrategies string[item]'
    },
    PortRange: {
      from: 'From number',
      to: 'To number'
    },
    PrefixListAssociation: {
      resourceId: 'ResourceId string',
      resourceOwner: 'ResourceOwner string'
    },
    PrefixListEntry: {
      cidr: 'Cidr string',
      description: 'Description string'
    },
    PrefixListId: {
      prefixListId: 'PrefixListId string',
      description: 'Description string'
    },
    PrivateDnsNameOptionsOnLaunch: {
      hostnameType: 'HostnameType string',
      enableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      enableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    PrivateDnsNameOptionsResponse: {
      hostnameType: 'HostnameType string',
      enableResourceNameDnsARecord: 'EnableResourceNameDnsARecord boolean',
      enableResourceNameDnsAAAARecord: 'EnableResourceNameDnsAAAARecord boolean'
    },
    PrivateIpAddressSpecification: {
      primary: 'Primary boolean',
      privateIpAddress: 'PrivateIpAddress string'
    },
    ProcessorInfo: {
      supportedArchitectures: 'SupportedArchitectures string[item]',
      sustainedClockSpeedInGhz: 'SustainedClockSpeedInGhz number',
      supportedFeatures: 'SupportedFeatures string[item]',
      manufacturer: 'Manufacturer string'
    },
    ProductCode: {
      productCode: 'ProductCodeId string',
      type: 'ProductCodeType string'
    },
    PropagatingVgw: {
      gatewayId: 'GatewayId string'
    },
    ProvisionedBandwidth: {
      provisionTime: 'ProvisionTime timestamp',
      provisioned: 'Provisioned string',
      requestTime: 'RequestTime timestamp',
      requested: 'Requested string',
      status: 'Status string'
    },
    PtrUpdateStatus: {
      value: 'Value string',
      status: 'Status string',
      reason: 'Reason string'
    },
    PublicIpDnsNameOptions: {
      dnsHostnameType: 'DnsHostnameType string',
      publicIpv4DnsName: 'PublicIpv4DnsName string',
      publicIpv6DnsName: 'PublicIpv6DnsName string',
      publicDualStackDnsName: 'PublicDualStackDnsName string'
    },
    PublicIpv4Pool: {
      poolId: 'PoolId string',
      description: 'Description string',
      poolAddressRangeSet: 'PoolAddressRanges PublicIpv4PoolRange[item]',
      totalAddressCount: 'TotalAddressCount number',
      totalAvailableAddressCount: 'TotalAvailableAddressCount number',
      networkBorderGroup: 'NetworkBorderGroup string',
      tagSet: 'Tags Tag[item]'
    },
    PublicIpv4PoolRange: {
      firstAddress: 'FirstAddress string',
      lastAddress: 'LastAddress string',
      addressCount: 'AddressCount number',
      availableAddressCount: 'AvailableAddressCount number'
    },
    ReferencedSecurityGroup: {
      groupId: 'GroupId string',
      peeringStatus: 'PeeringStatus string',
      userId: 'UserId string',
      vpcId: 'VpcId string',
      vpcPeeringConnectionId: 'VpcPeeringConnectionId string'
    },
    Region: {
      regionName: 'RegionName string',
      regionEndpoint: 'Endpoint string',
      optInStatus: 'OptInStatus string',
      geographySet: 'Geography RegionGeography[item]'
    },
    RegionGeography: {
      name: 'Name string'
    },
    RegisterImageResult: {
      imageId: 'ImageId string'
    },
    RejectVpcPeeringConnectionResult: {
      return: 'Return boolean'
    },
    ReplaceIamInstanceProfileAssociationResult: {
      iamInstanceProfileAssociation: 'IamInstanceProfileAssociation IamInstanceProfileAssociation'
    },
    ReplaceNetworkAclAssociationResult: {
      newAssociationId: 'NewAssociationId string'
    },
    ReplaceRouteTableAssociationResult: {
      newAssociationId: 'NewAssociationId string',
      associationState: 'AssociationState RouteTableAssociationState'
    },
    Reservation: {
      reservationId: 'ReservationId string',
      ownerId: 'OwnerId string',
      groupSet: 'Groups GroupIdentifier[item]',
      instancesSet: 'Instances Instance[item]',
      requesterId: 'RequesterId string'
    },
    ResetAddressAttributeResult: {
      address: 'Address AddressAttribute'
    },
    ResponseError: {
      code: 'Code string',
      message: 'Message string'
    },
    ResponseLaunchTemplateData: {
      kernelId: 'KernelId string',
      ebsOptimized: 'EbsOptimized boolean',
      iamInstanceProfile: 'IamInstanceProfile LaunchTemplateIamInstanceProfileSpecification',
      blockDeviceMappingSet: 'BlockDeviceMappings LaunchTemplateBlockDeviceMapping[item]',
      networkInterfaceSet: 'NetworkInterfaces LaunchTemplateInstanceNetworkInterfaceSpecification[item]',
      imageId: 'ImageId string',
      instanceType: 'InstanceType string',
      keyName: 'KeyName string',
      monitoring: 'Monitoring LaunchTemplatesMonitoring',
      placement: 'Placement LaunchTemplatePlacement',
      ramDiskId: 'RamDiskId string',
      disableApiTermination: 'DisableApiTermination boolean',
      instanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior string',
      userData: 'UserData string',
      tagSpecificationSet: 'TagSpecifications LaunchTemplateTagSpecification[item]',
      elasticGpuSpecificationSet: 'ElasticGpuSpecifications ElasticGpuSpecificationResponse[item]',
      elasticInferenceAcceleratorSet: 'ElasticInferenceAccelerators LaunchTemplateElasticInferenceAcceleratorResponse[item]',
      securityGroupIdSet: 'SecurityGroupIds string[item]',
      securityGroupSet: 'SecurityGroups string[item]',
      instanceMarketOptions: 'InstanceMarketOptions LaunchTemplateInstanceMarketOptions',
      creditSpecification: 'CreditSpecification CreditSpecification',
      cpuOptions: 'CpuOptions LaunchTemplateCpuOptions',
      capacityReservationSpecification: 'CapacityReservationSpecification LaunchTemplateCapacityReservationSpecificationResponse',
      licenseSet: 'LicenseSpecifications LaunchTemplateLicenseConfiguration[item]',
      hibernationOptions: 'HibernationOptions LaunchTemplateHibernationOptions',
      metadataOptions: 'MetadataOptions LaunchTemplateInstanceMetadataOptions',
      enclaveOptions: 'EnclaveOptions LaunchTemplateEnclaveOptions',
      instanceRequirements: 'InstanceRequirements InstanceRequirements',
      privateDnsNameOptions: 'PrivateDnsNameOptions LaunchTemplatePrivateDnsNameOptions',
      maintenanceOptions: 'MaintenanceOptions LaunchTemplateInstanceMaintenanceOptions',
      disableApiStop: 'DisableApiStop boolean',
      operator: 'Operator OperatorResponse',
      networkPerformanceOptions: 'NetworkPerformanceOptions LaunchTemplateNetworkPerformanceOptions',
      secondaryInterfaceSet: 'SecondaryInterfaces LaunchTemplateInstanceSecondaryInterfaceSpecification[item]'
    },
    RestoreManagedPrefixListVersionResult: {
      prefixList: 'PrefixList ManagedPrefixList'
    },
    RevokeSecurityGroupEgressResult: {
      return: 'Return boolean',
      unknownIpPermissionSet: 'UnknownIpPermissions IpPermission[item]',
      revokedSecurityGroupRuleSet: 'RevokedSecurityGroupRules RevokedSecurityGroupRule[item]'
    },
    RevokeSecurityGroupIngressResult: {
      return: 'Return boolean',
      unknownIpPermissionSet: 'UnknownIpPermissions IpPermission[item]',
      revokedSecurityGroupRuleSet: 'RevokedSecurityGroupRules RevokedSecurityGroupRule[item]'
    },
    RevokedSecurityGroupRule: {
      securityGroupRuleId: 'SecurityGroupRuleId string',
      groupId: 'GroupId string',
      isEgress: 'IsEgress boolean',
      ipProtocol: 'IpProtocol string',
      fromPort: 'FromPort number',
      toPort: 'ToPort number',
      cidrIpv4: 'CidrIpv4 string',
      cidrIpv6: 'CidrIpv6 string',
      prefixListId: 'PrefixListId string',
      referencedGroupId: 'ReferencedGroupId string',
      description: 'Description string'
    },
    Route: {
      destinationCidrBlock: 'DestinationCidrBlock string',
      gatewayId: 'GatewayId string',
      state: 'State string',
      origin: 'Origin string',
      destinationIpv6CidrBlock: 'DestinationIpv6CidrBlock string',
      destinationPrefixListId: 'DestinationPrefixListId string',
      egressOnlyInternetGatewayId: 'EgressOnlyInternetGatewayId string',
      instanceId: 'InstanceId string',
      instanceOwnerId: 'InstanceOwnerId string',
      natGatewayId: 'NatGatewayId string',
      transitGatewayId: 'TransitGatewayId string',
      localGatewayId: 'LocalGatewayId string',
      carrierGatewayId: 'CarrierGatewayId string',
      networkInterfaceId: 'NetworkInterfaceId string',
      vpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      coreNetworkArn: 'CoreNetworkArn string',
      odbNetworkArn: 'OdbNetworkArn string',
      ipAddress: 'IpAddress string'
    },
    RouteTable: {
      routeTableId: 'RouteTableId string',
      vpcId: 'VpcId string',
      routeSet: 'Routes Route[item]',
      associationSet: 'Associations RouteTableAssociation[item]',
      propagatingVgwSet: 'PropagatingVgws PropagatingVgw[item]',
      tagSet: 'Tags Tag[item]',
      ownerId: 'OwnerId string'
    },
    RouteTableAssociation: {
      routeTableAssociationId: 'RouteTableAssociationId string',
      routeTableId: 'RouteTableId string',
      main: 'Main boolean',
      subnetId: 'SubnetId string',
      gatewayId: 'GatewayId string',
      publicIpv4Pool: 'PublicIpv4Pool string',
      associationState: 'AssociationState RouteTableAssociationState'
    },
    RouteTableAssociationState: {
      state: 'State string',
      statusMessage: 'StatusMessage string'
    },
    ScanResultCondition: {
      maxDaysSinceLastFindingScan: 'MaxDaysSinceLastFindingScan number',
      maximumSeverityLabel: 'MaximumSeverityLabel string',
      maxDaysSinceInformationalFixAvailable: 'MaxDaysSinceInformationalFixAvailable number',
      maxDaysSinceLowFixAvailable: 'MaxDaysSinceLowFixAvailable number',
      maxDaysSinceMediumFixAvailable: 'MaxDaysSinceMediumFixAvailable number',
      maxDaysSinceHighFixAvailable: 'MaxDaysSinceHighFixAvailable number',
      maxDaysSinceCriticalFixAvailable: 'MaxDaysSinceCriticalFixAvailable number'
    },
    ScanResults: {
      highestFindingSeverityLabel: 'HighestFindingSeverityLabel string',
      findingScanDate: 'FindingScanDate timestamp',
      informationalFixAvailableSince: 'InformationalFixAvailableSince timestamp',
      lowFixAvailableSince: 'LowFixAvailableSince timestamp',
      mediumFixAvailableSince: 'MediumFixAvailableSince timestamp',
      highFixAvailableSince: 'HighFixAvailableSince timestamp',
      criticalFixAvailableSince: 'CriticalFixAvailableSince timestamp'
    },
    SecondaryInterfacePrivateIpAddressSpecification: {
      privateIpAddress: 'PrivateIpAddress string'
    },
    SecurityGroup: {
      ownerId: 'OwnerId string',
      groupId: 'GroupId string',
      groupName: 'GroupName string',
      groupDescription: 'Description string',
      vpcId: 'VpcId string',
      ipPermissions: 'IpPermissions IpPermission[item]',
      ipPermissionsEgress: 'IpPermissionsEgress IpPermission[item]',
      tagSet: 'Tags Tag[item]',
      securityGroupArn: 'SecurityGroupArn string'
    },
    SecurityGroupForVpc: {
      description: 'Description string',
      groupName: 'GroupName string',
      ownerId: 'OwnerId string',
      groupId: 'GroupId string',
      tagSet: 'Tags Tag[item]',
      primaryVpcId: 'PrimaryVpcId string'
    },
    SecurityGroupReference: {
      groupId: 'GroupId string',
      referencingVpcId: 'ReferencingVpcId string',
      vpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      transitGatewayId: 'TransitGatewayId string'
    },
    SecurityGroupRule: {
      securityGroupRuleId: 'SecurityGroupRuleId string',
      groupId: 'GroupId string',
      groupOwnerId: 'GroupOwnerId string',
      isEgress: 'IsEgress boolean',
      ipProtocol: 'IpProtocol string',
      fromPort: 'FromPort number',
      toPort: 'ToPort number',
      cidrIpv4: 'CidrIpv4 string',
      cidrIpv6: 'CidrIpv6 string',
      prefixListId: 'PrefixListId string',
      referencedGroupInfo: 'ReferencedGroupInfo ReferencedSecurityGroup',
      description: 'Description string',
      tagSet: 'Tags Tag[item]',
      securityGroupRuleArn: 'SecurityGroupRuleArn string'
    },
    SpotDatafeedSubscription: {
      bucket: 'Bucket string',
      fault: 'Fault SpotInstanceStateFault',
      ownerId: 'OwnerId string',
      prefix: 'Prefix string',
      state: 'State string'
    },
    SpotInstanceStateFault: {
      code: 'Code string',
      message: 'Message string'
    },
    StaleIpPermission: {
      fromPort: 'FromPort number',
      ipProtocol: 'IpProtocol string',
      ipRanges: 'IpRanges string[item]',
      prefixListIds: 'PrefixListIds string[item]',
      toPort: 'ToPort number',
      groups: 'UserIdGroupPairs UserIdGroupPair[item]'
    },
    StaleSecurityGroup: {
      description: 'Description string',
      groupId: 'GroupId string',
      groupName: 'GroupName string',
      staleIpPermissions: 'StaleIpPermissions StaleIpPermission[item]',
      staleIpPermissionsEgress: 'StaleIpPermissionsEgress StaleIpPermission[item]',
      vpcId: 'VpcId string'
    },
    StartInstancesResult: {
      instancesSet: 'StartingInstances InstanceStateChange[item]'
    },
    StateReason: {
      code: 'Code string',
      message: 'Message string'
    },
    StopInstancesResult: {
      instancesSet: 'StoppingInstances InstanceStateChange[item]'
    },
    Subnet: {
      subnetId: 'SubnetId string',
      subnetArn: 'SubnetArn string',
      state: 'State string',
      ownerId: 'OwnerId string',
      vpcId: 'VpcId string',
      cidrBlock: 'CidrBlock string',
      ipv6CidrBlockAssociationSet: 'Ipv6CidrBlockAssociationSet SubnetIpv6CidrBlockAssociation[item]',
      availableIpAddressCount: 'AvailableIpAddressCount number',
      availabilityZone: 'AvailabilityZone string',
      availabilityZoneId: 'AvailabilityZoneId string',
      defaultForAz: 'DefaultForAz boolean',
      mapPublicIpOnLaunch: 'MapPublicIpOnLaunch boolean',
      assignIpv6AddressOnCreation: 'AssignIpv6AddressOnCreation boolean',
      tagSet: 'Tags Tag[item]',
      enableLniAtDeviceIndex: 'EnableLniAtDeviceIndex number',
      mapCustomerOwnedIpOnLaunch: 'MapCustomerOwnedIpOnLaunch boolean',
      customerOwnedIpv4Pool: 'CustomerOwnedIpv4Pool string',
      outpostArn: 'OutpostArn string',
      enableDns64: 'EnableDns64 boolean',
      ipv6Native: 'Ipv6Native boolean',
      privateDnsNameOptionsOnLaunch: 'PrivateDnsNameOptionsOnLaunch PrivateDnsNameOptionsOnLaunch',
      blockPublicAccessStates: 'BlockPublicAccessStates BlockPublicAccessStates',
      type: 'Type string'
    },
    SubnetCidrBlockState: {
      state: 'State string',
      statusMessage: 'StatusMessage string'
    },
    SubnetCidrReservation: {
      subnetCidrReservationId: 'SubnetCidrReservationId string',
      subnetId: 'SubnetId string',
      cidr: 'Cidr string',
      reservationType: 'ReservationType string',
      ownerId: 'OwnerId string',
      description: 'Description string',
      tagSet: 'Tags Tag[item]'
    },
    SubnetIpv6CidrBlockAssociation: {
      associationId: 'AssociationId string',
      ipv6CidrBlock: 'Ipv6CidrBlock string',
      ipv6CidrBlockState: 'Ipv6CidrBlockState SubnetCidrBlockState',
      ipv6AddressAttribute: 'Ipv6AddressAttribute string',
      ipSource: 'IpSource string'
    },
    Tag: {
      key: 'Key string',
      value: 'Value string'
    },
    TagDescription: {
      resourceId: 'ResourceId string',
      resourceType: 'ResourceType string',
      key: 'Key string',
      value: 'Value string'
    },
    TagFieldSpecificationResponse: {
      resourceType: 'ResourceType string',
      tagKeySet: 'TagKeys string[item]'
    },
    TerminateInstancesResult: {
      instancesSet: 'TerminatingInstances InstanceStateChange[item]'
    },
    TotalLocalStorageGB: {
      min: 'Min number',
      max: 'Max number'
    },
    UnmonitorInstancesResult: {
      instancesSet: 'InstanceMonitorings InstanceMonitoring[item]'
    },
    UnsuccessfulItem: {
      error: 'Error UnsuccessfulItemError',
      resourceId: 'ResourceId string'
    },
    UnsuccessfulItemError: {
      code: 'Code string',
      message: 'Message string'
    },
    UpdateSecurityGroupRuleDescriptionsEgressResult: {
      return: 'Return boolean'
    },
    UpdateSecurityGroupRuleDescriptionsIngressResult: {
      return: 'Return boolean'
    },
    UserIdGroupPair: {
      userId: 'UserId string',
      groupId: 'GroupId string',
      groupName: 'GroupName string',
      description: 'Description string',
      vpcId: 'VpcId string',
      vpcPeeringConnectionId: 'VpcPeeringConnectionId string',
      peeringStatus: 'PeeringStatus string'
    },
    VCpuCountRange: {
      min: 'Min number',
      max: 'Max number'
    },
    VCpuInfo: {
      defaultVCpus: 'DefaultVCpus number',
      defaultCores: 'DefaultCores number',
      defaultThreadsPerCore: 'DefaultThreadsPerCore number',
      validCores: 'ValidCores number[item]',
      validThreadsPerCore: 'ValidThreadsPerCore number[item]'
    },
    ValidationError: {
      code: 'Code string',
      message: 'Message string'
    },
    ValidationWarning: {
      errorSet: 'Errors ValidationError[item]'
    },
    Volume: {
      volumeId: 'VolumeId string',
      size: 'Size number',
      snapshotId: 'SnapshotId string',
      availabilityZone: 'AvailabilityZone string',
      status: 'State string',
      createTime: 'CreateTime timestamp',
      attachmentSet: 'Attachments VolumeAttachment[item]',
      tagSet: 'Tags Tag[item]',
      volumeType: 'VolumeType string',
      iops: 'Iops number',
      encrypted: 'Encrypted boolean',
      kmsKeyId: 'KmsKeyId string',
      availabilityZoneId: 'AvailabilityZoneId string',
      outpostArn: 'OutpostArn string',
      sourceVolumeId: 'SourceVolumeId string',
      fastRestored: 'FastRestored boolean',
      multiAttachEnabled: 'MultiAttachEnabled boolean',
      throughput: 'Throughput number',
      sseType: 'SseType string',
      operator: 'Operator OperatorResponse',
      volumeInitializationRate: 'VolumeInitializationRate number',
      volumeArn: 'VolumeArn string',
      ownerId: 'OwnerId string'
    },
    VolumeAttachment: {
      volumeId: 'VolumeId string',
      instanceId: 'InstanceId string',
      device: 'Device string',
      status: 'State string',
      attachTime: 'AttachTime timestamp',
      deleteOnTermination: 'DeleteOnTermination boolean',
      associatedResource: 'AssociatedResource string',
      instanceOwningService: 'InstanceOwningService string',
      ebsCardIndex: 'EbsCardIndex number'
    },
    VolumeStatusAction: {
      code: 'Code string',
      description: 'Description string',
      eventId: 'EventId string',
      eventType: 'EventType string'
    },
    VolumeStatusAttachmentStatus: {
      ioPerformance: 'IoPerformance string',
      instanceId: 'InstanceId string'
    },
    VolumeStatusDetails: {
      name: 'Name string',
      status: 'Status string'
    },
    VolumeStatusEvent: {
      description: 'Description string',
      eventId: 'EventId string',
      eventType: 'EventType string',
      notAfter: 'NotAfter timestamp',
      notBefore: 'NotBefore timestamp',
      instanceId: 'InstanceId string'
    },
    VolumeStatusInfo: {
      status: 'Status string',
      details: 'Details VolumeStatusDetails[item]'
    },
    VolumeStatusItem: {
      volumeId: 'VolumeId string',
      availabilityZone: 'AvailabilityZone string',
      volumeStatus: 'VolumeStatus VolumeStatusInfo',
      eventsSet: 'Events VolumeStatusEvent[item]',
      actionsSet: 'Actions VolumeStatusAction[item]',
      outpostArn: 'OutpostArn string',
      attachmentStatuses: 'AttachmentStatuses VolumeStatusAttachmentStatus[item]',
      initializationStatusDetails: 'InitializationStatusDetails InitializationStatusDetails',
      availabilityZoneId: 'AvailabilityZoneId string',
      operator: 'Operator OperatorResponse'
    },
    Vpc: {
      vpcId: 'VpcId string',
      ownerId: 'OwnerId string',
      state: 'State string',
      cidrBlock: 'CidrBlock string',
      cidrBlockAssociationSet: 'CidrBlockAssociationSet VpcCidrBlockAssociation[item]',
      ipv6CidrBlockAssociationSet: 'Ipv6CidrBlockAssociationSet VpcIpv6CidrBlockAssociation[item]',
      dhcpOptionsId: 'DhcpOptionsId string',
      tagSet: 'Tags Tag[item]',
      instanceTenancy: 'InstanceTenancy string',
      isDefault: 'IsDefault boolean',
      encryptionControl: 'EncryptionControl VpcEncryptionControl',
      blockPublicAccessStates: 'BlockPublicAccessStates BlockPublicAccessStates'
    },
    VpcCidrBlockAssociation: {
      cidrBlock: 'CidrBlock string',
      associationId: 'AssociationId string',
      cidrBlockState: 'CidrBlockState VpcCidrBlockState'
    },
    VpcCidrBlockState: {
      state: 'State string',
      statusMessage: 'StatusMessage string'
    },
    VpcClassicLink: {
      vpcId: 'VpcId string',
      classicLinkEnabled: 'ClassicLinkEnabled boolean',
      tagSet: 'Tags Tag[item]'
    },
    VpcEncryptionControl: {
      vpcId: 'VpcId string',
      vpcEncryptionControlId: 'VpcEncryptionControlId string',
      mode: 'Mode string',
      state: 'State string',
      stateMessage: 'StateMessage string',
      resourceExclusions: 'ResourceExclusions VpcEncryptionControlExclusions',
      tagSet: 'Tags Tag[item]'
    },
    VpcEncryptionControlExclusion: {
      state: 'State string',
      stateMessage: 'StateMessage string'
    },
    VpcEncryptionControlExclusions: {
      internetGateway: 'InternetGateway VpcEncryptionControlExclusion',
      egressOnlyInternetGateway: 'EgressOnlyInternetGateway VpcEncryptionControlExclusion',
      natGateway: 'NatGateway VpcEncryptionControlExclusion',
      virtualPrivateGateway: 'VirtualPrivateGateway VpcEncryptionControlExclusion',
      vpcPeering: 'VpcPeering VpcEncryptionControlExclusion',
      lambda: 'Lambda VpcEncryptionControlExclusion',
      vpcLattice: 'VpcLattice VpcEncryptionControlExclusion',
      elasticFileSystem: 'ElasticFileSystem VpcEncryptionControlExclusion',
      globalAccelerator: 'GlobalAccelerator VpcEncryptionControlExclusion',
      apiGatewayV2: 'ApiGatewayV2 VpcEncryptionControlExclusion'
    },
    VpcIpv6CidrBlockAssociation: {
      ipv6CidrBlock: 'Ipv6CidrBlock string',
      associationId: 'AssociationId string',
      ipv6CidrBlockState: 'Ipv6CidrBlockState VpcCidrBlockState',
      networkBorderGroup: 'NetworkBorderGroup string',
      ipv6Pool: 'Ipv6Pool string',
      ipv6AddressAttribute: 'Ipv6AddressAttribute string',
      ipSource: 'IpSource string'
    },
    VpcPeeringConnection: {
      accepterVpcInfo: 'AccepterVpcInfo VpcPeeringConnectionVpcInfo',
      expirationTime: 'ExpirationTime timestamp',
      requesterVpcInfo: 'RequesterVpcInfo VpcPeeringConnectionVpcInfo',
      status: 'Status VpcPeeringConnectionStateReason',
      tagSet: 'Tags Tag[item]',
      vpcPeeringConnectionId: 'VpcPeeringConnectionId string'
    },
    VpcPeeringConnectionOptionsDescription: {
      allowDnsResolutionFromRemoteVpc: 'AllowDnsResolutionFromRemoteVpc boolean',
      allowEgressFromLocalClassicLinkToRemoteVpc: 'AllowEgressFromLocalClassicLinkToRemoteVpc boolean',
      allowEgressFromLocalVpcToRemoteClassicLink: 'AllowEgressFromLocalVpcToRemoteClassicLink boolean'
    },
    VpcPeeringConnectionStateReason: {
      code: 'Code string',
      message: 'Message string'
    },
    VpcPeeringConnectionVpcInfo: {
      cidrBlock: 'CidrBlock string',
      ipv6CidrBlockSet: 'Ipv6CidrBlockSet Ipv6CidrBlock[item]',
      cidrBlockSet: 'CidrBlockSet CidrBlock[item]',
      ownerId: 'OwnerId string',
      peeringOptions: 'PeeringOptions VpcPeeringConnectionOptionsDescription',
      vpcId: 'VpcId string',
      region: 'Region string'
    }
  }
}
