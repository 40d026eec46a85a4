/**
 * Opens the record store and the bus that the configuration names. A single host does not load the
 * code for MariaDB and RabbitMQ.
 */
import { dirname, join } from 'node:path'
import { bootstrap, type KeyProtection, protectedKey, sealKeys } from './agent/bootstrap.ts'
import type { KeyRouteOptions } from './api/accounts/access-keys.ts'
import { createKeyring, type Keyring } from './api/accounts/keyring.ts'
import type { Bus } from './bus/bus.ts'
import type { CommandQueue } from './bus/command-queue.ts'
import { createLocalBus } from './bus/local.ts'
import type { Config } from './config.ts'
import { ConfigError } from './config-file.ts'
import { type Identity, readSecretFile } from './identity.ts'
import { certificateFiles } from './lib/certificates.ts'
import { type Clock, isoTime, startingClock } from './lib/clock.ts'
import { inTime } from './lib/deadline.ts'
import type { EngineAccess } from './lib/engine-access.ts'
import { deriveKey, derivePassword } from './lib/key-derivation.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { createSecretCipher, type SecretCipher } from './lib/secret-cipher.ts'
import type { HealthCondition } from './model/health.ts'
import { readCredentials, writeCredentials } from './operator/credentials.ts'
import { apiAuthority, apiEndpoint, databaseFile } from './settings.ts'
import { openInBackground } from './store/background.ts'
import { notingEvents } from './store/cloud-events.ts'
import { openSqliteStore } from './store/engines/sqlite/dialect.ts'
import { noteWrites } from './store/own-writes.ts'
import { createRowWatch, type RowWatch } from './store/records/rows.ts'
import { openReplica } from './store/replica.ts'
import { type InformedStore, withoutReplica, withReplica } from './store/replica-reads.ts'
import type { Store } from './store/store.ts'

/** What opening an engine needs. */
export interface EngineContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  /** From 0 up to 1. */
  readonly random: () => number
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  readonly identity: Pick<Identity, 'secret'>
  /** Puts something between the daemon and the records. */
  readonly wrapStore?: ((store: Store) => Store) | undefined
}

/** The records as this host uses them. */
export interface Records {
  /** Rows that cannot be read. */
  readonly rows: RowWatch
  /** The records themselves, or `unavailable`. */
  readonly store: Store
  /** For reads of the API: answers from this host's replica while the database is unavailable. */
  readonly informed: InformedStore
  /** Access keys: `ring` checks requests, `orders` makes keys for the operator. */
  readonly keys: {
    readonly ring: Keyring
    readonly orders: Pick<KeyRouteOptions, 'random' | 'self' | 'keep' | 'changed'>
    /** Encodes what only hosts of this cloud can decode. Null: they share no secret. */
    readonly messages: SecretCipher | null
  }
  /** Call after this host has read changed records. */
  changed(): void
  /** Calls `heard` after each commit that noted events. There is one listener. */
  onEvents(heard: () => void): void
  close(): Promise<void>
}

const BUS_KEY_BYTES = 32
const RECORDS_KEY_BYTES = 32
const KEY_CARE_MS = 600_000
/** How long a starting daemon waits for the records before it continues without them. */
const START_PATIENCE_MS = 1_500

/** Opens the records, in the background if that takes long. Then writes the credentials file. */
export async function openRecords(context: EngineContext, metrics: Metrics): Promise<Records> {
  const { config, clock, log, random } = context
  const rows = createRowWatch({ log, metrics, monotonic: () => clock.monotonic() })
  const protection = keyProtectionOf(context)
  const open = async () => {
    const engine = await openEngine(context, rows)
    try {
      await engine.migrate()
      await makeRecords(context, engine, protection)
      await sealKeys(engine, protection)
      return context.wrapStore?.(engine) ?? engine
    } catch (error) {
      await engine.close()
      throw error
    }
  }
  const background = openInBackground({ open, clock, log })
  await inTime(startingClock, START_PATIENCE_MS, background.ready)
  const events: { heard: () => void } = { heard: () => undefined }
  const onEvents: Records['onEvents'] = (heard) => {
    events.heard = heard
  }
  const opened = notingEvents(background, config.host.name, () => events.heard())
  // A replica of a file on the same disk would not help.
  if (config.store.kind === 'sqlite') {
    const care = startKeyMaintenance(context, opened, protection)
    const alone = withoutReplica(opened)
    return {
      rows,
      store: opened,
      informed: alone,
      keys: keysOf(context, alone, protection, care.refresh),
      changed: () => undefined,
      onEvents,
      async close() {
        care.close()
        await opened.close()
      },
    }
  }
  const file = join(config.stateDir, 'replica.db')
  const replica = await openReplica({ file, source: opened, clock, log, random, rows })
  const store = noteWrites(opened, replica, 'agent')
  const care = startKeyMaintenance(context, store, protection)
  const informed = withReplica(noteWrites(opened, replica, 'client'), replica, clock)
  return {
    rows,
    store,
    informed,
    keys: keysOf(context, informed, protection, care.refresh),
    changed: () => replica.refresh(),
    onEvents,
    async close() {
      care.close()
      await replica.close()
      await informed.close()
    },
  }
}

