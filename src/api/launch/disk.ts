/**
 * The root disk that a launch asks for, and the one it gets. Pure.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html. What would make
 * another disk than Atoll has (snapshots, provisioned speed, keys, further devices) is refused by
 * name.
 */
import { z } from 'zod'
import type { DriverDeclaration } from '../../model/driver.ts'
import { refused } from '../../model/errors.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Image, InstanceType } from '../../model/records.ts'
import { onlySchema, withCode, withoutEffect } from '../schemas.ts'
import { GP3_IOPS, GP3_MIB_PER_S } from '../volume-speed.ts'

/** What is asked for. */
export interface DiskRequest {
  /** Null: as large as the instance type says, or the image. */
  readonly sizeGiB: number | null
  readonly deleteOnTermination: boolean
  /** Shown as it was given. */
  readonly volumeType: string | null
}

/** What each instance of a launch gets. */
export interface LaunchDisk {
  readonly sizeGiB: number
  readonly deleteOnTermination: boolean
  /** Left out: nothing was said. */
  readonly volumeType?: string
}

/** Largest disk in GiB, as EC2 has it for gp3. */
const DISK_MAX_GIB = 16 * 1024
/**
 * Types of which one asks for nothing that this disk is not. The others come with a number of
 * operations per second.
 */
const VOLUME_TYPES = ['standard', 'gp2', 'gp3', 'st1', 'sc1'] as const

/** The device that a mapping speaks of: there is one. */
const rootDeviceSchema = z.string().refine((device) => device === ROOT_DEVICE_NAME, {
  error: `BlockDeviceMappings.1.DeviceName: the only device is the root disk, ${ROOT_DEVICE_NAME}`,
  ...withCode('InvalidBlockDeviceMapping'),
})

/** A list of mappings, which is empty or has the one of the root disk. */
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
      // What a gp3 volume has that says nothing of it.
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
 * Mappings that give an instance nothing: an instance store (`VirtualName`), which EC2 leaves out
 * for types that have none, and a device that is to be left out of the image's mapping
 * (`NoDevice`), unless it is the root.
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

/** What the mappings ask for; null when there are none. */
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

/** The disk of each instance of the launch; null where the driver's instances have no volume. */
export function launchDisk(
  order: DiskRequest | null,
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
    return { sizeGiB, deleteOnTermination, ...(volumeType === null ? {} : { volumeType }) }
  }
  if (order === null) return null
  throw refused(
    'InvalidParameterCombination',
    `The root of instances of the image '${image.id}' is no volume (driver ${name}), so BlockDeviceMappings may not be given`,
  )
}
