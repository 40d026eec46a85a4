/**
 * Describe actions for resources that Atoll does not have. The answer is an empty list, so that
 * clients which list everything first can continue.
 *
 * Filters are checked as everywhere. A resource that is requested by id or name does not exist, and
 * is refused with that kind's code. All other parameters only restrict the list. An action leaves
 * this table when there is something to show.
 */
import { z } from 'zod'
import { type ErrorCode, refused } from '../../model/errors.ts'
import type { Action, ActionName } from '../action.ts'
import { describe } from '../describe.ts'
import { DOCUMENTED_FILTERS } from '../generated/filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, filterShape, notFound, pagedShape } from '../schemas.ts'

/** Maximum number of results on a page. */
const RESULTS_MAX = 1000

interface AlwaysEmpty {
  readonly action: ActionName
  /** Members of the answer, all of them empty lists. */
  readonly lists: readonly string[]
  /** Parameters that name such resources, and the code for one that does not exist. */
  readonly names: Readonly<Record<string, ErrorCode>>
  /** Whether one of these must be named. Then the answer is always a refusal. */
  readonly isOfOne: boolean
}

function none(
  action: ActionName,
  lists: string | readonly string[],
  names: AlwaysEmpty['names'] = {},
): AlwaysEmpty {
  return { action, lists: typeof lists === 'string' ? [lists] : lists, names, isOfOne: false }
}

function one(...given: Parameters<typeof none>): AlwaysEmpty {
  return { ...none(...given), isOfOne: true }
}

const ADDRESSES: readonly AlwaysEmpty[] = [
  none('DescribeMovingAddresses', 'MovingAddressStatuses', {
    PublicIps: 'InvalidAddress.NotFound',
  }),
  none('DescribeIpv6Pools', 'Ipv6Pools', { PoolIds: 'InvalidPoolID.NotFound' }),
  none('DescribeCoipPools', 'CoipPools', { PoolIds: 'InvalidPoolID.NotFound' }),
  none('DescribeAddressTransfers', 'AddressTransfers', {
    AllocationIds: 'InvalidAllocationID.NotFound',
  }),
  none('DescribeIpams', 'Ipams', { IpamIds: 'InvalidIpamId.NotFound' }),
  none('DescribeIpamPools', 'IpamPools', { IpamPoolIds: 'InvalidIpamPoolId.NotFound' }),
  none('DescribeIpamScopes', 'IpamScopes', { IpamScopeIds: 'InvalidIpamScopeId.NotFound' }),
]

