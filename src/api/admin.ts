/**
 * The operator's interface on this host: `/metrics` and `/healthz` over TCP on loopback, and the
 * documents and orders of the `atoll` command over a Unix socket that only root can open.
 */
import { chmod, rm } from 'node:fs/promises'
import fastify, { type FastifyInstance } from 'fastify'
import type { BusCaller } from '../bus/bus.ts'
import { ringConcerned } from '../bus/ring.ts'
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { AtollError, messageOf, refused, unavailable } from '../model/errors.ts'
import type { HealthCondition } from '../model/health.ts'
import { type HostName, type InstanceId, parseHostName, parseId } from '../model/ids.ts'
import type { Instance, Nic } from '../model/records.ts'
import { KIB } from '../model/sizes.ts'
import type { UnreadableRow } from '../model/unreadable-row.ts'
import type { WarmReport } from '../model/warm-instance.ts'
import type { Surroundings } from '../plan/explain.ts'
import type { TraceReport } from '../plan/trace-report.ts'
import { announcing } from '../store/announce.ts'
import type { Position } from '../store/records/part.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import type { ReadTx } from '../store/store.ts'
import { addKeyRoutes, type KeyRouteOptions } from './accounts/access-keys.ts'
import { type AccountRouteOptions, addAccountRoutes } from './accounts/accounts.ts'
import type { ApiParts } from './action.ts'
import { addAuditRoute, recordOrders } from './audit/operator.ts'
import type { ConsoleLocator, ConsolePlace } from './console/locate.ts'
import type { Upgrader } from './console/server.ts'
import { type ExplainReport, explain, type Question } from './explain.ts'
import { type HostReport, hostReports } from './host-reports.ts'
import { forgetHost, setDraining } from './hosts.ts'
import { limitConnections } from './http/connection-limits.ts'
import { stateReasonText } from './instances/state-reason.ts'
import { addMoveRoutes } from './moves/routes.ts'
import { addUsageRoutes } from './usage.ts'

/** A row of `atoll instances`. */
export interface InstanceReport {
  readonly id: string
  readonly name: string | null
  readonly state: string
  /** `lost-host`: its host's lease has expired, so its state is unknown. Otherwise `ok`. */
  readonly status: 'ok' | 'lost-host'
  readonly type: string
  readonly image: string
  readonly host: string
  readonly ip: string | null
  readonly launchedAt: string
  readonly reason: string | null
}

/** The result of an order. */
export interface HostChangeReport {
  readonly host: string
  /** Instances that were terminated in the records. */
  readonly terminated: number
}

/** The document of `atoll status`. */
export interface StatusReport {
  readonly host: string
  readonly version: string
  readonly pid: number
  readonly startedAt: string
  readonly healthy: boolean
  readonly conditions: readonly HealthCondition[]
  readonly agent: object
  readonly instances: Readonly<Record<string, number>>
  /** Unreadable rows of the records, which are ignored. Only the first ones. */
  readonly unreadable: readonly UnreadableRow[]
  /** What is kept waiting for launches (the setting `warmInstances`). */
  readonly warm: readonly WarmReport[]
}

/** Number of rows in a report. The metric `atoll_unreadable_rows` has the total. */
const UNREADABLE_NAMED = 50

export interface AdminOptions {
  readonly store: InformedStore
  readonly bus: BusCaller
  readonly host: HostName
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** The agent's status, from which health follows. */
  readonly agentStatus: () => object
  readonly unreadable: () => readonly UnreadableRow[]
  readonly warm: () => readonly WarmReport[]
  readonly health: () => readonly HealthCondition[]
  /** The properties of this host that decide where packets go. */
  readonly surroundings: () => Promise<Surroundings>
  /** Sends a packet and says where it went. */
  readonly trace: (question: Question) => Promise<TraceReport>
  /** Accepts connections of consoles. */
  readonly upgrader: Upgrader
  readonly consoleLocator: ConsoleLocator
  /** How access keys are created and stored. Absent: there are no orders for them. */
  readonly keys?: Pick<KeyRouteOptions, 'random' | 'self' | 'keep' | 'changed'>
  /** What new accounts are made with. Absent: there are no orders for accounts. */
  readonly calls?: AccountRouteOptions['parts'] & Pick<ApiParts, 'audit'>
  readonly socketFile: string
  readonly listen: string
  readonly port: number
}

export interface Admin {
  listen(): Promise<void>
  close(): Promise<void>
}

