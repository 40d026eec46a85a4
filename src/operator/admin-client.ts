/** The command's side of the daemon's socket (`admin.sock`): reads documents and sends orders. */

import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { userInfo } from 'node:os'
import { z } from 'zod'
import { codeOf, hasCode } from '../lib/errno.ts'
import { below } from '../lib/paths.ts'
import { ACTOR_HEADER } from '../model/audit.ts'
import { refused, unavailable } from '../model/errors.ts'
import { MIB } from '../model/sizes.ts'

const refusalSchema = z.object({ error: z.string().min(1) })
const TIMEOUT_MS = 5000
/** The daemon's HTTP status for a refusal (`api/admin.ts`). */
const REFUSED = 409
const ANSWER_LIMIT_BYTES = 64 * MIB

/** The path of the socket. */
export function adminSocketFile(runtimeDir: string): string {
  return below(runtimeDir, 'admin.sock')
}

/**
 * Reads a JSON document from the daemon. `asked` becomes the query string, without what is
 * undefined. Errors: `unavailable` when no daemon answers; the message says what to do.
 */
export function readAdmin(
  runtimeDir: string,
  path: string,
  asked: Readonly<Record<string, string | undefined>> = {},
): Promise<unknown> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, value)
  return ask(runtimeDir, query.size === 0 ? path : `${path}?${query}`, 'GET')
}

/**
 * Sends an order to the daemon and returns its answer. Errors: those of `readAdmin`, and the
 * daemon's reason for a refusal.
 */
export function orderAdmin(
  runtimeDir: string,
  path: string,
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  return ask(runtimeDir, path, 'POST', timeoutMs)
}

async function ask(
  runtimeDir: string,
  path: string,
  method: 'GET' | 'POST',
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  const socketPath = adminSocketFile(runtimeDir)
  const headers = method === 'GET' ? {} : { [ACTOR_HEADER]: await actor() }
  const body = await new Promise<string>((resolve, reject) => {
    const outgoing = request(
      { socketPath, path, method, headers, timeout: timeoutMs },
      (incoming) => {
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
          const refusal = refusalIn(text)
          if (incoming.statusCode === 200) resolve(text)
          else if (incoming.statusCode === REFUSED && refusal !== undefined)
            reject(refused('InvalidParameterValue', refusal))
          else reject(new Error(refusal ?? `atolld answered ${incoming.statusCode}: ${text}`))
        })
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)))
    outgoing.on('error', (error) => reject(unavailable(explain(error, socketPath), error)))
    outgoing.end()
  })
  return JSON.parse(body)
}

/** The login uid of a process that nobody logged in for (getluid, audit(8)): -1 as unsigned. */
const NO_LOGIN = '4294967295'

/**
 * This process's user, and who logged in: the kernel remembers that through sudo and su
 * (proc_pid_loginuid(5)).
 */
async function actor(): Promise<string> {
  const login = await readFile('/proc/self/loginuid', 'utf8').catch(() => NO_LOGIN)
  const user = userInfo().username
  return login.trim() === NO_LOGIN ? user : `${user} (login uid ${login.trim()})`
}

/** Why the daemon could not be reached, and what to do. */
function explain(error: Error, socketPath: string): string {
  const reason = codeOf(error) ?? error.message
  if (hasCode(error, 'EACCES')) return `only root may open ${socketPath}: use sudo`
  return hasCode(error, 'ENOENT') || hasCode(error, 'ECONNREFUSED')
    ? `atolld is not running here: nothing listens at ${socketPath} (${reason}). Start it with: systemctl start atolld (or again: scripts/quickstart)`
    : `atolld does not answer at ${socketPath} (${reason}). Read its log: journalctl -u atolld (or /var/log/atoll/atolld.log)`
}

/** The daemon's reason for a refusal. */
function refusalIn(text: string): string | undefined {
  try {
    return refusalSchema.parse(JSON.parse(text)).error
  } catch {
    return undefined
  }
}