const GATEWAYS: readonly AlwaysEmpty[] = [
  none('DescribeEgressOnlyInternetGateways', 'EgressOnlyInternetGateways', {
    EgressOnlyInternetGatewayIds: 'InvalidEgressOnlyInternetGatewayId.NotFound',
  }),
  none('DescribeCarrierGateways', 'CarrierGateways', {
    CarrierGatewayIds: 'InvalidCarrierGatewayID.NotFound',
  }),
  none('DescribeLocalGateways', 'LocalGateways', {
    LocalGatewayIds: 'InvalidLocalGatewayID.NotFound',
  }),
  none('DescribeVpnGateways', 'VpnGateways', { VpnGatewayIds: 'InvalidVpnGatewayID.NotFound' }),
  none('DescribeVpnConnections', 'VpnConnections', {
    VpnConnectionIds: 'InvalidVpnConnectionID.NotFound',
  }),
  none('DescribeCustomerGateways', 'CustomerGateways', {
    CustomerGatewayIds: 'InvalidCustomerGatewayID.NotFound',
  }),
  none('DescribeClientVpnEndpoints', 'ClientVpnEndpoints', {
    ClientVpnEndpointIds: 'InvalidClientVpnEndpointId.NotFound',
  }),
  none('DescribeTransitGateways', 'TransitGateways', {
    TransitGatewayIds: 'InvalidTransitGatewayID.NotFound',
  }),
  none('DescribeTransitGatewayAttachments', 'TransitGatewayAttachments', {
    TransitGatewayAttachmentIds: 'InvalidTransitGatewayAttachmentID.NotFound',
  }),
  none('DescribeTransitGatewayVpcAttachments', 'TransitGatewayVpcAttachments', {
    TransitGatewayAttachmentIds: 'InvalidTransitGatewayAttachmentID.NotFound',
  }),
  none('DescribeTransitGatewayRouteTables', 'TransitGatewayRouteTables', {
    TransitGatewayRouteTableIds: 'InvalidTransitGatewayRouteTableID.NotFound',
  }),
  none('DescribeTransitGatewayPeeringAttachments', 'TransitGatewayPeeringAttachments', {
    TransitGatewayAttachmentIds: 'InvalidTransitGatewayAttachmentID.NotFound',
  }),
  none('DescribeTransitGatewayConnects', 'TransitGatewayConnects', {
    TransitGatewayAttachmentIds: 'InvalidTransitGatewayAttachmentID.NotFound',
  }),
  none('DescribeTransitGatewayConnectPeers', 'TransitGatewayConnectPeers', {
    TransitGatewayConnectPeerIds: 'InvalidTransitGatewayConnectPeerID.NotFound',
  }),
  none('DescribeTransitGatewayMulticastDomains', 'TransitGatewayMulticastDomains', {
    TransitGatewayMulticastDomainIds: 'InvalidTransitGatewayMulticastDomainId.NotFound',
  }),
]

const NETWORKS: readonly AlwaysEmpty[] = [
  none('DescribeVpcEndpoints', 'VpcEndpoints', { VpcEndpointIds: 'InvalidVpcEndpointId.NotFound' }),
  none('DescribeVpcEndpointConnections', 'VpcEndpointConnections'),
  none('DescribeVpcEndpointConnectionNotifications', 'ConnectionNotificationSet', {
    ConnectionNotificationId: 'InvalidConnectionNotification',
  }),
  none('DescribeVpcEndpointServices', ['ServiceNames', 'ServiceDetails'], {
    ServiceNames: 'InvalidServiceName',
  }),
  none('DescribeVpcEndpointServiceConfigurations', 'ServiceConfigurations', {
    ServiceIds: 'InvalidVpcEndpointServiceId.NotFound',
  }),
  none('DescribeInstanceConnectEndpoints', 'InstanceConnectEndpoints', {
    InstanceConnectEndpointIds: 'InvalidInstanceConnectEndpointId.NotFound',
  }),
  none('DescribeNetworkInterfacePermissions', 'NetworkInterfacePermissions', {
    NetworkInterfacePermissionIds: 'InvalidPermissionID.NotFound',
  }),
  none('DescribePrefixLists', 'PrefixLists', { PrefixListIds: 'InvalidPrefixListId.NotFound' }),
  none('DescribeSecurityGroupVpcAssociations', 'SecurityGroupVpcAssociations'),
  none('DescribeNetworkInsightsPaths', 'NetworkInsightsPaths', {
    NetworkInsightsPathIds: 'InvalidNetworkInsightsPathId.NotFound',
  }),
  none('DescribeNetworkInsightsAnalyses', 'NetworkInsightsAnalyses', {
    NetworkInsightsAnalysisIds: 'InvalidNetworkInsightsAnalysisId.NotFound',
    NetworkInsightsPathId: 'InvalidNetworkInsightsPathId.NotFound',
  }),
  none('DescribeVerifiedAccessInstances', 'VerifiedAccessInstances', {
    VerifiedAccessInstanceIds: 'InvalidVerifiedAccessInstanceId.NotFound',
  }),
  none('DescribeClassicLinkInstances', 'Instances', { InstanceIds: 'InvalidInstanceID.NotFound' }),
  none('DescribeTrafficMirrorFilters', 'TrafficMirrorFilters', {
    TrafficMirrorFilterIds: 'InvalidTrafficMirrorFilterId.NotFound',
  }),
  none('DescribeTrafficMirrorSessions', 'TrafficMirrorSessions', {
    TrafficMirrorSessionIds: 'InvalidTrafficMirrorSessionId.NotFound',
  }),
  none('DescribeTrafficMirrorTargets', 'TrafficMirrorTargets', {
    TrafficMirrorTargetIds: 'InvalidTrafficMirrorTargetId.NotFound',
  }),
]

