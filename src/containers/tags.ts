/** Names of our images in the Docker Engine. Pure. */
import type { ImageId } from '../model/ids.ts'
import { IMAGE_REPOSITORY } from '../model/names.ts'

/** The name of a committed container until its volumes are added. */
export function partTag(image: ImageId): string {
  return `${committedTag(image)}${PART}`
}

/** The image part of a name from `partTag`, not yet checked as an id. Undefined for other names. */
export function partOf(tag: string): string | undefined {
  const name = tag.slice(IMAGE_REPOSITORY.length + 1)
  return name.endsWith(PART) ? name.slice(0, -PART.length) : undefined
}

const PART = '-part'

/** The name of an image that was made on this host. */
export function committedTag(image: ImageId): string {
  return `${IMAGE_REPOSITORY}:${image}`
}
