/**
 * A process of the API: it answers clients, over HTTP and the bus, from the records, and needs the
 * agent of its host only for bells, commands, consoles and renewed certificates. Each may end and
 * start without the other.
 */
import { openAudit } from './api/audit/audit.ts'
import { createConsoleRelay } from './api/console/relay.ts'
import { callsOf } from './api-calls.ts'
import { handedOverSchema } from './api-handed-over.ts'
import { startApiServer } from './api-server.ts'
import { connectSocketBus } from './bus/socket-client.ts'
import type { Config } from './config.ts'
import { DOCKER } from './containers/declaration.ts'
import { openClientRecords } from './engines.ts'
import type { Clock } from './lib/clock.ts'
import { withDeadline } from './lib/deadline.ts'
import { readRecord } from './lib/files.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { createSecretCipher } from './lib/secret-cipher.ts'
import { QEMU } from './machines/declaration.ts'
import { unavailable } from './model/errors.ts'
import { type ApiPlaces, apiPlaces } from './parts/api-places.ts'
import { apiAuditSettings, apiBuild } from './settings.ts'
import type { InformedStore } from './store/replica-reads.ts'

/** What a process of the API is given. */
export interface ApiSeams {
  readonly config: Config
  /** Which process of the API it is, from 1 on. */
  readonly worker: number
  /** A descriptor that listens for clients. Null: it opens its own, as the settings say. */
  readonly listener: number | null
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Its sleeps keep the process alive. Nothing else does before it listens. */
  readonly starting: Pick<Clock, 'sleep'>
  /** From 0 up to 1. */
  readonly random: () => number
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  /** Called when the agent wants this process to end: it has other code or settings. */
  readonly onRetire: () => void
}

/** How often renewed certificates are looked for. */
const LOOK_MS = 10_000
/** How often what the agent hands over is looked for while it has not started yet. */
const WAIT_MS = 100
/** An answer of the records counts this long for `/healthz`. */
const HEALTH_AGE_MS = 1_000
const HEALTH_MS = 2_000
/** Surplus records of calls are looked for by so many hosts in turn: so hardly ever by this. */
const AGENT_PRUNES = 256

/** Starts it. Returns when it answers clients. Errors: as `startApiServer`. */
export async function startApiPart(seams: ApiSeams): Promise<AsyncDisposable> {
  const { config, worker, listener, log, metrics, clock, randomBytes, onRetire } = seams
  await using parts = new AsyncDisposableStack()
  const places = apiPlaces(config.runtimeDir)
  const handed = await openHandedOver(places, seams)
  parts.defer(handed.close)
  const { recordsKey: key, engine } = handed
  const sealer = key === null ? null : createSecretCipher(Buffer.from(key, 'base64'))
  const records = await openClientRecords(seams, metrics, { worker, sealer, engine })
  parts.defer(() => records.close())
  const { promise: ready, resolve: isReady } = Promise.withResolvers<void>()
  const bus = connectSocketBus({
    ...{ file: places.bus, clock, log, ready, onRetire },
    metrics: metrics.measure,
    build: apiBuild(config),
    onChanged: records.changed,
  })
  parts.defer(() => bus.close())
  records.onEvents(() => bus.tellEvents())
  const store = records.informed
  const audit = openAudit(
    { store, clock, log, metrics, random: randomBytes, hosts: () => AGENT_PRUNES },
    apiAuditSettings(config, worker),
    config.host,
  )
  parts.defer(() => audit.close())
  const calls = callsOf({ ...seams, bus, audit, drivers: [QEMU, DOCKER] }, records)
  const consoles = createConsoleRelay({ file: places.consoles, clock, log })
  const isHealthy = createHealth(store, clock)
  const { certificates } = handed
  const server = { config, listener, log, metrics, calls, consoles, isHealthy, certificates }
  await startApiServer(server, parts)
  if (config.bus.kind !== 'local') {
    const { answerCommands } = await import('./api-commands.ts')
    answerCommands({ commands: bus.commands, calls, log, metrics }, parts)
  }
  isReady()
  const started = parts.move()
  return { [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/** Whether the records answer. However often it is asked, they are asked once a second. */
function createHealth(store: InformedStore, clock: Clock): () => Promise<boolean> {
  let known: { readonly isHealthy: Promise<boolean>; readonly untilMs: number } | null = null
  const late = () => unavailable('The database takes too long; try again.')
  const ask = () =>
    withDeadline({ clock, ms: HEALTH_MS, late }, () =>
      store.read((tx) => tx.accounts(), { mayBeOld: false }),
    ).then(
      () => true,
      () => false,
    )
  return async () => {
    if (known === null || clock.monotonic() > known.untilMs)
      known = { isHealthy: ask(), untilMs: clock.monotonic() + HEALTH_AGE_MS }
    return await known.isHealthy
  }
}

/** What the agent handed over. Waits for it. */
async function openHandedOver(
  { secrets }: ApiPlaces,
  { clock, starting }: Pick<ApiSeams, 'clock' | 'starting'>,
) {
  const read = () => readRecord(secrets, handedOverSchema)
  let handed = await read()
  while (handed === null) {
    await starting.sleep(WAIT_MS)
    handed = await read()
  }
  let shown = handed
  const listeners: (() => void)[] = []
  const closing = new AbortController()
  const keepLooking = async () => {
    for (;;) {
      await clock.sleep(LOOK_MS, closing.signal)
      const now = await read()
      if (now === null || JSON.stringify(now) === JSON.stringify(shown)) continue
      shown = now
      for (const listener of listeners) listener()
    }
  }
  keepLooking().catch(() => undefined)
  return {
    recordsKey: handed.recordsKey,
    engine: handed.engine,
    certificates: {
      host: () => shown.host,
      api: () => shown.api,
      onChange: (listener: () => void) => void listeners.push(listener),
    },
    close: () => closing.abort(),
  }
}
