/** Starts and controls a process with simulated hosts (`worker.ts`). */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { endChild, messageOf } from '../../kit/child.ts'
import type { Requests } from './worker.ts'

const HEAP_LIMIT_MB = 8192

type Reply = { readonly answer: unknown } | { readonly failed: string }

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
      const reply = (await messageOf(child, kind)) as Reply
      if ('failed' in reply) throw new Error(`${kind}: ${reply.failed}`)
      return reply.answer as Requests[typeof kind]['answer']
    },
    end: () => endChild(child),
  }
}
