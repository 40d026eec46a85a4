/** A web server of disk images that sends a byte from time to time, and never ends. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { GIB } from '../../../src/model/sizes.ts'
import { OUTSIDE_SERVER } from '../../lab/layout.ts'

const PORT = 8099
const BYTE_EVERY_MS = 500

/** For `images.reach`, because the address is in a range for documentation. */
export const SLOW_IMAGES = `${OUTSIDE_SERVER}:${PORT}`

export interface SlowImages extends AsyncDisposable {
  /** Number of different images that were requested. */
  begun(): number
  /** Number of open requests. */
  open(): number
}

/** Serves any path of `http://SLOW_IMAGES/` until it is disposed of. */
export async function serveSlowImages(): Promise<SlowImages> {
  const paths = new Set<string>()
  let open = 0
  const server = createServer((request, response) => {
    paths.add(request.url ?? '')
    open += 1
    response.writeHead(200, { 'content-length': GIB })
    const byte = () => response.write(Buffer.alloc(1))
    byte()
    const timer = setInterval(byte, BYTE_EVERY_MS)
    response.once('close', () => {
      clearInterval(timer)
      open -= 1
    })
  })
  server.listen(PORT, OUTSIDE_SERVER)
  await once(server, 'listening')
  return {
    begun: () => paths.size,
    open: () => open,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
