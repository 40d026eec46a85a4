/** A deadline around work that may not look at its signal: the caller is answered in time whatever the work does. */
import { unavailable } from '../../model/errors.ts'

/**
 * Runs `work` with a signal that aborts when the client is `gone` or after `timeoutMs`, and rejects with `unavailable` at
 * that moment. Work that goes on regardless is left to itself; its result and its failure are dropped.
 */
export async function withDeadline<T>(
  gone: AbortSignal,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const { promise: cut, reject } = Promise.withResolvers<never>()
  const abort = (message: string): void => {
    const reason = unavailable(message)
    controller.abort(reason)
    reject(reason)
  }
  const onGone = (): void => abort('The client is gone')
  const timer = setTimeout(
    abort,
    timeoutMs,
    `The request took longer than ${timeoutMs} ms; try again`,
  )
  gone.addEventListener('abort', onGone, { once: true })
  if (gone.aborted) onGone()
  try {
    return await Promise.race([work(controller.signal), cut])
  } finally {
    clearTimeout(timer)
    gone.removeEventListener('abort', onGone)
  }
}
