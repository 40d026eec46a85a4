/**
 * Images that are made from instances (CreateImage): those under way, and the results.
 *
 * The record asks for an image until a host reports the image or a failure. Each is made in the
 * background by the driver, a few at once. A new daemon is asked for the same images again, and
 * starts again those that are incomplete.
 */

import { createAccountLimit, createLookups } from '../images/lookups.ts'
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import type { ImageId, InstanceId } from '../model/ids.ts'
import type { CaptureWant } from '../model/want.ts'
import type { ImageStatus } from '../plan/workloads.ts'
import type { Capturer } from './driver.ts'

export interface Captures {
  /** The state of the image. Starts making it if nothing is known of it. Never waits. */
  look(want: CaptureWant): ImageStatus
  /** Whether an image of the instance is being made, so that it must not be started now. */
  holds(instance: InstanceId): boolean
  /**
   * Removes, in the background, all images that were made here except these. Null: the list is
   * unknown, so nothing is removed. It checks when `images` is a new list, when an image was made,
   * and when `fresh` is set.
   */
  keep(images: readonly ImageId[] | null, fresh: boolean): void
  /** Like `Images.watch`. */
  watch(changed: () => void): () => void
  close(): Promise<void>
}

/** Each reads and writes a whole disk, so more at once would only be slower. */
const CAPTURES_AT_ONCE = 2
/** How long `close` waits for images under way. The next daemon finds what they leave. */
const CLOSE_DEADLINE_MS = 5_000

/** Nothing is under way at first. */
export function createCaptures({
  capturer,
  clock,
  log,
}: {
  readonly capturer: Capturer
  readonly clock: Clock
  readonly log: Log
}): Captures {
  const turns = createAccountLimit(CAPTURES_AT_ONCE, CAPTURES_AT_ONCE)
  const held = new Set<InstanceId>()
  const busy = new Set<ImageId>()
  let kept: string | null = null
  const inTurn = createQueue()
  let keeping = Promise.resolve()

  const looks = createLookups<CaptureWant>({
    clock,
    log,
    find: (want, progress, signal) => {
      const capture = async () => {
        held.add(want.instance)
        busy.add(want.id)
        try {
          return await capturer.capture(want, progress, signal)
        } finally {
          held.delete(want.instance)
          busy.delete(want.id)
          kept = null
        }
      }
      // Images of one instance are made one after the other.
      return turns.run({ key: want.instance, owner: want.account }, capture, signal)
    },
  })

  return {
    look: looks.look,
    holds: (instance) => held.has(instance),
    keep(images, fresh) {
      const key = images === null ? null : images.join()
      if (images === null || (key === kept && !fresh)) return
      kept = key
      keeping = inTurn(() => capturer.keep(new Set(images), busy)).catch((error: unknown) => {
        kept = null
        log.warn({ error }, 'unneeded images could not be removed')
      })
    },
    watch: looks.watch,
    async close() {
      await inTime(clock, CLOSE_DEADLINE_MS, Promise.all([looks.close(), keeping]))
    },
  }
}
