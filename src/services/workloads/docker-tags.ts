/** Names of images of ours in the Docker Engine. Pure. */
import type { ImageId } from '../../model/ids.ts'
import { IMAGE_REPOSITORY } from '../../model/names.ts'

/** The name under which the engine keeps an image that was made on this host. */
export function committedTag(image: ImageId): string {
  return `${IMAGE_REPOSITORY}:${image}`
}
