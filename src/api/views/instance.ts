/**
 * Instances in the SDK's terms, complete enough for unmodified clients (awscli, boto3's waiters,
 * Terraform). Pure.
 *
 * What Atoll does not have, such as hibernation, is shown as EC2 shows it.
 */
import type {
  _InstanceType,
  AttachmentStatus,
  GroupIdentifier,
  InstanceNetworkInterface,
  Instance as InstanceOutput,
  InstanceStateChange,
  InstanceStatusEvent,
  InstanceStatusSummary,
  Placement as PlacementOutput,
  InstanceState as StateOutput,
  InstanceStatus as StatusOutput,
  StatusType,
  SummaryStatus,
} from '@aws-sdk/client-ec2'
import type { Ipv4 } from '../../model/addr.ts'
import { assertNever } from '../../model/errors.ts'
import { ipHostLabel } from '../../model/hostname.ts'
import type { ProfileAssociation } from '../../model/iam-names.ts'
import type { GroupId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../model/instance-options.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import { addressesOfNic, attachmentOf } from '../../model/nics.ts'
import type { PlacementMembership } from '../../model/placement-group.ts'
import type { Address, Instance, InstanceState, Nic, NicAttachment } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import type { ApiSettings } from '../action.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'
import { metadataView } from '../instances/metadata-options.ts'
import { associationView, publicName } from './address.ts'
import { bootMode } from './boot-mode.ts'
import { architectureView } from './image.ts'
import { tagged, tagsView } from './tags.ts'
import { blockDevicesView } from './volume.ts'

/** Settings that appear in an instance: its region, and the zone of private names. */
export type Place = Pick<ApiSettings, 'dnsZone' | 'region'>

/** Nothing is managed by a service of Amazon's. */
const NOT_MANAGED = { Managed: false } as const

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html */
const STATE_CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
}

/** A state with its number. */
function stateView(state: InstanceState): StateOutput {
  return { Code: STATE_CODES[state], Name: state }
}

/** The change of an instance's state by a request. */
export function stateChangeView(before: Instance, after: InstanceState): InstanceStateChange {
  return {
    InstanceId: before.id,
    PreviousState: stateView(before.state),
    CurrentState: stateView(after),
  }
}

/** One instance. `dnsZone` is the zone of its private name. */
export function instanceView(details: InstanceDetails, place: Place): InstanceOutput {
  return {
    ...identityView(details),
    ...constantView(),
    ...optionsView(details.instance.options ?? INSTANCE_OPTIONS),
    ...placeView(details, place.region),
    ...networkView(details, place.dnsZone),
    BlockDeviceMappings: blockDevicesView(details.volumes),
    ...tagged(tagsView(details.tags, details.instance.id)),
  }
}

/** As in EC2, `pending` has a reason of its own. */
function reasonView({ state, stateReason }: Instance): Pick<InstanceOutput, 'StateReason'> {
  if (stateReason !== null)
    return { StateReason: { Code: stateReason.code, Message: stateReason.message } }
  return state === 'pending' ? { StateReason: { Code: 'pending', Message: 'pending' } } : {}
}

function identityView({ instance }: InstanceDetails): InstanceOutput {
  return {
    InstanceId: instance.id,
    ImageId: instance.image,
    State: stateView(instance.state),
    StateTransitionReason: instance.transitionReason,
    ...reasonView(instance),
    ...(instance.keyName === null ? {} : { KeyName: instance.keyName }),
    ...(instance.clientToken === null ? {} : { ClientToken: instance.clientToken }),
    AmiLaunchIndex: instance.launchIndex,
    // Type names are the cloud's own. The SDK's union lists Amazon's.
    InstanceType: instance.type as _InstanceType,
    LaunchTime: new Date(instance.launchedAt),
    MetadataOptions: metadataView(instance.metadata),
    ...profileView(instance.options?.profile ?? null),
  }
}

function profileView(profile: ProfileAssociation | null): InstanceOutput {
  return profile === null ? {} : { IamInstanceProfile: { Arn: profile.arn, Id: profile.id } }
}

/** What is the same for every instance. */
function constantView(): InstanceOutput {
  return {
    RootDeviceName: ROOT_DEVICE_NAME,
    // The disk survives a stop. Clients understand `ebs` in this way.
    RootDeviceType: 'ebs',
    EnaSupport: false,
    Hypervisor: 'xen',
    VirtualizationType: 'hvm',
    ProductCodes: [],
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    HibernationOptions: { Configured: false },
    EnclaveOptions: { Enabled: false },
    Operator: NOT_MANAGED,
  }
}

