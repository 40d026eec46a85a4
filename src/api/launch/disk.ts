/**
 * The root disk that a launch requests, and the one that it gets. Pure.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html. Options that
 * Atoll's disks do not have (snapshots, provisioned speed, keys, further devices) are refused by
 * name.
 */
import { z } from 'zod'
import type { DriverDeclaration } from '../../model/driver.ts'
import { refused } from '../../model/errors.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Image, InstanceType } from '../../model/records.ts'
import { STORAGE_TAG, type StorageKind } from '../../model/storage.ts'
import { GP3_IOPS, GP3_MIB_PER_S } from '../instances/volume-speed.ts'
import { onlySchema, withCode, withoutEffect } from '../schemas.ts'

/** The requested disk. */
export interface DiskRequest {
  /** Null: the size of the instance type, or of the image. */
  readonly sizeGiB: number | null
  readonly deleteOnTermination: boolean
  /** Shown as it was given. */
  readonly volumeType: string | null
}

/** The disk of each instance of a launch. */
export interface LaunchDisk {
  readonly sizeGiB: number
  /** The kind of storage that has it, which several hosts reach. Null: its host's own. */
  readonly storedOn: StorageKind | null
  readonly deleteOnTermination: boolean
  /** Absent if none was requested. */
  readonly volumeType?: string
}

/** Largest disk in GiB: EC2's limit of gp3. */
const DISK_MAX_GIB = 16 * 1024
/**
 * Volume types that request nothing that Atoll's disks do not have. Others require a number of
 * operations per second.
 */
const VOLUME_TYPES = ['standard', 'gp2', 'gp3', 'st1', 'sc1'] as const

/** The device of a mapping. There is only one. */
const rootDeviceSchema = z.string().refine((device) => device === ROOT_DEVICE_NAME, {
  error: `BlockDeviceMappings.1.DeviceName: the only device is the root disk, ${ROOT_DEVICE_NAME}`,
  ...withCode('InvalidBlockDeviceMapping'),
})

/** A list of mappings: empty, or with one for the root disk. */
export function blockDevicesSchema<Ebs extends z.ZodType>(ebs: Ebs) {
  return z
    .array(z.strictObject({ DeviceName: rootDeviceSchema, Ebs: ebs }))
    .refine((mappings) => mappings.length <= 1, {
      error: `BlockDeviceMappings: an instance has one disk, ${ROOT_DEVICE_NAME}`,
      ...withCode('UnsupportedOperation'),
    })
    .default([])
}

const rootDiskSchema = blockDevicesSchema(
  z
    .strictObject({
      VolumeSize: z.int().min(1).max(DISK_MAX_GIB).optional(),
      DeleteOnTermination: z.boolean().default(true),
      VolumeType: withoutEffect(
        z
          .string()
          .refine((type) => VOLUME_TYPES.some((known) => known === type), {
            error: `BlockDeviceMappings.1.Ebs.VolumeType: one of ${VOLUME_TYPES.join(', ')}, which are all the same here`,
            ...withCode('UnsupportedOperation'),
          })
          .optional(),
        'shown',
      ),
      Encrypted: onlySchema(false, 'BlockDeviceMappings.1.Ebs.Encrypted: disks are not encrypted'),
      // The value of a gp3 volume that names none.
      Iops: onlySchema(GP3_IOPS, `BlockDeviceMappings.1.Ebs.Iops: only gp3's own ${GP3_IOPS}`),
      Throughput: onlySchema(
        GP3_MIB_PER_S,
        `BlockDeviceMappings.1.Ebs.Throughput: only gp3's own ${GP3_MIB_PER_S}`,
      ),
    })
    .refine(
      ({ VolumeType, Iops, Throughput }) =>
        VolumeType === 'gp3' || (Iops ?? Throughput) === undefined,
      {
        error: 'BlockDeviceMappings.1.Ebs: Iops and Throughput are for the VolumeType gp3',
        ...withCode('InvalidParameterCombination'),
      },
    )
    .prefault({}),
)

/**
 * Whether a mapping has no effect: an instance store (`VirtualName`), which EC2 ignores for types
 * without one, or a device to leave out of the image's mapping (`NoDevice`), unless it is the root.
 */
function isOfNothing(mapping: unknown): boolean {
  return nothingSchema.safeParse(mapping).success
}

const nothingSchema = z.union([
  z.strictObject({
    DeviceName: z.string(),
    VirtualName: z.string().regex(/^ephemeral\d{1,2}$/),
  }),
  z.strictObject({
    DeviceName: z.string().refine((device) => device !== ROOT_DEVICE_NAME),
    NoDevice: z.string(),
  }),
])

/** `BlockDeviceMappings` of RunInstances. */
export const launchDevicesSchema = z.preprocess(
  (given) => (Array.isArray(given) ? given.filter((mapping) => !isOfNothing(mapping)) : given),
  rootDiskSchema,
)

/** The disk that the mappings request. Null when there are none. */
export function parseDiskRequest([mapping]: z.output<
  typeof launchDevicesSchema
>): DiskRequest | null {
  if (mapping === undefined) return null
  const { VolumeSize, DeleteOnTermination, VolumeType = null } = mapping.Ebs
  return {
    sizeGiB: VolumeSize ?? null,
    deleteOnTermination: DeleteOnTermination,
    volumeType: VolumeType,
  }
}

/** The disk of each instance of the launch. Null if the driver's instances have no volume. */
export function launchDisk(
  {
    disk: order,
    storedOn,
  }: { readonly disk: DiskRequest | null; readonly storedOn: StorageKind | null },
  image: Pick<Image, 'id' | 'diskGiB'>,
  type: Pick<InstanceType, 'diskGiB'>,
  { rootVolume, name }: Pick<DriverDeclaration, 'rootVolume' | 'name'>,
): LaunchDisk | null {
  if (rootVolume) {
    const leastGiB = image.diskGiB ?? 1
    const sizeGiB = order?.sizeGiB ?? Math.max(leastGiB, type.diskGiB)
    if (sizeGiB < leastGiB)
      throw refused(
        'InvalidBlockDeviceMapping',
        `Volume of size ${sizeGiB}GB is smaller than the image '${image.id}', expect size >= ${leastGiB}GB`,
      )
    const { deleteOnTermination = true, volumeType = null } = order ?? {}
    return {
      sizeGiB,
      storedOn,
      deleteOnTermination,
      ...(volumeType === null ? {} : { volumeType }),
    }
  }
  if (order === null && storedOn === null) return null
  throw refused(
    'InvalidParameterCombination',
    `The root of instances of the image '${image.id}' is not a volume (driver ${name}), so BlockDeviceMappings and the tag '${STORAGE_TAG}' must be left out`,
  )
}
