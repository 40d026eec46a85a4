/** Processes that this one has started. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Sends it the signal, unless it has ended, and waits until it has. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** Its next message (`child_process.fork`). Rejects when it ends before; `name` says which. */
export async function messageOf(child: ChildProcess, name: string): Promise<unknown> {
  const over = new AbortController()
  const { signal } = over
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]: unknown[]) => message),
      once(child, 'exit', { signal }).then(() => {
        throw new Error(`${name}: the process has ended`)
      }),
    ])
  } finally {
    over.abort()
  }
}