/** Creates both servers. Neither listens yet. */
export function createAdmin(options: AdminOptions): Admin {
  const open = openServer(options)
  const guarded = guardedServer(options)
  addUsageRoutes(guarded, options)
  return {
    async listen() {
      const { listen: host, port } = options
      await open.listen({ host, port }).catch((error: unknown) => {
        throw unavailable(
          `cannot listen on ${host} port ${port}: free the port, or change the setting metrics.port`,
          error,
        )
      })
      // The socket of a killed daemon. A running one would hold the lock, and this one would have
      // ended.
      await rm(options.socketFile, { force: true })
      await guarded.listen({ path: options.socketFile })
      await chmod(options.socketFile, 0o600)
    },
    async close() {
      await Promise.all([open.close(), guarded.close()])
    },
  }
}

/** Limits of clients of the open server. All are on this machine. */
const OPEN_LIMITS = { maxConnections: 64, maxConnectionsOfOne: 64, reservedForLoopback: 0 }
const HEADER_BYTES = 8 * KIB
const REQUEST_TIMEOUT_MS = 10_000
/** Maximum number of concurrent requests of one connection. */
const PIPELINED_MAX = 4
/** Metrics are collected at most this often. */
const METRICS_AGE_MS = 250

/** What every user of this machine may read. */
function openServer(options: AdminOptions): FastifyInstance {
  const { metrics, clock, log } = options
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: 1024,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: HEADER_BYTES, headersTimeout: REQUEST_TIMEOUT_MS },
  })
  const limits = { ...OPEN_LIMITS, maxPipelined: PIPELINED_MAX }
  const connections = limitConnections(server.server, limits, metrics, 'metrics')
  server.addHook('onRequest', async ({ raw: { socket } }, reply) => {
    reply.raw.once('close', () => connections.end(socket))
    if (connections.begin(socket)) return
    reply.hijack()
    socket.destroy()
  })
  server.setErrorHandler((error, _request, reply) => {
    log.warn({ error }, 'a request for metrics or health failed')
    reply.code(500).send({ error: 'The request failed; see the log of this host' })
  })
  let written: { readonly atMs: number; readonly text: Promise<string> } | null = null
  server.get('/metrics', async (_request, reply) => {
    const nowMs = clock.monotonic()
    if (written === null || nowMs - written.atMs > METRICS_AGE_MS)
      written = { atMs: nowMs, text: metrics.render() }
    reply.type('text/plain; version=0.0.4; charset=utf-8')
    return await written.text
  })
  server.get('/healthz', async (_request, reply) => {
    const conditions = options.health()
    const healthy = conditions.every((condition) => condition.ok)
    reply.code(healthy ? 200 : 503)
    return { healthy, conditions }
  })
  return server
}

/** What only root may read. */
function guardedServer(options: AdminOptions): FastifyInstance {
  const { store } = options
  const startedAt = isoTime(options.clock.now())
  const { upgrader } = options
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: 1024,
    http: { shouldUpgradeCallback: upgrader.wants },
  })
  server.server.on('upgrade', upgrader.take)
  server.setErrorHandler((error, _request, reply) => {
    options.log.warn({ error }, 'an operator request failed')
    const kind = error instanceof AtollError ? error.kind : 'bug'
    const status = kind === 'refused' ? 409 : kind === 'unavailable' ? 503 : 500
    reply.code(status).send({ error: messageOf(error) })
  })
  const read = async <T>(work: (tx: ReadTx) => Promise<T>): Promise<T> =>
    (await store.read(work)).value
  server.get('/v1/status', async (): Promise<StatusReport> => {
    const conditions = options.health()
    return {
      host: options.host,
      version: options.version,
      pid: process.pid,
      startedAt,
      healthy: conditions.every((condition) => condition.ok),
      conditions,
      agent: options.agentStatus(),
      unreadable: options.unreadable().slice(0, UNREADABLE_NAMED),
      warm: options.warm(),
      instances: await read((tx) => tx.instanceCounts(options.host)),
    }
  })
  server.get('/v1/hosts', async (): Promise<readonly HostReport[]> => read(hostReports))
  server.get('/v1/instances', async (): Promise<readonly InstanceReport[]> => {
    const reports: InstanceReport[] = []
    for (let after: Position | null = []; after !== null; ) {
      const at: Position = after
      const part = await read((tx) => instancePart(tx, at))
      reports.push(...part.reports)
      after = part.next
    }
    return reports
  })
  addPacketRoutes(server, options)
  addHostRoutes(server, options)
  if (options.calls !== undefined)
    addMoveRoutes(server, { ...options, settings: options.calls.settings })
  addOwnerRoutes(server, options)
  server.post<{ Params: { id: string } }>(
    '/v1/instances/:id/console',
    async ({ params }): Promise<ConsolePlace> => {
      const instance = parseId('i', params.id)
      if (instance === undefined)
        throw refused(
          'InvalidInstanceID.Malformed',
          `"${params.id}" is not an instance id; it looks like i-0123456789abcdef0`,
        )
      return options.consoleLocator.seek(instance)
    },
  )
  return server
}