const PURCHASES: readonly AlwaysEmpty[] = [
  none('DescribeSpotInstanceRequests', 'SpotInstanceRequests', {
    SpotInstanceRequestIds: 'InvalidSpotInstanceRequestID.NotFound',
  }),
  one('DescribeSpotFleetInstances', 'ActiveInstances', {
    SpotFleetRequestId: 'InvalidSpotFleetRequestId.NotFound',
  }),
  one('DescribeFleetInstances', 'ActiveInstances', { FleetId: 'InvalidFleetId.NotFound' }),
  none('DescribeSpotFleetRequests', 'SpotFleetRequestConfigs', {
    SpotFleetRequestIds: 'InvalidSpotFleetRequestId.NotFound',
  }),
  none('DescribeSpotPriceHistory', 'SpotPriceHistory'),
  none('DescribeReservedInstances', 'ReservedInstances', {
    ReservedInstancesIds: 'InvalidReservedInstancesId',
  }),
  none('DescribeReservedInstancesOfferings', 'ReservedInstancesOfferings', {
    ReservedInstancesOfferingIds: 'InvalidReservedInstancesOfferingId',
  }),
  none('DescribeReservedInstancesListings', 'ReservedInstancesListings', {
    ReservedInstancesId: 'InvalidReservedInstancesId',
    ReservedInstancesListingId: 'InvalidReservedInstancesId',
  }),
  none('DescribeReservedInstancesModifications', 'ReservedInstancesModifications'),
  none('DescribeHosts', 'Hosts', { HostIds: 'InvalidHostID.NotFound' }),
  none('DescribeMacHosts', 'MacHosts', { HostIds: 'InvalidHostID.NotFound' }),
  none('DescribeHostReservations', 'HostReservationSet'),
  none('DescribeHostReservationOfferings', 'OfferingSet'),
  none('DescribeScheduledInstances', 'ScheduledInstanceSet', {
    ScheduledInstanceIds: 'InvalidScheduledInstance.NotFound',
  }),
  none('DescribeFleets', 'Fleets', { FleetIds: 'InvalidFleetId.NotFound' }),
  none('DescribeCapacityReservations', 'CapacityReservations', {
    CapacityReservationIds: 'InvalidCapacityReservationId.NotFound',
  }),
]

const INSTANCES: readonly AlwaysEmpty[] = [
  none('DescribeInstanceEventWindows', 'InstanceEventWindows', {
    InstanceEventWindowIds: 'InvalidInstanceEventWindowId.NotFound',
  }),
  none('DescribeElasticGpus', 'ElasticGpuSet', { ElasticGpuIds: 'InvalidElasticGpuID.NotFound' }),
  none('DescribeFpgaImages', 'FpgaImages', { FpgaImageIds: 'InvalidFpgaImageID.NotFound' }),
  none('DescribeFastLaunchImages', 'FastLaunchImages'),
]

