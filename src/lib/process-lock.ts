/**
 * One process at a time for a directory: an abstract unix socket named after it.
 *
 * The kernel frees the name the moment the holder dies, however it dies, so there is never a stale
 * lock (unix(7), "abstract").
 */
import { createServer } from 'node:net'
import { hasCode } from './errno.ts'

/**
 * Takes the lock, or returns null when another process holds it. The returned function gives it
 * back.
 */
export async function takeProcessLock(name: string): Promise<(() => Promise<void>) | null> {
  const server = createServer((socket) => socket.destroy())
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error) => (hasCode(error, 'EADDRINUSE') ? resolve(false) : reject(error)))
    server.listen({ path: `\0${name}` }, () => resolve(true))
  })
  if (!taken) return null
  server.unref()
  return () => new Promise((resolve) => server.close(() => resolve()))
}
