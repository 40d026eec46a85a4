/** Volumes in the SDK's terms, and the filters of DescribeVolumes. Pure. */
import type {
  InstanceBlockDeviceMapping,
  VolumeAttachment,
  Volume as VolumeOutput,
  VolumeType,
} from '@aws-sdk/client-ec2'
import type { Tag, Volume } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import type { VolumeRestriction } from '../../store/records/lists.ts'
import type { FilterTable } from '../filters.ts'
import { baselineSpeed } from '../instances/volume-speed.ts'
import type { Narrowing } from '../restrictions.ts'
import { tagged, tagsView } from './tags.ts'

/** One volume. */
export function volumeView(volume: Volume, region: string, tags: readonly Tag[]): VolumeOutput {
  return {
    VolumeId: volume.id,
    AvailabilityZone: volume.zone,
    AvailabilityZoneId: zoneId(volume.zone, region),
    State: volume.state,
    Size: volume.sizeGiB,
    CreateTime: new Date(volume.createdAt),
    Attachments: attachmentsView(volume),
    // Only Atoll writes it, in the SDK's terms.
    VolumeType: (volume.volumeType ?? 'standard') as VolumeType,
    ...baselineSpeed(volume.volumeType, volume.sizeGiB),
    SnapshotId: '',
    Encrypted: false,
    MultiAttachEnabled: false,
    Operator: { Managed: false },
    ...tagged(tagsView(tags, volume.id)),
  }
}

function attachmentsView(volume: Volume): VolumeAttachment[] {
  if (volume.instance === null) return []
  return [
    {
      VolumeId: volume.id,
      InstanceId: volume.instance,
      Device: volume.device,
      State: 'attached',
      AttachTime: new Date(volume.createdAt),
      DeleteOnTermination: volume.deleteOnTermination,
    },
  ]
}

/** The disks of an instance in its view. */
export function blockDevicesView(volumes: readonly Volume[]): InstanceBlockDeviceMapping[] {
  return volumes.map((volume) => ({
    DeviceName: volume.device,
    Ebs: {
      VolumeId: volume.id,
      Status: 'attached',
      AttachTime: new Date(volume.createdAt),
      DeleteOnTermination: volume.deleteOnTermination,
    },
  }))
}

function ofAttachments(
  read: (attachment: VolumeAttachment) => string | boolean | Date | undefined,
) {
  return (volume: VolumeOutput) => (volume.Attachments ?? []).map(read)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html, "Filter.N". */
export const VOLUME_FILTERS: FilterTable<VolumeOutput> = {
  'attachment.attach-time': ofAttachments((one) => one.AttachTime),
  'attachment.delete-on-termination': ofAttachments((one) => one.DeleteOnTermination),
  'attachment.device': ofAttachments((one) => one.Device),
  'attachment.instance-id': ofAttachments((one) => one.InstanceId),
  'attachment.status': ofAttachments((one) => one.State),
  'availability-zone': (volume) => volume.AvailabilityZone,
  'availability-zone-id': (volume) => volume.AvailabilityZoneId,
  'create-time': (volume) => volume.CreateTime,
  encrypted: (volume) => volume.Encrypted,
  'multi-attach-enabled': (volume) => volume.MultiAttachEnabled,
  'operator.managed': (volume) => volume.Operator?.Managed,
  size: (volume) => volume.Size,
  status: (volume) => volume.State,
  'volume-id': (volume) => volume.VolumeId,
  'volume-type': (volume) => volume.VolumeType,
}

/** What the records can restrict of these filters. */
export const VOLUME_NARROWING: Narrowing<VolumeRestriction> = {
  'attachment.instance-id': 'instance',
  'availability-zone': 'zone',
  status: 'state',
  'volume-id': 'id',
}
