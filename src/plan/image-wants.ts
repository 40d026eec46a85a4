/** What a host must know of images. Pure. */
import type { ImageId } from '../model/ids.ts'
import { driverOf } from '../model/image-location.ts'
import type { Image, Instance } from '../model/records.ts'
import type { CaptureWant, ImageWant } from '../model/want.ts'

type Images = ReadonlyMap<ImageId, Image>

/**
 * The image of an instance with this driver. An image deregistered since then has no location any
 * more: what was made from it goes on, nothing new is made.
 */
export function imageWantOf(id: ImageId, driver: Instance['driver'], images: Images): ImageWant {
  const image = images.get(id)
  if (image !== undefined) return imageWant(image)
  const known = { location: '', hasVolume: false }
  return { id, location: '', digest: null, driver: driverOf({ driver }, known) }
}

/** An image. */
export function imageWant(image: Image): ImageWant {
  const { id, location, digest, repositoryDigest, account } = image
  const driver = driverOf(image, { location, hasVolume: false })
  return { id, location, driver, digest, repositoryDigest, account }
}

/** An image that is made from one of these instances; nothing for another image. */
export function captureWant(
  image: Image,
  instances: readonly Instance[],
  images: Images,
): readonly CaptureWant[] {
  const { sourceInstance: instance, capture } = image
  if (instance === null) return []
  const source = instances.find(({ id }) => id === instance)
  const origin = source === undefined ? undefined : images.get(source.image)
  return [
    {
      ...imageWant(image),
      instance,
      origin: origin?.location ?? '',
      reboot: capture === 'reboot',
    },
  ]
}
