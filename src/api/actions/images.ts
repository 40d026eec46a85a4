/**
 * Images: RegisterImage, DescribeImages, DeregisterImage.
 *
 * Registering only writes the record; the host that took the request is rung and looks at the location, pins the digest
 * or says what is wrong. Images are their account's own: none is public or shared.
 */
import type {
  DeregisterImageResult,
  DescribeImagesResult,
  RegisterImageResult,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { isoTime } from '../../lib/clock.ts'
import { refused } from '../../model/errors.ts'
import { type AccountId, formatId, ID_BYTES } from '../../model/ids.ts'
import { IMAGE_LOCATION_MAX_LENGTH, parseImageLocation } from '../../model/image-location.ts'
import type { Image } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  idListSchema,
  idSchema,
  missingImages,
  onlySchema,
  pagedShape,
  printable,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
  withCode,
} from '../schemas.ts'
import { IMAGE_FILTERS, imageView } from '../views/image.ts'
import { tagsIndex } from '../views/tags.ts'

const locationSchema = printable(IMAGE_LOCATION_MAX_LENGTH).refine(
  (text) => !['kept', undefined].includes(parseImageLocation(text)?.kind),
  {
    error:
      "ImageLocation must be docker://name:tag (an image that the hosts' Docker engines have or can pull), " +
      'file:///absolute/path/rootfs.tar, .tar.gz or .tgz (a root file system that is published on the host), file:///absolute/path/disk.qcow2, ' +
      ".img or .raw, https://host/disk or s3://bucket/disk (a virtual machine's disk), or kernel=LOCATION,initrd=LOCATION (a " +
      'virtual machine without a boot loader), without white space; for the AWS CLI, which reads file:// itself, the bare ' +
      "path. A virtual machine's may end in #sha256=HEX, seed=nocloud, firmware=uefi and machine=microvm, joined by &",
    ...withCode('InvalidParameterValue'),
  },
)

/** Images of one account that may be pending at once. */
const PENDING_MAX = 20

/** EC2's own rule for an image's name (RegisterImage, "Name"). */
export const imageNameSchema = z
  .string()
  .refine((name) => /^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name), {
    error:
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
    ...withCode('InvalidAMIName.Malformed'),
  })

const registerSchema = z.strictObject({
  ...dryRunShape,
  Name: imageNameSchema,
  ImageLocation: locationSchema,
  Description: textSchema.default(''),
  Architecture: z.enum(['x86_64', 'arm64']).default('x86_64'),
  TagSpecifications: tagSpecificationsSchema(['image']),
  VirtualizationType: onlySchema('hvm', 'VirtualizationType: only hvm is supported'),
  RootDeviceName: textSchema.optional(),
  EnaSupport: z.boolean().optional(),
})

/** RegisterImage. `Architecture` is a first word only: what the host finds takes its place. */
export const registerImage: Action = {
  name: 'RegisterImage',
  async run(call): Promise<RegisterImageResult> {
    const input = parseInput(registerSchema, call.input)
    const { store, bus, settings, clock, random } = call.parts
    const image: Image = {
      id: formatId('ami', random(ID_BYTES)),
      account: call.caller.account,
      name: input.Name,
      description: input.Description,
      location: input.ImageLocation,
      architecture: input.Architecture,
      state: 'pending',
      stateReason: null,
      digest: null,
      repositoryDigest: null,
      diskGiB: null,
      host: settings.host,
      sourceInstance: null,
      capture: null,
      createdAt: isoTime(clock.now()),
    }
    const tags = specifiedTags(input.TagSpecifications, {
      account: image.account,
      resource: image.id,
      resourceType: 'image',
    })
    await store.transaction(async (tx) => {
      await refuseTooManyPending(tx, image.account)
      if ((await tx.insertImage(image)) === 'exists') throw nameInUse(image.name)
      dryRun(call)
      await tx.putTags(tags)
      await tx.advanceGeneration(image.host)
    })
    bus.ring(image.host)
    return { ImageId: image.id }
  },
}

