/**
 * Allows one process for each directory, by an abstract Unix socket with its name.
 *
 * The kernel frees the name when the holder dies, so a stale lock cannot exist (unix(7),
 * "abstract").
 */
import { createServer } from 'node:net'
import { hasCode } from './errno.ts'

/** Takes the lock. Null when another process holds it. The returned function releases it. */
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
