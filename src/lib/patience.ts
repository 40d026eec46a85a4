/** Waiting a while for something that may take for ever. */
import type { Clock } from './clock.ts'

/** What `work` gives within `ms`, or null when it takes longer: it goes on, and its end is the caller's to see to. */
export async function patiently<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  work: Promise<T>,
): Promise<T | null> {
  const inTime = new AbortController()
  const late = clock.sleep(ms, inTime.signal).then(
    () => null,
    () => null,
  )
  try {
    return await Promise.race([work, late])
  } finally {
    inTime.abort()
  }
}
