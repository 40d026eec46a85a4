/**
 * The images of this host: found, pulled or imported in the background, their content pinned by
 * digest.
 *
 * `docker://name:tag` is pinned by the engine's content id, which every host computes alike from
 * the same image, and by the digest under which its registry has it, by which another host pulls it
 * when the tag has moved; `file:///…` by the SHA-256 of the archive, which is imported once and
 * kept under a tag that names it. An image with a pinned digest is used by that digest alone: what
 * its location says today matters only when the content is not here.
 */
import { LRUCache } from 'lru-cache'

import { createAccountLimit, createLooks, LOOKS_REMEMBERED } from '../images/lookups.ts'
import { unavailable } from '../model/errors.ts'
import type { Images } from '../workloads/driver.ts'
import { type FetchOptions, fetchImage } from './image-fetch.ts'
import type { DockerImage } from './spec.ts'

export interface DockerImages extends Images {
  /**
   * What containers need to know of an image that was `ready`. Errors: `unavailable` when that is
   * no longer known; it is looked at anew.
   */
  details(digest: string): Promise<DockerImage>
  /** Drops what is known of this content: it turned out to be gone. */
  forget(digest: string): void
}

/** Images that are pulled or imported at once, and of these for one account; others wait. */
const FETCHES_AT_ONCE = 16
const FETCHES_OF_ACCOUNT = 4

export type DockerImagesOptions = Omit<FetchOptions, 'signal' | 'progress'>

/** Where the images of one Docker Engine are looked up. */
export function createDockerImages(options: DockerImagesOptions): DockerImages {
  const { clock, log } = options
  const shelf = new LRUCache<string, DockerImage>({ max: LOOKS_REMEMBERED })
  const turns = createAccountLimit(FETCHES_AT_ONCE, FETCHES_OF_ACCOUNT)
  const looks = createLooks({
    clock,
    log,
    async find(want, progress, signal) {
      const turn = { key: `${want.location} ${want.digest ?? want.id}`, owner: want.account }
      const fetch = () => fetchImage({ ...options, signal, progress }, want)
      const { digest, repositoryDigest, image } = await turns.run(turn, fetch, signal)
      shelf.set(digest, image)
      return { digest, repositoryDigest, architecture: image.architecture, diskGiB: null }
    },
  })

  function forget(digest: string): void {
    shelf.delete(digest)
    looks.forget(digest)
  }

  return {
    look: looks.look,
    watch: looks.watch,
    async details(digest) {
      const image = shelf.get(digest)
      if (image !== undefined) return image
      forget(digest)
      throw unavailable(`the image ${digest} is not at hand`)
    },
    forget,
    async close() {
      // Not waited for: an engine that does not answer must not hold up the end.
      void looks.close()
    },
  }
}
