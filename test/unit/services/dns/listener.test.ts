/** DNS over TCP when it is closed. */
import { expect, it } from 'vitest'
import { loadLibc } from '../../../../src/host/libc.ts'
import { createServiceSockets } from '../../../../src/host/sockets/listen.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { withLength } from '../../../../src/services/dns/exchange.ts'
import { listen } from '../../../../src/services/dns/listener.ts'
import { Sources } from '../../../../src/services/dns/sources.ts'
import { freePort } from '../../../../tools/kit/mariadb.ts'
import { acceptedConnection, HERE, readToEnd } from '../../../kit/accepted-connection.ts'

it('answers a query that is on its way when it is closed', async () => {
  const port = await freePort()
  const sources = new Sources(
    {
      ...{ queriesPerSecond: 100, maxOutstanding: 10, maxOutstandingPerSource: 10 },
      ...{ maxConnections: 10, maxConnectionsPerSource: 10 },
      ...{ questionsPerSecond: 100, questionsPerSecondOfAll: 100 },
    },
    systemClock,
  )
  sources.replace([HERE])
  const listener = await listen({
    ...{ address: HERE, port, sources, sockets: createServiceSockets(), clock: systemClock },
    libc: loadLibc,
    datagrams: () => {
      throw new Error('there is no datagram')
    },
    ask: (message, _source, _transport, send) => send(message),
    onRefused: () => undefined,
  })
  const [asks, idle] = [await acceptedConnection(port), await acceptedConnection(port)]
  const closed = listener.close()
  asks.write(withLength(Buffer.from('question')))
  expect(await readToEnd(asks)).toContain('question')
  expect(await readToEnd(idle)).toBe('')
  await closed
})
