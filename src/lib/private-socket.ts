/** UNIX sockets by which processes of this host talk to each other. */
import { once } from 'node:events'
import { chmod, chown, rm } from 'node:fs/promises'
import type { Server } from 'node:net'

/** Where the socket is, and who may connect besides root. */
export interface PrivateSocket {
  readonly file: string
  /** Absent: only root. */
  readonly group?: number
}

/**
 * Listens there, in place of the socket of a daemon that was killed: another one that runs would
 * hold the lock. Errors: as `listen(2)`, and those of the file system.
 */
export async function listenPrivately(
  server: Server,
  { file, group }: PrivateSocket,
): Promise<void> {
  await rm(file, { force: true })
  server.listen(file)
  await once(server, 'listening')
  await chmod(file, group === undefined ? 0o600 : 0o660)
  if (group !== undefined) await chown(file, 0, group)
}
