/**
 * The agent's side of the processes of the API: what they are given, where they ring and ask and
 * get commands, where their consoles go, and what they count.
 */
import { serveRelayedConsoles } from './api/console/relay-server.ts'
import type { Upgrader } from './api/console/server.ts'
import { handOver } from './api-hand-over.ts'
import type { Bus } from './bus/bus.ts'
import type { CommandQueue } from './bus/command-queue.ts'
import { serveSocketBus } from './bus/socket-server.ts'
import type { Config } from './config.ts'
import type { Identity } from './identity.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import type { HealthCondition } from './model/health.ts'
import { API_USER } from './model/names.ts'
import { apiPlaces } from './parts/api-places.ts'
import { apiBuild } from './settings.ts'

/** What the processes are served with. */
export interface ApiDoorParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly identity: Identity
  readonly bus: Bus
  /** Clients' commands, which the processes answer. Null: clients cannot reach the bus. */
  readonly commands: CommandQueue | null
  /** Called when events were noted in the records. */
  readonly onEvents: () => void
  readonly consoles: Upgrader
}

/** The agent's side, while it is open. */
export interface ApiDoor {
  /** Tells the processes that the records have changed. */
  tellChanged(): void
  /** The condition of the API, for the operator's `/healthz`. */
  health(): HealthCondition
}

/**
 * Opens it, until `parts` closes it. Call it when a database in a file exists. Errors: as of the
 * file system.
 */
export async function openApiDoor(
  { config, clock, log, metrics, identity, bus, commands, onEvents, consoles }: ApiDoorParts,
  parts: AsyncDisposableStack,
): Promise<ApiDoor> {
  const places = apiPlaces(config.runtimeDir)
  parts.defer(await handOver({ config, identity, clock, log }))
  const group = API_USER
  const server = await serveSocketBus(
    { bus, commands, clock, log, onEvents, build: apiBuild(config) },
    { file: places.bus, group },
  )
  parts.defer(() => server.close())
  parts.defer(await serveRelayedConsoles(consoles, { file: places.consoles, group }))
  metrics.addUp(server.measure)
  const wanted = config.api.workers
  return {
    tellChanged: server.tellChanged,
    health() {
      const running = server.connected()
      return { name: 'api', ok: running >= wanted, value: `${running} of ${wanted} processes run` }
    },
  }
}
