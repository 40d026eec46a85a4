/**
 * Lists the instances of an engine that may be slow or hang, so that only its own instances wait
 * for it.
 *
 * A list that is late goes on in the background. Its pass continues without it, and its end asks
 * for another pass, which uses the result. Meanwhile passes do not wait at all.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadHave } from '../plan/workloads.ts'
import type { WorkloadDriver } from './driver.ts'

/** The instances that an engine has. */
interface Listed {
  readonly haves: readonly WorkloadHave[]
  /**
   * Instances with a step in progress when the list began. What the list says of them may be old.
   */
  readonly busy: ReadonlySet<InstanceId>
}

export interface TimedList {
  /** Errors: `unavailable` while the engine does not answer, and the driver's own errors. */
  read(fresh: boolean, signal: AbortSignal): Promise<Listed>
}

/**
 * How long a pass waits for an engine that answered last time. A healthy one takes some
 * milliseconds.
 */
const WAIT_MS = 1_000
/** For how long a late list is used. The pass that it asks for comes at once. */
const LATE_GOOD_MS = 2_000

interface Parts {
  readonly driver: Pick<WorkloadDriver, 'name' | 'list'>
  readonly busy: () => ReadonlySet<InstanceId>
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
}

/** No list is under way at first. */
export function createTimedList({ driver, busy, wake, clock, log }: Parts): TimedList {
  let underWay: Promise<Listed> | null = null
  let late: { readonly listed: Promise<Listed>; readonly atMs: number } | null = null

  function begin(fresh: boolean, signal: AbortSignal): Promise<Listed> {
    const before = busy()
    return driver.list({ fresh, busy: before, signal }).then((haves) => ({ haves, busy: before }))
  }

  /** A late result, a list or a failure, is kept for the next pass. */
  function goOn(listing: Promise<Listed>): void {
    const beganMs = clock.monotonic()
    underWay = listing
    const end = (): void => {
      underWay = null
      late = { listed: listing, atMs: clock.monotonic() }
      log.info(
        { engine: driver.name, ms: Math.round(clock.monotonic() - beganMs + WAIT_MS) },
        'an engine answered late',
      )
      wake()
    }
    listing.then(end, end)
  }

  return {
    async read(fresh, signal) {
      if (underWay !== null) throw hung(driver.name)
      const kept = late
      late = null
      if (kept !== null && clock.monotonic() - kept.atMs < LATE_GOOD_MS) return await kept.listed
      const listing = begin(fresh, signal)
      const answered = await inTime(clock, WAIT_MS, listing)
      if (answered !== null) return answered
      goOn(listing)
      throw hung(driver.name)
    },
  }
}

function hung(engine: string): Error {
  return unavailable(`${engine} does not answer; its instances wait, everything else continues`)
}
