/** The API of one host: the server of HTTP. */
import type { ApiParts } from './api/action.ts'
import { allActions } from './api/actions/all.ts'
import type { Upgrader } from './api/console/server.ts'
import { createApi } from './api/http/server.ts'
import type { ApiCertificates } from './api/http/tls-detection.ts'
import type { Config } from './config.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'

/** What clients are answered with. */
export interface ApiServerParts {
  readonly config: Config
  /** A descriptor that listens for clients; null: the settings say where. */
  readonly listener: number | null
  readonly log: Log
  readonly metrics: Metrics
  readonly calls: ApiParts
  readonly certificates: Omit<ApiCertificates, 'hostName'>
  /** Takes the connections of consoles. `close` ends them. */
  readonly consoles: Upgrader & { close(): Promise<void> }
  /** Whether a load balancer should send clients here. */
  readonly isHealthy: () => boolean | Promise<boolean>
}

/** Answers clients from now on, until `parts` ends it. Errors: an address that is in use. */
export async function startApiServer(
  { config, log, metrics, calls, ...given }: ApiServerParts,
  parts: AsyncDisposableStack,
): Promise<void> {
  const { bodyLimitKiB, requestsPerSecond, requestBurst } = config.api
  const { api, host, onChange } = given.certificates
  const server = createApi({
    listener: given.listener,
    parts: calls,
    actions: allActions,
    listen: config.api.listen,
    port: config.api.port,
    limits: { bodyBytes: bodyLimitKiB * 1024, requestsPerSecond, requestBurst },
    log,
    metrics,
    upgrader: given.consoles,
    isHealthy: given.isHealthy,
    certificates: { api, host, onChange, hostName: config.host.name },
  })
  parts.defer(() => server.close())
  // Before what they came in by: a server does not close before they have ended.
  parts.defer(() => given.consoles.close())
  await server.listen()
}
