/**
 * Atoll's only error type, and the table of its codes.
 *
 * - `refused`: the caller must change the request (4xx, never retried).
 * - `unavailable`: an engine, the kernel or a network failed (retried with backoff, then 503).
 * - `bug`: our own mistake (500, contained and counted).
 *
 * The message is public. `detail` is for the log and is never sent. Codes are EC2's where EC2 has
 * one (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
 */

export type ErrorKind = 'refused' | 'unavailable' | 'bug'

/** The HTTP status of every code. A new code needs a row here. */
export const ERROR_STATUS = {
  // The caller
  AuthFailure: 401,
  MissingAuthenticationToken: 403,
  IncompleteSignature: 400,
  RequestExpired: 400,
  SignatureDoesNotMatch: 403,
  InvalidClientTokenId: 403,
  UnauthorizedOperation: 403,
  AccessDenied: 403,
  OperationNotPermitted: 400,
  DryRunOperation: 412,
  // The form of the request
  InvalidAction: 400,
  InvalidRequest: 400,
  MalformedQueryString: 400,
  RequestEntityTooLarge: 413,
  MissingParameter: 400,
  UnknownParameter: 400,
  InvalidParameterValue: 400,
  InvalidParameterCombination: 400,
  InvalidNextToken: 400,
  FilterLimitExceeded: 400,
  ResponseTooLarge: 400,
  IdempotentParameterMismatch: 400,
  IdempotentInstanceTerminated: 400,
  UnsupportedOperation: 400,
  // The resource that it names
  InvalidInstanceID: 400,
  'InvalidInstanceID.Malformed': 400,
  'InvalidInstanceID.NotFound': 400,
  InvalidInstanceEventIDNotFound: 400,
  InvalidInstanceEventStartTime: 400,
  'InvalidAMIID.Malformed': 400,
  'InvalidAMIID.NotFound': 400,
  'InvalidAMIID.Unavailable': 400,
  'InvalidAMIName.Duplicate': 400,
  'InvalidAMIName.Malformed': 400,
  InvalidAMIAttributeItemValue: 400,
  'InvalidKeyPair.NotFound': 400,
  'InvalidKeyPair.Duplicate': 400,
  'InvalidKeyPair.Format': 400,
  'InvalidKey.Format': 400,
  'InvalidGroup.NotFound': 400,
  'InvalidGroup.Duplicate': 400,
  'InvalidPermission.Duplicate': 400,
  'InvalidPermission.Malformed': 400,
  'InvalidPermission.NotFound': 400,
  'InvalidPrefixListID.NotFound': 400,
  'InvalidPrefixListId.Malformed': 400,
  InvalidPrefixListModification: 400,
  PrefixListVersionMismatch: 400,
  PrefixListMaxEntriesExceeded: 400,
  'InvalidGroupId.Malformed': 400,
  'InvalidSubnetID.Malformed': 400,
  'InvalidSubnetID.NotFound': 400,
  'InvalidVpcID.NotFound': 400,
  'InvalidVpcID.Malformed': 400,
  'InvalidVpc.Range': 400,
  'InvalidSubnet.Range': 400,
  'InvalidSubnet.Conflict': 400,
  InvalidParameter: 400,
  CidrConflict: 400,
  CidrLimitExceeded: 400,
  'InvalidVpcCidrBlockAssociationID.NotFound': 400,
  'InvalidVpcCidrBlockAssociationId.Malformed': 400,
  DefaultVpcAlreadyExists: 400,
  DefaultVpcDoesNotExist: 400,
  DefaultSubnetAlreadyExistsInAvailabilityZone: 400,
  InsufficientCidrBlocks: 400,
  VPCIdNotSpecified: 400,
  InvalidID: 400,
  'InvalidVolumeID.Malformed': 400,
  'InvalidVolume.NotFound': 400,
  'InvalidNetworkInterfaceId.Malformed': 400,
  'InvalidNetworkInterfaceID.NotFound': 400,
  'InvalidNetworkInterface.InUse': 400,
  'InvalidNetworkInterfaceAttachmentId.Malformed': 400,
  'InvalidAttachmentID.NotFound': 400,
  AttachmentLimitExceeded: 400,
  NetworkInterfaceLimitExceeded: 400,
  PrivateIpAddressLimitExceeded: 400,
  'InvalidInternetGatewayId.Malformed': 400,
  'InvalidInternetGatewayID.NotFound': 400,
  'InvalidRouteTableId.Malformed': 400,
  'InvalidRouteTableID.NotFound': 400,
  'InvalidNetworkAclId.Malformed': 400,
  'InvalidNetworkAclID.NotFound': 400,
  'InvalidNetworkAclEntry.NotFound': 400,
  NetworkAclEntryAlreadyExists: 400,
  'InvalidGatewayID.NotFound': 400,
  'Gateway.NotAttached': 400,
  'InvalidRoute.NotFound': 400,
  'InvalidRoute.Malformed': 400,
  RouteAlreadyExists: 400,
  'InvalidNatGatewayID.NotFound': 400,
  NatGatewayMalformed: 400,
  'InvalidVpcPeeringConnectionId.Malformed': 400,
  InvalidStateTransition: 400,
  VpcPeeringConnectionAlreadyExists: 400,
  'InvalidDhcpOptionsId.Malformed': 400,
  'InvalidDhcpOptionID.NotFound': 400,
  'InvalidSecurityGroupRuleId.Malformed': 400,
  'InvalidSecurityGroupRuleId.NotFound': 400,
  'InstanceCreditSpecification.NotSupported': 400,
  'InvalidHostID.NotFound': 400,
  'InvalidIPAddress.InUse': 400,
  'InvalidAddress.NotFound': 400,
  'InvalidAllocationID.NotFound': 400,
  'InvalidAssociationID.NotFound': 400,
  'InvalidPoolID.NotFound': 400,
  'Resource.AlreadyAssociated': 400,
  InvalidBlockDeviceMapping: 400,
  'InvalidUserData.Malformed': 400,
  InvalidInstanceType: 400,
  IncorrectInstanceState: 400,
  IncorrectState: 400,
  VolumeInUse: 400,
  CannotDelete: 400,
  DependencyViolation: 400,
  TagLimitExceeded: 400,
  VpcLimitExceeded: 400,
  SubnetLimitExceeded: 400,
  DhcpOptionsLimitExceeded: 400,
  InternetGatewayLimitExceeded: 400,
  NatGatewayLimitExceeded: 400,
  RouteTableLimitExceeded: 400,
  RouteLimitExceeded: 400,
  NetworkAclLimitExceeded: 400,
  NetworkAclEntryLimitExceeded: 400,
  FlowLogsLimitExceeded: 400,
  FlowLogAlreadyExists: 400,
  'InvalidFlowLogId.Malformed': 400,
  'InvalidLaunchTemplateId.Malformed': 400,
  'InvalidLaunchTemplateId.NotFound': 400,
  'InvalidLaunchTemplateId.VersionNotFound': 400,
  'InvalidLaunchTemplateName.AlreadyExistsException': 400,
  'InvalidLaunchTemplateName.MalformedException': 400,
  'InvalidLaunchTemplateName.NotFoundException': 400,
  'InvalidPlacementGroup.Duplicate': 400,
  'InvalidPlacementGroup.InUse': 400,
  'InvalidPlacementGroup.Unknown': 400,
  'InvalidPlacementGroupId.Malformed': 400,
  SecurityGroupLimitExceeded: 400,
  RulesPerSecurityGroupLimitExceeded: 400,
  SecurityGroupsPerInterfaceLimitExceeded: 400,
  InstanceLimitExceeded: 400,
  VcpuLimitExceeded: 400,
  VolumeLimitExceeded: 400,
  KeyPairLimitExceeded: 400,
  AddressLimitExceeded: 400,
  ResourceLimitExceeded: 400,
  InsufficientFreeAddressesInSubnet: 400,
  InsufficientInstanceCapacity: 500,
  InsufficientAddressCapacity: 500,
  // Resources that do not exist here (`api/actions/always-empty.ts`)
  'InvalidBundleID.NotFound': 400,
  'InvalidCapacityReservationId.NotFound': 400,
  'InvalidCarrierGatewayID.NotFound': 400,
  'InvalidClientVpnEndpointId.NotFound': 400,
  InvalidConnectionNotification: 400,
  InvalidConversionTaskId: 400,
  'InvalidCustomerGatewayID.NotFound': 400,
  'InvalidEgressOnlyInternetGatewayId.NotFound': 400,
  'InvalidElasticGpuID.NotFound': 400,
  'InvalidExportTaskID.NotFound': 400,
  'InvalidFleetId.NotFound': 400,
  'InvalidFlowLogId.NotFound': 400,
  'InvalidFpgaImageID.NotFound': 400,
  'InvalidInstanceConnectEndpointId.NotFound': 400,
  'InvalidInstanceEventWindowId.NotFound': 400,
  'InvalidIpamId.NotFound': 400,
  'InvalidIpamPoolId.NotFound': 400,
  'InvalidIpamScopeId.NotFound': 400,
  'InvalidLocalGatewayID.NotFound': 400,
  'InvalidNetworkInsightsAnalysisId.NotFound': 400,
  'InvalidNetworkInsightsPathId.NotFound': 400,
  'InvalidPermissionID.NotFound': 400,
  'InvalidPrefixListId.NotFound': 400,
  'InvalidReplaceRootVolumeTaskId.NotFound': 400,
  InvalidReservedInstancesId: 400,
  InvalidReservedInstancesOfferingId: 400,
  'InvalidScheduledInstance.NotFound': 400,
  InvalidServiceName: 400,
  'InvalidSnapshot.NotFound': 400,
  'InvalidSpotDatafeed.NotFound': 400,
  'InvalidSpotFleetRequestId.NotFound': 400,
  'InvalidSpotInstanceRequestID.NotFound': 400,
  'InvalidTrafficMirrorFilterId.NotFound': 400,
  'InvalidTrafficMirrorSessionId.NotFound': 400,
  'InvalidTrafficMirrorTargetId.NotFound': 400,
  'InvalidTransitGatewayAttachmentID.NotFound': 400,
  'InvalidTransitGatewayConnectPeerID.NotFound': 400,
  'InvalidTransitGatewayID.NotFound': 400,
  'InvalidTransitGatewayMulticastDomainId.NotFound': 400,
  'InvalidTransitGatewayRouteTableID.NotFound': 400,
  'InvalidVerifiedAccessInstanceId.NotFound': 400,
  'InvalidVolumeModification.NotFound': 400,
  'InvalidVpcEndpointId.NotFound': 400,
  'InvalidVpcEndpointServiceId.NotFound': 400,
  'InvalidVpcPeeringConnectionID.NotFound': 400,
  'InvalidVpnConnectionID.NotFound': 400,
  'InvalidVpnGatewayID.NotFound': 400,
  NatGatewayNotFound: 400,
  // IAM and STS
  NoSuchEntity: 404,
  InvalidInput: 400,
  EntityAlreadyExists: 409,
  LimitExceeded: 409,
  DeleteConflict: 409,
  MalformedPolicyDocument: 400,
  PackedPolicyTooLarge: 400,
  UnmodifiableEntity: 400,
  ValidationError: 400,
  InvalidAuthorizationMessageException: 400,
  // CloudTrail
  InvalidEventCategoryException: 400,
  InvalidLookupAttributesException: 400,
  InvalidMaxResultsException: 400,
  InvalidNextTokenException: 400,
  InvalidTimeRangeException: 400,
  // The state of the cloud
  RequestLimitExceeded: 503,
  Unavailable: 503,
  InternalError: 500,
} as const satisfies Record<string, number>

