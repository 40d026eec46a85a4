/**
 * The agent's end of consoles that the processes of the API pass on (`relay.ts`): a Unix socket
 * that takes connections with a ticket, and answers nothing else.
 */
import { once } from 'node:events'
import { chmod, chown, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { KIB } from '../../model/sizes.ts'
import type { Upgrader } from './server.ts'

const HEADER_BYTES = 16 * KIB
/** The processes pass on fewer. */
const CONNECTIONS = 256
const HEAD_TIMEOUT_MS = 5_000

/** Where the socket is, and who may connect besides root. */
interface SocketPlace {
  readonly file: string
  /** Absent: only root. */
  readonly group?: number
}

/** Takes consoles from now on. The returned function ends that. Errors: as `listen(2)`. */
export async function serveRelayedConsoles(
  consoles: Upgrader,
  { file, group }: SocketPlace,
): Promise<() => Promise<void>> {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: HEAD_TIMEOUT_MS,
      shouldUpgradeCallback: consoles.wants,
    },
    (_request, reply) => reply.writeHead(404).end(),
  )
  server.on('upgrade', consoles.take)
  server.maxConnections = CONNECTIONS
  // The socket of a daemon that was killed. Another one that runs would hold the lock.
  await rm(file, { force: true })
  server.listen(file)
  await once(server, 'listening')
  await chmod(file, group === undefined ? 0o600 : 0o660)
  if (group !== undefined) await chown(file, 0, group)
  return async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
}
