/** A deadline around what may never end. */
import { unavailable } from '../../model/errors.ts'
import { type After, timer } from './deadlines.ts'

/** What `work` gives, or `unavailable` after `timeoutMs`, naming `who` did not answer. The work is left to itself. */
export async function within<T>(
  timeoutMs: number,
  who: string,
  work: Promise<T>,
  after: After = timer,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const inTime = after(timeoutMs, () => {
    reject(unavailable(`${who} did not answer within ${timeoutMs} ms.`))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    inTime()
  }
}