/**
 * Each image that is looked at keeps a host at work. Two requests at once may both be the last that fits: a few more do no harm.
 */
async function refuseTooManyPending(tx: ReadTx, account: AccountId): Promise<void> {
  const pending = (await tx.images({ account })).filter(({ state }) => state === 'pending')
  if (pending.length < PENDING_MAX) return
  throw refused(
    'ResourceLimitExceeded',
    `${PENDING_MAX} images of this account are pending already: wait until they are available or failed, or deregister some`,
  )
}

/** The name is another image's of the account. */
export function nameInUse(name: string): Error {
  return refused('InvalidAMIName.Duplicate', `AMI name ${name} is already in use`)
}

const imageId = idSchema('ami', 'InvalidAMIID.Malformed')

const describeSchema = z.strictObject({
  ...pagedShape(1, 1000, { larger: 'limited' }),
  ImageIds: idListSchema('ami', 'InvalidAMIID.Malformed').optional(),
  Owners: z.array(textSchema).max(100).default([]),
  ExecutableUsers: z.array(textSchema).max(100).default([]),
  IncludeDeprecated: z.boolean().optional(),
  IncludeDisabled: z.boolean().optional(),
})

/** DescribeImages. */
export const describeImages: Action = {
  name: 'DescribeImages',
  async run(call): Promise<DescribeImagesResult> {
    const input = parseInput(describeSchema, call.input)
    refuseIdsWithMaxResults('imageIdsSet', input.ImageIds, input)
    dryRun(call)
    const { account } = call.caller
    const ids = input.ImageIds?.length === 0 ? undefined : input.ImageIds
    const { images, tags } = await call.parts.store.read(async (tx) => ({
      images: await registeredImages(tx, ids === undefined ? { account } : { account, ids }),
      tags: await tx.tags({ account }),
    }))
    refuseMissing(ids, new Set(images.map(({ id }) => id)), missingImages)
    // No image has launch permissions for anybody but its owner, who needs none.
    const isVisible = ownerMatches(input.Owners, call) && input.ExecutableUsers.length === 0
    const tagsOf = tagsIndex(tags)
    const visible = isVisible ? images : []
    const views = await mapInPieces(call.budget, visible, (image) =>
      imageView(image, tagsOf(image.id)),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeImages',
      key: (image) => image.ImageId ?? '',
      filters: IMAGE_FILTERS,
      tags: (image) => image.Tags ?? [],
    })
    return { Images: [...page.items], NextToken: page.nextToken }
  },
}

/** Images that were not deregistered: the others nobody sees. */
async function registeredImages(tx: ReadTx, query: Parameters<ReadTx['images']>[0]) {
  return (await tx.images(query)).filter(({ state }) => state !== 'deregistered')
}

/** Every image that the caller sees is its own, so `Owners` shows all of them or none. */
function ownerMatches(owners: readonly string[], call: Call): boolean {
  return owners.length === 0 || owners.includes('self') || owners.includes(call.caller.account)
}

const deregisterSchema = z.strictObject({
  ...dryRunShape,
  ImageId: imageId,
  // There are no snapshots.
  DeleteAssociatedSnapshots: z.boolean().optional(),
})

/**
 * DeregisterImage. Instances that were launched from it go on, and can be stopped and started: until the last one has gone its record
 * stays where nobody sees it, under a name that nobody can give.
 */
export const deregisterImage: Action = {
  name: 'DeregisterImage',
  async run(call): Promise<DeregisterImageResult> {
    const { ImageId: id } = parseInput(deregisterSchema, call.input)
    const { store, bus } = call.parts
    const host = await store.transaction(async (tx) => {
      const [image] = await registeredImages(tx, { account: call.caller.account, ids: [id] })
      if (image === undefined) throw missingImages([id])
      dryRun(call)
      await tx.updateImage(id, { state: 'deregistered', name: `deregistered:${id}` })
      await tx.deleteUnusedImages(image.host)
      await tx.deleteTagsOf(id)
      await tx.advanceGeneration(image.host)
      return image.host
    })
    bus.ring(host)
    return { Return: true }
  },
}
