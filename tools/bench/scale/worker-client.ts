/** Starts and controls a process with simulated hosts (`worker.ts`). */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Requests } from './worker.ts'

const HEAP_LIMIT_MB = 8192

export interface Worker {
  /** One request at a time. Rejects when the process refuses it or ends. */
  ask<K extends keyof Requests>(kind: K, ask: Requests[K]['ask']): Promise<Requests[K]['answer']>
  /** Ends it at once. */
  end(): Promise<void>
}

/** Starts the process. It ends with this one. */
export function startWorker(): Worker {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [], {
    execArgv: ['--expose-gc', `--max-old-space-size=${HEAP_LIMIT_MB}`],
  })
  return {
    async ask(kind, ask) {
      if (!child.connected) throw new Error(`${kind}: the process has ended`)
      child.send({ kind, ask })
      const reply = await replyOf(child, kind)
      if ('failed' in reply) throw new Error(`${kind}: ${reply.failed}`)
      return reply.answer as Requests[typeof kind]['answer']
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

async function replyOf(
  child: ChildProcess,
  kind: string,
): Promise<{ readonly answer: unknown } | { readonly failed: string }> {
  const ended = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message),
      once(child, 'exit', { signal: ended.signal }).then(() => {
        throw new Error(`${kind}: the process ended`)
      }),
    ])
  } finally {
    ended.abort()
  }
}
