/** A terminal behind the port that drivers serve: it shows what is typed. */
import { PassThrough } from 'node:stream'
import type { Terminal } from '../../src/lib/terminal.ts'

export interface EchoTerminal extends Terminal {
  /** Sizes that it was given. */
  readonly sizes: string[]
  isClosed(): boolean
}

/** A terminal of the kind that ends when nothing more is typed. */
export function createEchoTerminal(): EchoTerminal {
  const line = new PassThrough()
  const sizes: string[] = []
  let closed = false
  return {
    kind: 'shell',
    output: line,
    input: line,
    sizes,
    isClosed: () => closed,
    resize: async (columns, rows) => void sizes.push(`${columns}x${rows}`),
    end: async () => ({ exitCode: 5, reason: 'all was echoed' }),
    async close() {
      closed = true
      line.destroy()
    },
  }
}
