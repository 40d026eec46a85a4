/** The socket that a process of the API is given by whoever started it. */
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createApi } from '../../../../src/api/http/server.ts'
import { createLinuxHost } from '../../../../src/host/linux.ts'
import { createMetrics } from '../../../../src/lib/metrics.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { parts } from '../../../kit/api.ts'

const ADDRESS = '127.0.0.1'
let taken: Server
let free: number

/** A port that nobody listens at. */
beforeEach(async () => {
  taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, ADDRESS, resolve))
  const address = taken.address()
  free = typeof address === 'object' ? (address?.port ?? 0) : 0
  await new Promise((resolve) => taken.close(resolve))
})

let host: ReturnType<typeof createLinuxHost>
beforeEach(() => {
  host = createLinuxHost({ log: silentLog })
})
afterEach(() => host.close())

function apiAt(listener: number, port: number) {
  const given = { actions: [], parts: parts(), log: silentLog, metrics: createMetrics() }
  return createApi({ ...given, listen: ADDRESS, port, listener })
}

const open = () => host.descriptors.open({ kind: 'tcp', address: ipv4(ADDRESS), port: free })

it('is used where it listens as the settings say', async () => {
  const api = apiAt(open(), free)
  expect(await api.listen()).toEqual({ port: free })
  expect((await fetch(`http://${ADDRESS}:${free}/healthz`)).status).toBe(200)
  await api.close()
})

it('is refused where it listens elsewhere, with what to do', async () => {
  const api = apiAt(open(), free - 1)
  await expect(api.listen()).rejects.toThrow(
    `was given a socket at ${ADDRESS} port ${free}, but api.listen and api.port are ${ADDRESS} port ${free - 1}: run scripts/install again`,
  )
  await api.close()
})
