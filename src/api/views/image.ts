/** Images in the SDK's terms, and the filters of DescribeImages. Pure. */
import type {
  ArchitectureValues,
  BlockDeviceMapping,
  EbsBlockDevice,
  Image as ImageOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { ec2Architecture } from '../../model/architecture.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Image } from '../../model/records.ts'
import type { ApiSettings } from '../action.ts'
import type { FilterTable } from '../filters.ts'
import { driverOfImage } from '../instances/drivers.ts'
import { bootMode } from './boot-mode.ts'
import { tagged } from './tags.ts'

/** Who looks at an image. */
interface ImageViewer {
  /** Whether it is the viewer's own. */
  readonly isOwn: boolean
  /** Whether every account may launch from it. */
  readonly isPublic: boolean
}

/** The owner of an image that is shared with nobody. */
const ONLY_OWNER: ImageViewer = { isOwn: true, isPublic: false }

/**
 * One image. While it is pending, `StateReason` has the progress of its download. Where it came
 * from is only its owner's business: an address may contain a password.
 */
export function imageView(
  image: Image,
  tags: TagOutput[],
  { drivers, region }: Pick<ApiSettings, 'drivers' | 'region'>,
  { isOwn, isPublic }: ImageViewer = ONLY_OWNER,
): ImageOutput {
  return {
    ImageId: image.id,
    Name: image.name,
    Description: image.description,
    ImageLocation: isOwn ? image.location : `${image.account}/${image.name}`,
    ...(image.sourceInstance === null || !isOwn ? {} : { SourceInstanceId: image.sourceInstance }),
    State: image.state,
    ...(!image.sourceImage || !isOwn
      ? {}
      : { SourceImageId: image.sourceImage, SourceImageRegion: region }),
    ...(image.stateReason === null || !isOwn
      ? {}
      : { StateReason: stateReason(image, image.stateReason) }),
    OwnerId: image.account,
    Public: isPublic,
    Architecture: architectureView(image.architecture),
    ImageType: 'machine',
    CreationDate: image.createdAt,
    ...(typeof image.deprecatedAt === 'string' ? { DeprecationTime: image.deprecatedAt } : {}),
    BlockDeviceMappings: blockDevices(image, driverOfImage(image, drivers)?.rootVolume === true),
    RootDeviceName: ROOT_DEVICE_NAME,
    RootDeviceType: 'ebs',
    Hypervisor: 'xen',
    VirtualizationType: 'hvm',
    // EC2 names the mode only for images that request one.
    ...(bootMode(image.location) === 'uefi' ? { BootMode: 'uefi' as const } : {}),
    EnaSupport: false,
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    ProductCodes: [],
    ...tagged(tags),
  }
}

/** The disk is at least as large as the image's. Otherwise the instance type decides. */
function blockDevices({ diskGiB }: Image, hasVolume: boolean): BlockDeviceMapping[] {
  if (!hasVolume) return []
  const ebs = { DeleteOnTermination: true, Encrypted: false, VolumeType: 'standard' } as const
  const size = diskGiB === null ? {} : { VolumeSize: diskGiB }
  return [{ DeviceName: ROOT_DEVICE_NAME, Ebs: { ...ebs, ...size } }]
}

function stateReason(image: Image, message: string): { Code: string; Message: string } {
  return {
    Code: image.state === 'failed' ? failureOf(image) : 'Server.ImagePending',
    Message: message,
  }
}

function failureOf({ sourceInstance }: Image): string {
  return sourceInstance === null ? 'Client.InvalidImageLocation' : 'Server.InternalError'
}

function ofDevices(
  read: (ebs: EbsBlockDevice | undefined) => string | number | boolean | undefined,
) {
  return (image: ImageOutput) => (image.BlockDeviceMappings ?? []).map(({ Ebs }) => read(Ebs))
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html, "Filter.N". */
export const IMAGE_FILTERS: FilterTable<ImageOutput> = {
  architecture: (image) => image.Architecture,
  'block-device-mapping.delete-on-termination': ofDevices((ebs) => ebs?.DeleteOnTermination),
  'block-device-mapping.device-name': (image) =>
    (image.BlockDeviceMappings ?? []).map(({ DeviceName }) => DeviceName),
  'block-device-mapping.encrypted': ofDevices((ebs) => ebs?.Encrypted),
  'block-device-mapping.volume-size': ofDevices((ebs) => ebs?.VolumeSize),
  'block-device-mapping.volume-type': ofDevices((ebs) => ebs?.VolumeType),
  'boot-mode': (image) => image.BootMode,
  'creation-date': (image) => image.CreationDate,
  description: (image) => image.Description,
  'ena-support': (image) => image.EnaSupport,
  'free-tier-eligible': () => false,
  hypervisor: (image) => image.Hypervisor,
  'image-id': (image) => image.ImageId,
  'image-type': (image) => image.ImageType,
  'is-public': (image) => image.Public,
  'manifest-location': (image) => image.ImageLocation,
  name: (image) => image.Name,
  'owner-id': (image) => image.OwnerId,
  'root-device-name': (image) => image.RootDeviceName,
  'root-device-type': (image) => image.RootDeviceType,
  'source-image-id': (image) => image.SourceImageId,
  'source-image-region': (image) => image.SourceImageRegion,
  'source-instance-id': (image) => image.SourceInstanceId,
  state: (image) => image.State,
  'state-reason-code': (image) => image.StateReason?.Code,
  'state-reason-message': (image) => image.StateReason?.Message,
  'virtualization-type': (image) => image.VirtualizationType,
}

/** The architecture in EC2's terms. Others cannot run here. */
export function architectureView(name: string): ArchitectureValues {
  const known = ec2Architecture(name)
  return known === 'arm64' || known === 'i386' ? known : 'x86_64'
}