/** Options that were requested and have no effect. */
function optionsView(options: InstanceOptions): InstanceOutput {
  const { rebootMigration, bandwidthWeighting } = options
  return {
    Monitoring: { State: options.monitoring ? 'enabled' : 'disabled' },
    EbsOptimized: options.ebsOptimized,
    CapacityReservationSpecification: {
      CapacityReservationPreference: options.capacityReservation,
    },
    MaintenanceOptions: {
      AutoRecovery: options.autoRecovery,
      ...(rebootMigration === null ? {} : { RebootMigration: rebootMigration }),
    },
    ...(bandwidthWeighting === null
      ? {}
      : { NetworkPerformanceOptions: { BandwidthWeighting: bandwidthWeighting } }),
  }
}

function placeView(
  { instance, host, image, type }: InstanceDetails,
  region: string,
): InstanceOutput {
  const mode = image === undefined ? undefined : bootMode(image.location)
  return {
    ...(mode === undefined ? {} : { CurrentInstanceBootMode: mode }),
    ...(mode === 'uefi' ? { BootMode: mode } : {}),
    Architecture: architectureView(image?.architecture ?? ''),
    Placement: {
      AvailabilityZone: host?.zone ?? '',
      ...(host === undefined ? {} : { AvailabilityZoneId: zoneId(host.zone, region) }),
      ...groupView(instance.options?.placementGroup ?? null),
      Tenancy: 'default',
    },
    ...(type === undefined ? {} : { CpuOptions: { CoreCount: type.vcpus, ThreadsPerCore: 1 } }),
  }
}

function groupView(group: PlacementMembership | null): PlacementOutput {
  if (group === null) return { GroupName: '' }
  const { id, name, partition } = group
  return {
    GroupName: name,
    GroupId: id,
    ...(partition === null ? {} : { PartitionNumber: partition }),
  }
}

/** A terminated instance has no NIC, so only an empty name and empty lists remain, as on EC2. */
function networkView(details: InstanceDetails, dnsZone: string): InstanceOutput {
  const [first] = details.nics
  if (first === undefined)
    return {
      PrivateDnsName: '',
      PublicDnsName: '',
      NetworkInterfaces: [],
      SecurityGroups: [],
    }
  const address = addressOf(first, details)
  const { hostnameType, resourceNameDnsARecord } = details.instance.options ?? INSTANCE_OPTIONS
  return {
    PrivateIpAddress: first.ip,
    PrivateDnsName: privateName(first, first.ip, dnsZone),
    PublicDnsName: address === undefined ? '' : publicName(address.ip, dnsZone),
    ...(address === undefined ? {} : { PublicIpAddress: address.ip }),
    PrivateDnsNameOptions: {
      HostnameType: hostnameType,
      EnableResourceNameDnsARecord: resourceNameDnsARecord,
      EnableResourceNameDnsAAAARecord: false,
    },
    SubnetId: first.subnet,
    VpcId: first.vpc,
    SourceDestCheck: first.sourceDestCheck ?? true,
    SecurityGroups: groupsView(first.groups, details.groups),
    NetworkInterfaces: details.nics.map((nic) => nicView(nic, details, dnsZone)),
  }
}

/** What the view of a NIC is made of. */
export interface NicContext extends Pick<InstanceDetails, 'addresses' | 'groups'> {
  /** Of a NIC that is attached. */
  readonly instance?: Pick<Instance, 'options'> | undefined
}

/** A NIC as its instance shows it. */
export function nicView(nic: Nic, context: NicContext, dnsZone: string): InstanceNetworkInterface {
  const attachment = attachmentOf(nic)
  const association = associatedView(nic, nic.ip, context, dnsZone)
  return {
    NetworkInterfaceId: nic.id,
    Description: nic.description ?? context.instance?.options?.nicDescription ?? '',
    OwnerId: nic.account,
    Status: attachment === null ? 'available' : 'in-use',
    InterfaceType: 'interface',
    MacAddress: nic.mac,
    SubnetId: nic.subnet,
    VpcId: nic.vpc,
    PrivateIpAddress: nic.ip,
    PrivateDnsName: privateName(nic, nic.ip, dnsZone),
    ...association,
    PrivateIpAddresses: addressesOfNic(nic).map((ip) => ({
      Primary: ip === nic.ip,
      PrivateIpAddress: ip,
      PrivateDnsName: privateName(nic, ip, dnsZone),
      ...associatedView(nic, ip, context, dnsZone),
    })),
    Ipv6Addresses: [],
    SourceDestCheck: nic.sourceDestCheck ?? true,
    Operator: NOT_MANAGED,
    Groups: groupsView(nic.groups, context.groups),
    ...(attachment === null
      ? {}
      : {
          Attachment: {
            AttachmentId: attachment.id,
            AttachTime: new Date(attachment.attachedAt),
            DeleteOnTermination: attachment.deleteOnTermination,
            DeviceIndex: nic.deviceIndex,
            NetworkCardIndex: 0,
            Status: attachmentStatus(attachment),
          },
        }),
  }
}

