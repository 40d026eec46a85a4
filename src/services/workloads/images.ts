/**
 * The images of this host: found, pulled or imported in the background, their content pinned by digest.
 *
 * `docker://name:tag` is pinned by the engine's content id, which every host computes alike from the same image;
 * `file:///…` by the SHA-256 of the archive, which is imported once and kept under a tag that names it. An image with a
 * pinned digest is used by that digest alone: what its location says today matters only when the content is not here.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../lib/clock.ts'
import { messageOf, unavailable } from '../../model/errors.ts'
import type { ImageWant } from '../../model/want.ts'
import type { ImageLook } from '../../plan/workloads.ts'
import type { DockerImage } from './docker-spec.ts'
import type { Images } from './driver.ts'
import { type FetchOptions, fetchImage } from './image-fetch.ts'

export interface DockerImages extends Images {
  /** What containers need to know of an image that was `ready`. Errors: `unavailable` when that is no longer known; it is looked at anew. */
  details(digest: string): Promise<DockerImage>
  /** Drops what is known of this content: it turned out to be gone. */
  forget(digest: string): void
}

export type DockerImagesOptions = Omit<FetchOptions, 'signal' | 'progress'>

/** Looks and images remembered at most. */
const REMEMBERED = 1_000
/** A failed look is repeated after this long, and not before. */
const FAILED_FOR_MS = 10_000
/** Progress is told at most this often. */
const PROGRESS_EVERY_MS = 1_000

/** Where the images of one Docker Engine are looked up. */
export function createDockerImages(options: DockerImagesOptions): DockerImages {
  const { clock, log } = options
  const looks = new LRUCache<string, Look>({ max: REMEMBERED })
  const shelf = new LRUCache<string, DockerImage>({ max: REMEMBERED })
  const listeners = new Set<() => void>()
  const closing = new AbortController()
  const changed = () => {
    for (const listener of listeners) listener()
  }

  async function work(want: ImageWant, look: Look): Promise<void> {
    const told = throttled(clock, changed)
    const progress = (message: string) => {
      look.now = { kind: 'working', message }
      told()
    }
    try {
      const { digest, image } = await fetchImage(
        { ...options, signal: closing.signal, progress },
        want,
      )
      shelf.set(digest, image)
      look.now = { kind: 'ready', digest, architecture: image.architecture }
      log.info({ image: want.id, location: want.location, digest }, 'image ready')
    } catch (error) {
      if (closing.signal.aborted) return
      look.now = { kind: 'failed', message: messageOf(error) }
      look.failedAt = clock.monotonic()
      log.warn({ image: want.id, location: want.location, error }, 'image failed')
    }
    changed()
  }

  function forget(digest: string): void {
    shelf.delete(digest)
    for (const [key, { now }] of looks.entries())
      if (now.kind === 'ready' && now.digest === digest) looks.delete(key)
  }

  return {
    look(want) {
      // Without a digest it is this image's own look: the same location may hold something else by now.
      const key = `${want.location} ${want.digest ?? want.id}`
      const known = looks.get(key)
      const old = known?.now.kind === 'failed' && clock.monotonic() - known.failedAt > FAILED_FOR_MS
      if (known !== undefined && !old) return known.now
      const look: Look = { now: { kind: 'working', message: 'Looking' }, failedAt: 0 }
      looks.set(key, look)
      void work(want, look)
      return look.now
    },
    async details(digest) {
      const image = shelf.get(digest)
      if (image !== undefined) return image
      forget(digest)
      throw unavailable(`the image ${digest} is not at hand`)
    },
    forget,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => closing.abort(),
  }
}

interface Look {
  now: ImageLook
  failedAt: number
}

function throttled(clock: Clock, tell: () => void): () => void {
  let lastMs = Number.NEGATIVE_INFINITY
  return () => {
    if (clock.monotonic() - lastMs < PROGRESS_EVERY_MS) return
    lastMs = clock.monotonic()
    tell()
  }
}
