/**
 * The agent's end of consoles that the processes of the API pass on (`relay.ts`): a Unix socket
 * that takes connections with a ticket, and answers nothing else.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { listenPrivately, type PrivateSocket } from '../../lib/private-socket.ts'
import { KIB } from '../../model/sizes.ts'
import type { Upgrader } from './server.ts'

const HEADER_BYTES = 16 * KIB
/** The processes pass on fewer. */
const CONNECTIONS = 256
const HEAD_TIMEOUT_MS = 5_000

/** Takes consoles from now on. The returned function ends that. Errors: as `listen(2)`. */
export async function serveRelayedConsoles(
  consoles: Upgrader,
  place: PrivateSocket,
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
  await listenPrivately(server, place)
  return async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
}
