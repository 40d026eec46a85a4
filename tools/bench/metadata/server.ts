/**
 * A server for the benchmark `metadata`, as a process of its own: `server.ts ours` is our metadata
 * service, and `server.ts bare` a server of Node that answers the same bytes to anybody. It listens
 * on 127.0.0.1, says its port, and runs until it is killed.
 */
import { createServer } from 'node:http'
import { createServiceSockets } from '../../../src/host/sockets/listen.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { createMetadata } from '../../../src/services/metadata/metadata.ts'
import { instance, passWith } from '../../kit/instance.ts'
import { silentLog } from '../../kit/log.ts'

const LOOPBACK = ipv4('127.0.0.1')
const PORT = 8080
const guest = instance(1)

if (process.argv[2] === 'ours') {
  const metadata = createMetadata({
    settings: { zone: 'atoll.internal', region: 'atoll', architecture: 'x86_64' },
    key: new Uint8Array(32),
    listen: { address: LOOPBACK, port: PORT },
    sockets: createServiceSockets(),
    // As shipped, an instance gets 250 answers a second.
    limits: { burst: 1e9, perSecond: 1e9 },
    ...{ clock: systemClock, metrics: createMetrics(), log: silentLog },
  })
  const nics = guest.nics.map((nic) => ({ ...nic, ip: LOOPBACK }))
  await metadata.apply(passWith({ ...guest, nics }))
} else {
  const body = Buffer.from(guest.id)
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length })
    response.end(body)
  })
  await new Promise<void>((done) => server.listen(PORT, LOOPBACK, done))
}
process.stdout.write(`${PORT}\n`)