function attachmentStatus({ isEnding, isBeginning }: NicAttachment): AttachmentStatus {
  if (isEnding === true) return 'detaching'
  return isBeginning === true ? 'attaching' : 'attached'
}

/** Nothing for an address that no floating IP leads to. */
function associatedView(
  nic: Nic,
  ip: Ipv4,
  context: NicContext,
  dnsZone: string,
): Pick<InstanceNetworkInterface, 'Association'> {
  const address = addressOf(nic, context, ip)
  return address === undefined ? {} : { Association: associationView(address, dnsZone) }
}

/** The floating IP that leads to an address of the NIC, the primary one unless another is named. */
export function addressOf(
  { id, ip: primary }: Nic,
  { addresses }: Pick<InstanceDetails, 'addresses'>,
  ip = primary,
): Address | undefined {
  return addresses.find(
    ({ association }) => association?.nic === id && association.privateIp === ip,
  )
}

/** That of the instance for the first address of its first NIC, else one by the address. */
function privateName({ instance, deviceIndex, ip: primary }: Nic, ip: Ipv4, dnsZone: string) {
  const isFirst = instance !== null && deviceIndex === 0 && ip === primary
  return `${isFirst ? instance : ipHostLabel(ip)}.${dnsZone}`
}

function groupsView(ids: readonly GroupId[], groups: InstanceDetails['groups']): GroupIdentifier[] {
  return ids.map((id) => ({ GroupId: id, GroupName: groups.get(id)?.name ?? '' }))
}

/** What the status of an instance depends on beside it. */
interface StatusOfHost {
  readonly isAlive: boolean
  /** Whether it asks its instances: those of an older version do not. */
  readonly asksInstances: boolean
}

/**
 * The status of one instance: whether its host is heard of, and what that has found out by asking
 * the instance (`model/instance-check.ts`).
 */
export function instanceStatusView(
  details: InstanceDetails,
  { region }: Place,
  ofHost: StatusOfHost,
  events: InstanceStatusEvent[] = [],
): StatusOutput {
  const { instance, host } = details
  return {
    InstanceId: instance.id,
    AvailabilityZone: host?.zone ?? '',
    ...(host === undefined ? {} : { AvailabilityZoneId: zoneId(host.zone, region) }),
    InstanceState: stateView(instance.state),
    InstanceStatus: checkView(instance, ofHost, () => askedView(instance, ofHost)),
    SystemStatus: checkView(instance, ofHost, () => summary('ok', 'passed')),
    Operator: NOT_MANAGED,
    Events: events,
  }
}

/** A check of an instance; `running` is what it says of one that runs on a live host. */
function checkView(
  { state }: Instance,
  { isAlive }: StatusOfHost,
  running: () => InstanceStatusSummary,
): InstanceStatusSummary {
  if (state === 'pending') return summary('initializing', 'initializing')
  if (state !== 'running') return { Status: 'not-applicable', Details: [] }
  // The host's lease has expired. Nobody else can know whether the instance runs, and nobody can
  // reach it.
  return isAlive ? running() : summary('impaired', 'failed')
}

function askedView(
  { bootCount, bootSeen, check }: Instance,
  { asksInstances }: StatusOfHost,
): InstanceStatusSummary {
  const isAsked = bootSeen === bootCount && check?.bootCount === bootCount
  if (!isAsked)
    return asksInstances || bootSeen !== bootCount
      ? summary('initializing', 'initializing')
      : summary('ok', 'passed')
  switch (check.result) {
    case 'passed':
      return summary('ok', 'passed')
    case 'failed':
      return summary('impaired', 'failed', new Date(check.since))
    case 'unknown':
      return summary('insufficient-data', 'insufficient-data')
    default:
      return assertNever(check.result)
  }
}

function summary(
  status: SummaryStatus,
  reachability: StatusType,
  since?: Date,
): InstanceStatusSummary {
  const impaired = since === undefined ? {} : { ImpairedSince: since }
  return {
    Status: status,
    Details: [{ Name: 'reachability', Status: reachability, ...impaired }],
  }
}
