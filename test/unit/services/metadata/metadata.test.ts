/** The metadata service when it is closed. Node's HTTP server would end new connections, too. */
import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/lib/clock.ts'
import { createMetrics } from '../../../../src/lib/metrics.ts'
import { createMetadata } from '../../../../src/services/metadata/metadata.ts'
import { instance, passWith } from '../../../../tools/kit/instance.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { freePort } from '../../../../tools/kit/mariadb.ts'
import { acceptedConnection, HERE, readToEnd } from '../../../kit/accepted-connection.ts'

it('answers a request that is on its way when it is closed', async () => {
  const port = await freePort()
  const metadata = createMetadata({
    ...{ key: new Uint8Array(32).fill(1), clock: systemClock, log: silentLog },
    settings: { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' },
    metrics: createMetrics(),
    listen: { address: HERE, port },
  })
  const { nics, ...one } = instance(7)
  await metadata.apply(passWith({ ...one, nics: nics.map((nic) => ({ ...nic, ip: HERE })) }))
  const [asks, idle] = [await acceptedConnection(port), await acceptedConnection(port)]
  const closed = metadata.close()
  asks.write('GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await readToEnd(asks)).toMatch(/^HTTP\/1\.1 \d{3} /)
  expect(await readToEnd(idle)).toBe('')
  await closed
})