/** The records as a process of the API uses them. */
export interface ClientRecords extends Pick<Records, 'changed' | 'onEvents' | 'close'> {
  readonly informed: InformedStore
  readonly keys: Pick<Records['keys'], 'ring' | 'messages'> & {
    readonly orders: Pick<KeyRouteOptions, 'keep'>
  }
}

/** What the agent gives to processes that must not know the secret of the cloud. */
export interface ClientAccess {
  /** Which process of the API it is, from 1 on. */
  readonly worker: number
  /** Encrypts secrets in the records. Null: as for the agent. */
  readonly sealer: SecretCipher | null
  /** Of a database with a password. Null: there is none. */
  readonly engine: Pick<EngineAccess, 'password' | 'tls'> | null
}

/**
 * Opens the records beside the agent of this host, which has made them. Until it has, all calls are
 * `unavailable`.
 */
export async function openClientRecords(
  context: Omit<EngineContext, 'identity'>,
  metrics: Metrics,
  { worker, sealer, engine }: ClientAccess,
): Promise<ClientRecords> {
  const { config, clock, log, random } = context
  const rows = createRowWatch({ log, metrics, monotonic: () => clock.monotonic() })
  const open = () => openEngine(context, rows, engine)
  const events: { heard: () => void } = { heard: () => undefined }
  const noting = notingEvents(openInBackground({ open, clock, log }), config.host.name, () =>
    events.heard(),
  )
  const isAlone = config.store.kind === 'sqlite'
  // One process fills a replica.
  const name = worker === 1 ? 'replica.db' : `replica-${worker}.db`
  const file = join(dirname(databaseFile(config)), name)
  const replica = isAlone
    ? null
    : await openReplica({ file, source: noting, clock, log, random, rows })
  const informed =
    replica === null
      ? withoutReplica(noting)
      : withReplica(noteWrites(noting, replica, 'client'), replica, clock)
  const protection = { self: config.host.name, sealer }
  return {
    informed,
    keys: keysOf(context, informed, protection, async () => undefined),
    changed: () => replica?.refresh(),
    onEvents(heard) {
      events.heard = heard
    },
    async close() {
      await replica?.close()
      await informed.close()
    },
  }
}

/** Creates the first records, and makes sure that the credentials file has a valid key. */
async function makeRecords(
  { config, randomBytes: random }: EngineContext,
  store: Store,
  protection: KeyProtection,
): Promise<void> {
  const network = { ...config.network, zone: config.host.zone }
  const known = await readCredentials(config.stateDir).catch(() => null)
  const key = await bootstrap(store, network, random, protection, known?.accessKeyId ?? null)
  if (key === null) return
  await writeCredentials(config.stateDir, key, {
    region: config.host.region,
    endpoint: apiEndpoint(config),
    caFile: apiAuthority(config),
  })
}

/** How keys are encrypted. */
function keyProtectionOf({ config, identity }: EngineContext): KeyProtection {
  const key = recordsKey(config, identity)
  return { self: config.host.name, sealer: key === null ? null : createSecretCipher(key) }
}

/**
 * The key that encrypts secrets in the records. Null: hosts that share records but no cluster
 * secret cannot encrypt any.
 */
export function recordsKey(
  { store, cluster }: Config,
  { secret }: Pick<Identity, 'secret'>,
): Uint8Array | null {
  const isShared = store.kind !== 'sqlite' && cluster.secretFile === null
  return isShared ? null : deriveKey(secret, 'records', RECORDS_KEY_BYTES)
}

function keysOf(
  { config, clock, log, randomBytes: random }: Omit<EngineContext, 'identity'>,
  store: InformedStore,
  protection: KeyProtection,
  changed: () => Promise<void>,
): Records['keys'] {
  const replicaMs = config.api.replicaKeysSeconds * 1000
  return {
    ring: createKeyring({ store, clock, log, sealer: protection.sealer, replicaMs }),
    orders: {
      random,
      self: config.host.name,
      keep: (tx, key) => protectedKey(tx, key, protection),
      changed,
    },
    messages: protection.sealer,
  }
}