export type ErrorCode = keyof typeof ERROR_STATUS

/** An expected error. Errors of libraries become one where they enter our code. */
export class AtollError extends Error {
  readonly kind: ErrorKind
  readonly code: ErrorCode
  /** For the log only: helps an operator find the cause. */
  readonly detail: Readonly<Record<string, unknown>>

  constructor(
    kind: ErrorKind,
    code: ErrorCode,
    message: string,
    more: { readonly detail?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'AtollError'
    this.kind = kind
    this.code = code
    this.detail = more.detail ?? {}
  }
}

/** The caller's error. The message names the field and the fix. */
export function refused(code: ErrorCode, message: string): AtollError {
  return new AtollError('refused', code, message)
}

/** A failure of an engine, the kernel or a network. A retry may succeed. */
export function unavailable(message: string, cause?: unknown): AtollError {
  return new AtollError('unavailable', 'Unavailable', message, { cause })
}

/** Our own mistake: an invariant does not hold. */
export function bug(message: string, detail: Readonly<Record<string, unknown>> = {}): AtollError {
  return new AtollError('bug', 'InternalError', message, { detail })
}

/** Ends a switch over a tagged union. The compiler proves that it is never reached. */
export function assertNever(value: never): never {
  throw bug('unreachable case', { value })
}

/** The messages of an error and of its causes, outermost first, for operators. */
export function explain(error: unknown): string {
  const messages: string[] = []
  for (let at = error, n = 0; at !== undefined && n < CAUSES_SHOWN; at = causeOf(at), n += 1) {
    const message = messageOf(at).replace(/\.$/, '')
    // A wrapper may repeat the message of its cause.
    if (message !== messages.at(-1)) messages.push(message)
  }
  return messages.join(': ')
}

const CAUSES_SHOWN = 5

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
