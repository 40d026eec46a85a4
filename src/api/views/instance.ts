/**
 * Instances in the terms of the SDK, complete enough for unmodified clients (awscli, boto3's
 * waiters, Terraform). Pure.
 *
 * What EC2 has and Atoll has not is said plainly and in EC2's words: no public address, no
 * hibernation.
 */
import type {
  _InstanceType,
  GroupIdentifier,
  InstanceNetworkInterface,
  Instance as InstanceOutput,
  InstanceStateChange,
  InstanceStatusSummary,
  InstanceState as StateOutput,
  InstanceStatus as StatusOutput,
} from '@aws-sdk/client-ec2'
import type { GroupId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../model/instance-options.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Instance, InstanceState, Nic } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import type { ApiSettings } from '../action.ts'
import type { InstanceDetails } from '../instance-details.ts'
import { metadataView } from '../metadata-options.ts'
import { bootMode } from './boot-mode.ts'
import { architectureView } from './image.ts'
import { tagged, tagsView } from './tags.ts'
import { blockDevicesView } from './volume.ts'

/** What of the cloud's settings shows in an instance: its region, and the zone of private names. */
export type Place = Pick<ApiSettings, 'dnsZone' | 'region'>

/** Nothing here is managed by a service of Amazon's. */
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

/** What a request made of an instance. */
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

function identityView({ instance }: InstanceDetails): InstanceOutput {
  return {
    InstanceId: instance.id,
    ImageId: instance.image,
    State: stateView(instance.state),
    StateTransitionReason: instance.transitionReason,
    ...(instance.stateReason === null
      ? {}
      : {
          StateReason: { Code: instance.stateReason.code, Message: instance.stateReason.message },
        }),
    ...(instance.keyName === null ? {} : { KeyName: instance.keyName }),
    ...(instance.clientToken === null ? {} : { ClientToken: instance.clientToken }),
    AmiLaunchIndex: instance.launchIndex,
    // Type names are the cloud's own; the SDK's union lists Amazon's.
    InstanceType: instance.type as _InstanceType,
    LaunchTime: new Date(instance.launchedAt),
    MetadataOptions: metadataView(instance.metadata),
  }
}

/** What is the same for every instance. */
function constantView(): InstanceOutput {
  return {
    RootDeviceName: ROOT_DEVICE_NAME,
    // The disk outlives a stop, which is what clients take `ebs` to mean.
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
    PublicDnsName: '',
  }
}

/** What was asked for and makes no difference here. */
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

function placeView({ host, image, type }: InstanceDetails, region: string): InstanceOutput {
  const mode = image === undefined ? undefined : bootMode(image.location)
  return {
    ...(mode === undefined ? {} : { CurrentInstanceBootMode: mode }),
    ...(mode === 'uefi' ? { BootMode: mode } : {}),
    Architecture: architectureView(image?.architecture ?? ''),
    Placement: {
      AvailabilityZone: host?.zone ?? '',
      ...(host === undefined ? {} : { AvailabilityZoneId: zoneId(host.zone, region) }),
      GroupName: '',
      Tenancy: 'default',
    },
    ...(type === undefined ? {} : { CpuOptions: { CoreCount: type.vcpus, ThreadsPerCore: 1 } }),
  }
}

/** A terminated instance has no NIC and so none of this but an empty name and lists, as on EC2. */
function networkView(details: InstanceDetails, dnsZone: string): InstanceOutput {
  const [first] = details.nics
  if (first === undefined) return { PrivateDnsName: '', NetworkInterfaces: [], SecurityGroups: [] }
  const { hostnameType, resourceNameDnsARecord } = details.instance.options ?? INSTANCE_OPTIONS
  return {
    PrivateIpAddress: first.ip,
    PrivateDnsName: privateName(first, dnsZone),
    PrivateDnsNameOptions: {
      HostnameType: hostnameType,
      EnableResourceNameDnsARecord: resourceNameDnsARecord,
      EnableResourceNameDnsAAAARecord: false,
    },
    SubnetId: first.subnet,
    VpcId: first.vpc,
    SourceDestCheck: true,
    SecurityGroups: groupsView(first.groups, details.groups),
    NetworkInterfaces: details.nics.map((nic) => nicView(nic, details, dnsZone)),
  }
}

/** A NIC as its instance shows it. */
export function nicView(
  nic: Nic,
  details: InstanceDetails,
  dnsZone: string,
): InstanceNetworkInterface {
  const name = privateName(nic, dnsZone)
  return {
    NetworkInterfaceId: nic.id,
    Description: details.instance.options?.nicDescription ?? '',
    OwnerId: nic.account,
    Status: 'in-use',
    InterfaceType: 'interface',
    MacAddress: nic.mac,
    SubnetId: nic.subnet,
    VpcId: nic.vpc,
    PrivateIpAddress: nic.ip,
    PrivateDnsName: name,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: nic.ip, PrivateDnsName: name }],
    Ipv6Addresses: [],
    SourceDestCheck: true,
    Operator: NOT_MANAGED,
    Groups: groupsView(nic.groups, details.groups),
    Attachment: {
      // A NIC is attached once and for good, so its own digits can name the attachment.
      AttachmentId: `eni-attach-${nic.id.slice('eni-'.length)}`,
      AttachTime: new Date(nic.createdAt),
      DeleteOnTermination: true,
      DeviceIndex: nic.deviceIndex,
      NetworkCardIndex: 0,
      Status: 'attached',
    },
  }
}

function privateName(nic: Nic, dnsZone: string): string {
  return `${nic.instance}.${dnsZone}`
}

function groupsView(ids: readonly GroupId[], groups: InstanceDetails['groups']): GroupIdentifier[] {
  return ids.map((id) => ({ GroupId: id, GroupName: groups.get(id)?.name ?? '' }))
}

/**
 * What DescribeInstanceStatus says of one instance. Checks are passed when the host reports the
 * boot that was last asked for; nobody looks into the guest. A host that is silent leaves both
 * unknown.
 */
export function instanceStatusView(
  details: InstanceDetails,
  { region }: Place,
  hostAlive: boolean,
): StatusOutput {
  const { instance, host } = details
  return {
    InstanceId: instance.id,
    AvailabilityZone: host?.zone ?? '',
    ...(host === undefined ? {} : { AvailabilityZoneId: zoneId(host.zone, region) }),
    InstanceState: stateView(instance.state),
    InstanceStatus: checkView(instance, hostAlive, instance.bootSeen === instance.bootCount),
    SystemStatus: checkView(instance, hostAlive, true),
    Operator: NOT_MANAGED,
    Events: [],
  }
}

function checkView(instance: Instance, hostAlive: boolean, passed: boolean): InstanceStatusSummary {
  if (instance.state === 'pending') return summary('initializing', 'initializing')
  if (instance.state !== 'running') return { Status: 'not-applicable', Details: [] }
  // The host's lease has run out: whether the instance runs, nobody else can know, and nobody can
  // reach it.
  if (!hostAlive) return summary('impaired', 'failed')
  return passed ? summary('ok', 'passed') : summary('initializing', 'initializing')
}

function summary(
  status: 'ok' | 'initializing' | 'impaired',
  reachability: 'passed' | 'initializing' | 'failed',
): InstanceStatusSummary {
  return { Status: status, Details: [{ Name: 'reachability', Status: reachability }] }
}
