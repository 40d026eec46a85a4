/**
 * The images of this host. They are found, pulled or imported in the background, and their content
 * is pinned by digest.
 *
 * `docker://name:tag` is pinned by the engine's content id, which is the same on every host, and by
 * the digest in its registry, by which another host pulls it when the tag has moved. `file:///…` is
 * pinned by the SHA-256 of the archive, which is imported once under a tag with that digest. An
 * image with a pinned digest is used by that digest alone. What its location contains now matters
 * only if the content is not here.
 */
import { LRUCache } from 'lru-cache'

import { createAccountLimit, createLookups, LOOKUPS_REMEMBERED } from '../images/lookups.ts'
import { unavailable } from '../model/errors.ts'
import type { Images } from '../workloads/driver.ts'
import { type FetchOptions, fetchImage } from './image-fetch.ts'
import type { DockerImage } from './spec.ts'

export interface DockerImages extends Images {
  /**
   * The details of an image that was `ready`. Errors: `unavailable` when they are no longer known.
   * Then the image is inspected again.
   */
  details(digest: string): Promise<DockerImage>
  /** Forgets this content, which is gone. */
  forget(digest: string): void
}

/** Maximum number of concurrent pulls and imports, in total and for one account. Others wait. */
const FETCHES_AT_ONCE = 16
const FETCHES_OF_ACCOUNT = 4

export type DockerImagesOptions = Omit<FetchOptions, 'signal' | 'progress'>

/** Looks up the images of a Docker Engine. */
export function createDockerImages(options: DockerImagesOptions): DockerImages {
  const { clock, log } = options
  const shelf = new LRUCache<string, DockerImage>({ max: LOOKUPS_REMEMBERED })
  const turns = createAccountLimit(FETCHES_AT_ONCE, FETCHES_OF_ACCOUNT)
  const looks = createLookups({
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
      throw unavailable(`the image ${digest} is not available here`)
    },
    forget,
    async close() {
      // Not waited for: an engine that does not answer must not delay the end.
      void looks.close()
    },
  }
}