const DISKS_AND_TASKS: readonly AlwaysEmpty[] = [
  none('DescribeSnapshots', 'Snapshots', { SnapshotIds: 'InvalidSnapshot.NotFound' }),
  one('DescribeSnapshotAttribute', ['CreateVolumePermissions', 'ProductCodes'], {
    SnapshotId: 'InvalidSnapshot.NotFound',
  }),
  none('DescribeLockedSnapshots', 'Snapshots', { SnapshotIds: 'InvalidSnapshot.NotFound' }),
  none('ListSnapshotsInRecycleBin', 'Snapshots', { SnapshotIds: 'InvalidSnapshot.NotFound' }),
  none('ListImagesInRecycleBin', 'Images', { ImageIds: 'InvalidAMIID.NotFound' }),
  none('DescribeSnapshotTierStatus', 'SnapshotTierStatuses'),
  none('DescribeFastSnapshotRestores', 'FastSnapshotRestores'),
  none('DescribeVolumesModifications', 'VolumesModifications', {
    VolumeIds: 'InvalidVolumeModification.NotFound',
  }),
  none('DescribeReplaceRootVolumeTasks', 'ReplaceRootVolumeTasks', {
    ReplaceRootVolumeTaskIds: 'InvalidReplaceRootVolumeTaskId.NotFound',
  }),
  none('DescribeBundleTasks', 'BundleTasks', { BundleIds: 'InvalidBundleID.NotFound' }),
  none('DescribeConversionTasks', 'ConversionTasks', {
    ConversionTaskIds: 'InvalidConversionTaskId',
  }),
  none('DescribeExportTasks', 'ExportTasks', { ExportTaskIds: 'InvalidExportTaskID.NotFound' }),
  none('DescribeExportImageTasks', 'ExportImageTasks', {
    ExportImageTaskIds: 'InvalidExportTaskID.NotFound',
  }),
  none('DescribeImportImageTasks', 'ImportImageTasks', {
    ImportTaskIds: 'InvalidConversionTaskId',
  }),
  none('DescribeImportSnapshotTasks', 'ImportSnapshotTasks', {
    ImportTaskIds: 'InvalidConversionTaskId',
  }),
  none('DescribeStoreImageTasks', 'StoreImageTaskResults'),
]

const ALWAYS_EMPTY: readonly AlwaysEmpty[] = [
  ...ADDRESSES,
  ...GATEWAYS,
  ...NETWORKS,
  ...PURCHASES,
  ...INSTANCES,
  ...DISKS_AND_TASKS,
]

/** Loose, because no other parameter changes the result. */
const schema = z.looseObject({
  ...dryRunShape,
  ...pagedShape(1, RESULTS_MAX, { larger: 'limited' }),
  // Some actions use this name.
  Filter: filterShape.Filters,
})

/** All of them. */
export const alwaysEmptyActions: readonly Action[] = ALWAYS_EMPTY.map((absence) => ({
  name: absence.action,
  input: schema,
  filters: { names: [], tags: false },
  isAbsent: true,
  async run(call) {
    const input = parseInput(schema, call.input)
    dryRun(call)
    for (const [parameter, code] of Object.entries(absence.names)) {
      const [first, ...rest] = namesIn(input[parameter])
      if (first !== undefined) throw notFound(code, nounOf(parameter), [first, ...rest])
    }
    if (absence.isOfOne) {
      const [parameter] = Object.keys(absence.names)
      throw refused('MissingParameter', `The request must contain the parameter ${parameter}`)
    }
    // EC2's documentation lacks the filters of some actions.
    const isDocumented = DOCUMENTED_FILTERS[absence.action] !== undefined
    const Filters = isDocumented ? [...(input.Filters ?? []), ...(input.Filter ?? [])] : []
    const listing = { action: absence.action, key: () => '', filters: {} }
    await describe<never>(call, [], { ...input, Filters }, listing)
    return Object.fromEntries(absence.lists.map((list) => [list, []]))
  },
}))

function namesIn(value: unknown): readonly string[] {
  return z
    .array(z.string())
    .catch(typeof value === 'string' ? [value] : [])
    .parse(value)
}

/** EC2's wording: `VpnGatewayIds` are of a `vpnGateway ID`. */
function nounOf(parameter: string): string {
  const noun = parameter.replace(/s$/, '').replace(/Id$/, ' ID')
  return `${noun.charAt(0).toLowerCase()}${noun.slice(1)}`
}
