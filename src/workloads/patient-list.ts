/**
 * Lists of an engine that may be slow or hung, so that nobody but its own instances waits for it.
 *
 * A list that is not there in a moment goes on in the background; its pass does without, and the
 * end of it asks for another pass, which takes what it found. While it goes on, passes do not wait
 * at all.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadHave } from '../plan/workloads.ts'
import type { WorkloadDriver } from './driver.ts'

/** What an engine says it has. */
interface Listed {
  readonly haves: readonly WorkloadHave[]
  /**
   * Instances that a step was in progress for when the list was begun: of those it may tell the
   * past.
   */
  readonly busy: ReadonlySet<InstanceId>
}

export interface PatientList {
  /** Errors: `unavailable` while the engine does not answer, and the driver's own. */
  read(fresh: boolean, signal: AbortSignal): Promise<Listed>
}

/**
 * How long a pass waits for an engine that answered the last time. A healthy one takes some
 * milliseconds.
 */
const PATIENCE_MS = 1_000
/** A list that was late is good for so long: the pass that it asks for comes at once. */
const LATE_GOOD_MS = 2_000

interface Parts {
  readonly driver: Pick<WorkloadDriver, 'name' | 'list'>
  readonly busy: () => ReadonlySet<InstanceId>
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
}

/** Nothing is being listed. */
export function createPatientList({ driver, busy, wake, clock, log }: Parts): PatientList {
  let underWay: Promise<Listed> | null = null
  let late: { readonly listed: Promise<Listed>; readonly atMs: number } | null = null

  function begin(fresh: boolean, signal: AbortSignal): Promise<Listed> {
    const before = busy()
    return driver.list({ fresh, signal }).then((haves) => ({ haves, busy: before }))
  }

  /** What comes too late for its pass is kept for the next, be it a list or a failure. */
  function goOn(listing: Promise<Listed>): void {
    const beganMs = clock.monotonic()
    underWay = listing
    const end = (): void => {
      underWay = null
      late = { listed: listing, atMs: clock.monotonic() }
      log.info(
        { engine: driver.name, ms: Math.round(clock.monotonic() - beganMs + PATIENCE_MS) },
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
      const answered = await inTime(clock, PATIENCE_MS, listing)
      if (answered !== null) return answered
      goOn(listing)
      throw hung(driver.name)
    },
  }
}

function hung(engine: string): Error {
  return unavailable(`${engine} does not answer; its instances wait, all else goes on`)
}
