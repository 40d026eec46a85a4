/** A clock whose waits are shorter. */
import { type Clock, systemClock } from '../../src/lib/clock.ts'

/** The system's clock, with waits `times` as fast as the wall's, which goes on as it does. */
export function fastClock(times: number): Clock {
  return {
    now: systemClock.now,
    monotonic: () => performance.now() * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
    after: (ms, run) => systemClock.after(ms / times, run),
  }
}
