/** The daemon's unix socket, from the command line: documents and orders. */

import { z } from 'zod'
import { codeOf, hasCode } from '../lib/errno.ts'
import { request } from '../lib/http.ts'
import { below } from '../lib/paths.ts'
import { unavailable } from '../model/errors.ts'
import { MIB } from '../model/sizes.ts'

const refusalSchema = z.object({ error: z.string().min(1) })
const TIMEOUT_MS = 5000
const ANSWER_LIMIT_BYTES = 64 * MIB

/** The socket's place in a runtime directory. */
export function adminSocketFile(runtimeDir: string): string {
  return below(runtimeDir, 'admin.sock')
}

/**
 * One JSON document from the daemon. Rejects with `unavailable` when none answers; the message says
 * what to do.
 */
export function readAdmin(runtimeDir: string, path: string): Promise<unknown> {
  return ask(runtimeDir, path, 'GET')
}

/**
 * Gives the daemon an order and returns what came of it. Rejects as `readAdmin` does, and with the
 * reason of a refusal.
 */
export function orderAdmin(runtimeDir: string, path: string): Promise<unknown> {
  return ask(runtimeDir, path, 'POST')
}

async function ask(runtimeDir: string, path: string, method: 'GET' | 'POST'): Promise<unknown> {
  const socketPath = adminSocketFile(runtimeDir)
  const body = await new Promise<string>((resolve, reject) => {
    const outgoing = request({ socketPath, path, method, timeout: TIMEOUT_MS }, (incoming) => {
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > ANSWER_LIMIT_BYTES) incoming.destroy(new Error('the answer is too large'))
        else chunks.push(chunk)
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        if (incoming.statusCode === 200) resolve(text)
        else reject(new Error(refusalIn(text) ?? `atolld answered ${incoming.statusCode}: ${text}`))
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('timed out')))
    outgoing.on('error', (error) =>
      reject(
        unavailable(
          hasCode(error, 'EACCES')
            ? `only root may open ${socketPath}: use sudo`
            : `atolld does not answer at ${socketPath} (${codeOf(error) ?? error.message}): is it running? Start it with: atolld`,
          error,
        ),
      ),
    )
    outgoing.end()
  })
  return JSON.parse(body)
}

/** The daemon's own words of why not. */
function refusalIn(text: string): string | undefined {
  try {
    return refusalSchema.parse(JSON.parse(text)).error
  } catch {
    return undefined
  }
}
