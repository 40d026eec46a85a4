/** Names of images of ours in the Docker Engine. Pure. */
import type { ImageId } from '../model/ids.ts'
import { IMAGE_REPOSITORY } from '../model/names.ts'

/**
 * The name under which the engine keeps what was committed of a container, until its volumes are
 * added to it.
 */
export function partTag(image: ImageId): string {
  return `${committedTag(image)}${PART}`
}

/**
 * The image that a tag of `partTag` is a part of, before it is looked at as an id; undefined: it is
 * no such tag.
 */
export function partOf(tag: string): string | undefined {
  const name = tag.slice(IMAGE_REPOSITORY.length + 1)
  return name.endsWith(PART) ? name.slice(0, -PART.length) : undefined
}

const PART = '-part'

/** The name under which the engine keeps an image that was made on this host. */
export function committedTag(image: ImageId): string {
  return `${IMAGE_REPOSITORY}:${image}`
}
