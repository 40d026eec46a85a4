/**
 * Atoll's API for `scripts/bench api`, in a process of its own: the daemon's records, agent and API
 * server, on a simulated machine whose driver does nothing (`scale/machine.ts`). Its argument is
 * the state directory. Sends its port and its key to its parent, and then, each time it is asked,
 * the longest pause of its event loop since it was asked last.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createLedger } from '../../../src/agent/ledger.ts'
import { allActions } from '../../../src/api/actions/all.ts'
import { createApi } from '../../../src/api/http/server.ts'
import { configSchema } from '../../../src/config.ts'
import { DOCKER } from '../../../src/containers/declaration.ts'
import { readCloudSecret } from '../../../src/identity.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createLog } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { connect, startMember } from '../../../src/member.ts'
import { readCredentials } from '../../../src/operator/credentials.ts'
import { createFakeMachine } from '../scale/machine.ts'

/** More than the benchmark launches. */
const VCPUS = 65_536
const MEMORY_MIB = 1_073_741_824
/** Sampling interval of the event loop's pauses. */
const LOOP_SAMPLE_MS = 1

const [stateDir = ''] = process.argv.slice(2)
const config = configSchema.parse({
  host: { name: 'bench' },
  stateDir,
  runtimeDir: stateDir,
  network: { subnet: '172.31.0.0/16' },
  api: {
    requestsPerSecond: 100_000,
    requestBurst: 1_000_000,
    quotas: { networkInterfaces: 1_000_000 },
  },
})
const log = await createLog({ level: 'info', format: 'json' })
const metrics = createMetrics()
const context = {
  ...{ config, clock: systemClock, log, metrics, random: Math.random, randomBytes },
  identity: { secret: await readCloudSecret(config) },
  ledger: createLedger({ file: join(stateDir, 'ledger.json'), clock: systemClock, log }),
}
const announced = {
  ...{ identity: 'bench', version: 'bench' },
  ...{ vcpus: VCPUS, memoryMiB: MEMORY_MIB, diskGiB: null },
}
// They run until the process ends.
const parts = new AsyncDisposableStack()
const connection = await connect(context, announced, null, parts)
const machine = {
  drivers: [DOCKER],
  services: (wake: () => void) => [createFakeMachine(wake, 0)],
  watchKernel: () => () => undefined,
  shortage: async () => null,
}
const { calls } = startMember(context, connection, machine, parts)
const { requestsPerSecond, requestBurst } = config.api
const api = createApi({
  ...{ parts: calls, actions: allActions, listen: '127.0.0.1', port: 0, log, metrics },
  limits: { requestsPerSecond, requestBurst },
})
const { port } = await api.listen()
const { accessKeyId: id, secretAccessKey: secret } = await readCredentials(stateDir)
const pauses = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS })
pauses.enable()
process.on('message', () => {
  process.send?.({ pauseMs: pauses.max / 1e6 })
  pauses.reset()
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port, id, secret })
