/**
 * What the agent hands over to the processes of the API, which run without rights: a directory of
 * files and sockets below the runtime directory, and directories of their own for records and
 * records of calls.
 *
 * They get the key that encrypts secrets in the records, the password of the database, and the
 * certificates that clients are shown, but not the secret that these are derived from. All else
 * below the state and runtime directories does not exist for them (`host/processes/api-cell.sh`).
 */
import { chmod, chown, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { HandedOver } from './api-handed-over.ts'
import type { Config } from './config.ts'
import { recordsKey, storeAccess } from './engines.ts'
import { apiCellCommand } from './host/processes/api-cell.ts'
import type { Identity } from './identity.ts'
import type { Clock } from './lib/clock.ts'
import { hasCode } from './lib/errno.ts'
import { exists, replaceFile } from './lib/files.ts'
import type { Log } from './lib/log.ts'
import { unavailable } from './model/errors.ts'
import { API_USER } from './model/names.ts'
import { type ApiPlaces, apiPlaces } from './parts/api-places.ts'
import { apiAuditSettings, databaseFile } from './settings.ts'

const OWN_DIRECTORY = 0o700
/** Root writes, and the API reads. */
const HANDED_DIRECTORY = 0o750
const HANDED_FILE = 0o640
const PASSABLE = 0o711

/**
 * Puts the database where the configuration wants it: in a directory of the API's own if there are
 * processes of the API, because SQLite makes files beside it, or in the state directory. Call it
 * before the database is opened, while no process of the API runs with another setting. A crash
 * leaves it in one of both places. One that an operator has put at the plain name is used; what it
 * replaces is kept. Errors: `unavailable`.
 */
export async function placeDatabase(config: Config, log: Log): Promise<void> {
  const wanted = databaseFile(config)
  const [plain, apart] = placesOf(config)
  const other = wanted === plain ? apart : plain
  if (wanted === apart) await mkdir(dirname(apart), { recursive: true, mode: OWN_DIRECTORY })
  if (await isRestored(config)) await setAside(apart, log)
  if ((await isFile(other)) && !(await isFile(wanted))) {
    emptyLog(other)
    if (await exists(`${other}-wal`))
      throw unavailable(
        `${other} cannot be moved to ${wanted}: another program has it open, or it is damaged`,
      )
    await rename(other, wanted)
  }
  // For people and their backups, who know the file by its plain name.
  if (wanted === apart && !(await exists(plain))) {
    await rm(plain, { force: true })
    await symlink(relative(dirname(plain), apart), plain)
  }
}

/**
 * Whether somebody has put a database at its plain name, such as a backup, while that of the API is
 * still there. No process of the API may run when it is put in place.
 */
export async function isRestored(config: Config): Promise<boolean> {
  const [plain, apart] = placesOf(config)
  return databaseFile(config) === apart && (await isFile(plain)) && (await isFile(apart))
}

/** In the state directory, and in a directory of the API's own. */
function placesOf(config: Config): readonly [string, string] {
  const { api } = config
  return [
    databaseFile({ ...config, api: { ...api, workers: 0 } }),
    databaseFile({ ...config, api: { ...api, workers: 1 } }),
  ]
}

/** Keeps what another database replaces, with what is not in the file yet. */
async function setAside(file: string, log: Log): Promise<void> {
  emptyLog(file)
  const aside = `${file}.replaced`
  for (const end of ['-wal', '-shm', '']) {
    await rm(`${aside}${end}`, { force: true })
    if (await isFile(`${file}${end}`)) await rename(`${file}${end}`, `${aside}${end}`)
  }
  log.warn({ kept: aside }, 'the records are replaced by the database that was put there')
}

/**
 * Closing the last connection writes the log into the file, and removes it. One that is damaged is
 * left as it is.
 */
function emptyLog(file: string): void {
  try {
    using database = new DatabaseSync(file)
    database.exec('pragma wal_checkpoint(truncate)')
  } catch {
    // Whoever opens it says what is wrong with it.
  }
}

/** Whether there is a file, and no link to one. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** How often copies are compared with what they are copies of. */
const COPY_MS = 30_000

/** What handing over needs. */
export interface HandOverParts {
  readonly config: Config
  readonly identity: Pick<Identity, 'secret' | 'host' | 'api' | 'onChange'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Hands over, and again whenever a certificate is renewed, until the returned function is called.
 * Call it when a database in a file exists. Errors: as of the file system; later ones are logged.
 */
export async function handOver({ config, identity, clock, log }: HandOverParts) {
  const places = apiPlaces(config.runtimeDir)
  await mkdir(places.directory, { recursive: true })
  await giveToRead(places.directory, HANDED_DIRECTORY)
  const records = databaseFile(config)
  const { directory: audit } = apiAuditSettings(config)
  for (const own of [dirname(records), audit]) {
    await mkdir(own, { recursive: true, mode: OWN_DIRECTORY })
    await giveAway(own)
  }
  for (const path of [records, `${records}-wal`, `${records}-shm`]) await giveAway(path)
  // Others pass through, and see nothing: its files are root's alone.
  await chmod(dirname(audit), PASSABLE)
  const tell = createTelling(config, identity, places)
  await tell()
  const telling = () =>
    tell().catch((error: unknown) =>
      log.error({ error }, 'the API does not get what was renewed; it is tried again'),
    )
  identity.onChange(() => void telling())
  const closing = new AbortController()
  const keepOn = async () => {
    for (;;) {
      await clock.sleep(COPY_MS, closing.signal)
      await telling()
    }
  }
  keepOn().catch(() => undefined)
  return () => closing.abort()
}

/** Writes what differs from what was written before. */
function createTelling(
  config: Config,
  identity: HandOverParts['identity'],
  places: ApiPlaces,
): () => Promise<void> {
  const written = new Map<string, string>()
  const write = async (path: string, content: string) => {
    if (written.get(path) === content) return
    await replaceFile(path, content, 0o600)
    await giveToRead(path, HANDED_FILE)
    written.set(path, content)
  }
  return async () => {
    const key = recordsKey(config, identity)
    const access = config.store.kind === 'sqlite' ? null : await storeAccess(config)
    const told: HandedOver = {
      recordsKey: key === null ? null : Buffer.from(key).toString('base64'),
      engine: access === null ? null : { ...access, tls: { ...access.tls, ...NO_FILES } },
      host: identity.host(),
      api: identity.api(),
    }
    if (access !== null && told.engine !== null && access.tls.to !== 'none') {
      const tls = { ...told.engine.tls }
      for (const name of ['ca', 'cert', 'key'] as const) {
        const source = access.tls[name]
        if (source === null) continue
        tls[name] = places.engine[name]
        await write(places.engine[name], await readFile(source, 'utf8'))
      }
      told.engine = { ...told.engine, tls }
    }
    await write(places.secrets, JSON.stringify(told))
  }
}

const NO_FILES = { ca: null, cert: null, key: null } as const

/** Makes it the API's own, if it exists. */
async function giveAway(path: string): Promise<void> {
  try {
    await chown(path, API_USER, API_USER)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

async function giveToRead(path: string, mode: number): Promise<void> {
  await chown(path, 0, API_USER)
  await chmod(path, mode)
}

/** The programs that start a process of the API. */
export function apiCell(config: Config): readonly string[] {
  const { directory } = apiPlaces(config.runtimeDir)
  const own = [dirname(databaseFile(config)), apiAuditSettings(config).directory]
  return apiCellCommand([config.stateDir, config.runtimeDir], [directory, ...own])
}
