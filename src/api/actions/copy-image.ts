/**
 * CopyImage: another image with the same content, under its own name and id.
 *
 * What the location of an image leads to is pinned by a digest, so a copy is a record with the same
 * location and digest: each host fetches it from there. An image that was made from an instance is
 * on one host only, and so is its copy. That host keeps the data as long as one of them is there.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { keptBy } from '../../model/image-location.ts'
import type { Image } from '../../model/records.ts'
import { isReservedKey } from '../../model/reserved-tags.ts'
import type { Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { duplicateName, imageNameSchema, visibleImages } from '../instances/images.ts'
import {
  clientTokenSchema,
  idSchema,
  missingImages,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
} from '../schemas.ts'

const schema = z.strictObject({
  Name: imageNameSchema,
  SourceImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
  SourceRegion: textSchema,
  Description: textSchema.optional(),
  CopyImageTags: z.boolean().default(false),
  Encrypted: onlySchema(false, 'Encrypted: images are not encrypted'),
  // There are no snapshots, so tags for them are not used.
  TagSpecifications: tagSpecificationsSchema(['image', 'snapshot']),
  ClientToken: clientTokenSchema,
})
type Asked = z.output<typeof schema>

/** CopyImage. The copy is available at once. */
export const copyImage = changeAction({
  name: 'CopyImage',
  input: schema,
  prepare(asked, { newId, settings }) {
    if (asked.SourceRegion !== settings.region)
      throw refused(
        'InvalidParameterValue',
        `SourceRegion: '${asked.SourceRegion}' is not a region of this cloud; there is only '${settings.region}'`,
      )
    return { asked, id: newId('ami') }
  },
  once: ({ asked, id }) => ({
    token: asked.ClientToken ?? null,
    result: id,
    repeat: async (_tx, result) => result as Image['id'],
  }),
  change: (tx, { asked, id }, changing) => copy(tx, asked, id, changing),
  view: (ImageId) => ({ ImageId }),
})

async function copy(
  tx: Tx,
  asked: Asked,
  id: Image['id'],
  { account, now, settings }: Changing,
): Promise<Image['id']> {
  const source = await requireCopyable(tx, asked.SourceImageId, account)
  const { digest, repositoryDigest, architecture, diskGiB, driver, location } = source
  const copied = `[Copied ${source.id} from ${settings.region}] ${source.description || source.name}`
  const image: Image = {
    ...{ id, account, name: asked.Name, location, driver, architecture, digest, diskGiB },
    ...{ repositoryDigest, sourceImage: source.id, sourceInstance: null, capture: null },
    ...{ state: 'available', stateReason: null, createdAt: now },
    host: keptBy(location) ?? settings.host,
    description: asked.Description ?? [...copied].slice(0, DESCRIPTION_MAX_LENGTH).join(''),
  }
  if ((await tx.insertImage(image)) === 'exists') throw await duplicateName(tx, account, asked.Name)
  const resource = { account, resource: id, resourceType: 'image' }
  const own = asked.CopyImageTags ? await tx.tags({ account, resources: [source.id] }) : []
  const copies = own
    .filter(({ key }) => !isReservedKey(key))
    .map((tag) => ({ ...tag, ...resource }))
  // Tags of the request count.
  await tx.putTags([...copies, ...specifiedTags(asked.TagSpecifications, resource)])
  return id
}

const DESCRIPTION_MAX_LENGTH = 255

/** The image, which is available. */
async function requireCopyable(tx: Tx, id: Image['id'], account: Image['account']): Promise<Image> {
  const [source] = await visibleImages(tx, account, [id])
  if (source === undefined) throw missingImages([id])
  if (source.state !== 'available')
    throw refused(
      'InvalidAMIID.Unavailable',
      `The image id '[${id}]' is ${source.state}; only an available image can be copied`,
    )
  return source
}