/**
 * At an interval: encrypts secrets that are in clear text, and checks the credentials file. Hosts
 * of an older version may have gone, and other hosts may have changed keys.
 */
function startKeyMaintenance(context: EngineContext, store: Store, protection: KeyProtection) {
  const { clock, log } = context
  const closing = new AbortController()
  const refresh = async () => {
    await makeRecords(context, store, protection)
    await sealKeys(store, protection)
  }
  const keepOn = async () => {
    for (;;) {
      await clock.sleep(KEY_CARE_MS, closing.signal)
      await refresh().catch((error: unknown) =>
        log.debug({ error }, 'could not maintain access keys'),
      )
    }
  }
  keepOn().catch(() => undefined)
  return { refresh, close: () => closing.abort() }
}

async function openEngine(
  { config, log }: Pick<EngineContext, 'config' | 'log'>,
  rows: RowWatch,
  given: ClientAccess['engine'] = null,
): Promise<Store> {
  const { kind, passwordFile, tls, ...settings } = config.store
  if (kind === 'sqlite') return await openSqliteStore({ file: databaseFile(config), log, rows })
  const { openMariadbStore } = await import('./store/engines/mariadb/dialect.ts')
  const access = given ?? (await storeAccess(config))
  return openMariadbStore({ ...settings, ...access, log, rows })
}

/** How this host connects to the database. */
export async function storeAccess(config: Config): Promise<Pick<EngineAccess, 'password' | 'tls'>> {
  const { passwordFile, tls } = config.store
  const password = await passwordFor('mariadb', passwordFile, config)
  return { password, tls: engineTls(config, tls) }
}

/** The bus, as this host uses it. */
export interface OpenedBus {
  readonly bus: Bus
  /** The queue of clients' commands. Null when clients cannot reach the bus. */
  readonly commands: CommandQueue | null
  readonly health: () => readonly HealthCondition[]
}

/**
 * Opens the bus, and the command queue if clients can reach it. If the broker is away, it connects
 * later. `hosts` returns the number of hosts.
 */
export async function openBus(
  { config, clock, log, randomBytes: random }: EngineContext,
  metrics: Metrics,
  hosts: () => number,
): Promise<OpenedBus> {
  const { kind, passwordFile, tls, ...settings } = config.bus
  if (kind === 'local') return { bus: createLocalBus(clock), commands: null, health: () => [] }
  const { openRabbitBus } = await import('./bus/rabbit.ts')
  const secret = await readSecretFile(secretFile(config, 'cluster.secretFile'))
  const password = await passwordFor('rabbitmq', passwordFile, config)
  const bus = openRabbitBus({
    host: config.host.name,
    ...settings,
    tls: engineTls(config, tls),
    password,
    key: deriveKey(secret, 'bus', BUS_KEY_BYTES),
    metrics,
    clock,
    log,
    random,
    hosts,
  })
  const health = () => {
    const node = bus.node()
    const blocked = bus.blocked()
    if (blocked !== null)
      return [
        { name: 'bus', ok: false, value: `${blocked.why} Since ${isoTime(blocked.sinceMs)}.` },
      ]
    const value =
      node === null
        ? 'RabbitMQ is unavailable; hosts see changes at their next timed pass'
        : `connected to ${node}`
    return [{ name: 'bus', ok: node !== null, value }]
  }
  return { bus, commands: bus, health }
}

/** The password in the file that the settings name, or the derived one. */
async function passwordFor(
  engine: 'mariadb' | 'rabbitmq',
  file: string | null,
  config: Config,
): Promise<string> {
  if (file !== null) return readSecretFile(file)
  const setting = engine === 'mariadb' ? 'store.passwordFile' : 'bus.passwordFile'
  return derivePassword(await readSecretFile(secretFile(config, setting)), engine)
}

/** TLS for connections to an engine: by the settings, or with this host's own certificates. */
function engineTls(
  { tls }: Config,
  { mode, ca, cert, key }: Config['store']['tls'],
): EngineAccess['tls'] {
  const files = ca === null ? certificateFiles(tls.directory) : { ca, cert, key }
  if (mode === 'off') return { to: 'none', ...files }
  return { to: mode === 'on' || ca !== null ? 'all' : 'others', ...files }
}

/** The file with the cluster's secret, which `setting` needs. */
function secretFile({ cluster }: Config, setting: string): string {
  if (cluster.secretFile !== null) return cluster.secretFile
  const message =
    setting === 'cluster.secretFile' ? 'must be set' : 'must be set, or cluster.secretFile instead'
  throw new ConfigError('the configuration', [{ key: setting, line: null, message }])
}