/** Records orders, and lists records of calls. */
function addAudit(server: FastifyInstance, { store, calls }: AdminOptions): void {
  if (calls?.audit !== undefined) recordOrders(server, calls.audit)
  addAuditRoute(server, store)
}

/** Orders about accounts and access keys, and the records of all orders and calls. */
function addOwnerRoutes(server: FastifyInstance, options: AdminOptions): void {
  addAudit(server, options)
  const { keys, calls: parts } = options
  if (keys === undefined) return
  addKeyRoutes(server, { ...options, ...keys })
  if (parts !== undefined) addAccountRoutes(server, { ...options, ...keys, parts })
}

/** Explains where packets go, and why they do not, and sends one to see it. */
function addPacketRoutes(
  server: FastifyInstance,
  { store, surroundings, trace }: Pick<AdminOptions, 'store' | 'surroundings' | 'trace'>,
): void {
  // A parameter that is given twice is a list.
  const asked = ({ from = '', to = '', what = '' }: Partial<Question>): Question => ({
    ...{ from: String(from), to: String(to), what: String(what) },
  })
  server.get<{ Querystring: Partial<Question> }>(
    '/v1/explain',
    async ({ query }): Promise<ExplainReport> => explain(asked(query), store, await surroundings()),
  )
  server.post<{ Querystring: Partial<Question> }>(
    '/v1/trace',
    async ({ query }): Promise<TraceReport> => trace(asked(query)),
  )
}

/** Orders about hosts, each answered with its result. */
function addHostRoutes(server: FastifyInstance, options: AdminOptions): void {
  const { bus, clock, log, host: by } = options
  const store = announcing(options.store, (scopes) => ringConcerned(bus, scopes))
  server.post<{ Params: { name: string; order: string } }>(
    '/v1/hosts/:name/:order',
    async ({ params }): Promise<HostChangeReport> => {
      const host = parseHostName(params.name)
      if (host === undefined)
        throw refused(
          'InvalidParameterValue',
          `"${params.name}" is not a valid host name; see: atoll hosts`,
        )
      const { order } = params
      let terminated = 0
      if (order === 'drain' || order === 'undrain')
        await setDraining(store, host, order === 'drain')
      else if (order === 'forget') terminated = await forgetHost(store, host, by, clock)
      else
        throw refused('InvalidParameterValue', 'Unknown host command; use drain, undrain or forget')
      log.info({ host, order, terminated }, 'operator command carried out')
      return { host, terminated }
    },
  )
}

/** Instances that are read at once. There may be very many, most of them terminated. */
const PART = 1000

/** The instances after a position (empty: the first ones). */
async function instancePart(tx: ReadTx, after: Position) {
  const query = { limit: PART, ...(after.length === 0 ? {} : { after }) }
  const { ids, next } = await tx.instancePart(query)
  const instances = await tx.instances({ ids })
  const hosts = await tx.hosts([...new Set(instances.map(({ host }) => host))])
  const lost = new Set(hosts.filter((host) => !host.live).map(({ name }) => name))
  const nics = firstNics(await tx.nics({ instances: ids }))
  const tags = await tx.tags({ resources: ids })
  const names = new Map(
    tags.flatMap((one) => (one.key === 'Name' ? [[one.resource, one.value]] : [])),
  )
  const reports = instances.map((instance) =>
    instanceReport(instance, lost, nics.get(instance.id), names.get(instance.id)),
  )
  return { reports, next }
}

function instanceReport(
  instance: Instance,
  lost: ReadonlySet<HostName>,
  nic: Nic | undefined,
  name: string | undefined,
): InstanceReport {
  return {
    id: instance.id,
    name: name ?? null,
    state: instance.state,
    status: instance.state !== 'terminated' && lost.has(instance.host) ? 'lost-host' : 'ok',
    type: instance.type,
    image: instance.image,
    host: instance.host,
    ip: nic?.ip ?? null,
    launchedAt: instance.launchedAt,
    reason: instance.stateReason === null ? null : stateReasonText(instance.stateReason),
  }
}

/** The first NIC of each instance. */
function firstNics(nics: readonly Nic[]): ReadonlyMap<InstanceId | null, Nic> {
  const first = nics.filter(({ deviceIndex }) => deviceIndex === 0)
  return new Map(first.map((nic) => [nic.instance, nic]))
}
