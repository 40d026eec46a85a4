/**
 * MariaDB for tests: one server process with its own data directory, socket and port, stopped by
 * its process id.
 *
 * Needs root and Debian's `mariadb-server`. The data directory is created once for each test file
 * and copied, because creating it takes longer than most tests.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'
import { eventually } from './netns.ts'

const run = promisify(execFile)
/**
 * The user that Debian's package creates for the server. As root, the state transfer's rsync would
 * change to `nobody` and have no access.
 */
const SYSTEM_USER = 'mysql'
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000

/** The tests' user, the only one that may connect over TCP. */
export const USER = 'atoll'
export const PASSWORD = 'the-secret-of-tests'

/** Settings of a server. All others are MariaDB's defaults; no file is read. */
export interface ServerPlace {
  /** Contains `data`, the socket and the log. */
  readonly directory: string
  readonly address: string
  readonly port: number
  /** More options of mariadbd. */
  readonly options?: readonly string[]
  /** Precedes the command, to run it in a namespace. */
  readonly within?: readonly string[]
}

export interface Server {
  readonly pid: number
  /** Kills it, like a power failure, and resolves when it is gone. */
  kill(): Promise<void>
  /** Stops it regularly. */
  stop(): Promise<void>
  /** Suspends or resumes it. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
}

/**
 * A new data directory in `directory/data`, with the tests' user, and a root user for the socket
 * only.
 */
export async function initializeData(directory: string): Promise<void> {
  const data = join(directory, 'data')
  await mkdir(join(directory, 'tmp'))
  const made = ['--no-defaults', `--datadir=${data}`, '--skip-test-db', `--user=${SYSTEM_USER}`]
  await run('mariadb-install-db', [...made, '--auth-root-authentication-method=normal'])
  await run('chown', ['-R', SYSTEM_USER, directory])
  const place = { directory, address: '127.0.0.1', port: 0, options: ['--skip-networking'] }
  const server = await startServer(place)
  await administer(directory, `create user ${USER}@'%' identified by '${PASSWORD}'`)
  await administer(directory, `grant all on *.* to ${USER}@'%'`)
  await server.stop()
}

/** Runs statements as root over the server's socket. Returns the rows, if it is only one. */
export async function administer(directory: string, sql: string): Promise<readonly object[]> {
  const connection = await createConnection({
    ...{ socketPath: socketOf(directory), user: 'root', multipleStatements: true },
  })
  try {
    const [rows] = await connection.query(sql)
    return Array.isArray(rows) ? (rows as object[]) : []
  } finally {
    await connection.end()
  }
}

/** Starts a server on the data in `place.directory`, and waits until it answers on its socket. */
export async function startServer(place: ServerPlace): Promise<Server> {
  const child = spawnServer(place, [])
  const alive = () => child.exitCode === null && child.signalCode === null
  await eventually(
    `mariadbd in ${place.directory} answers`,
    async () => {
      if (!alive()) throw new Error(`mariadbd has ended:\n${await readLog(place.directory)}`)
      return administer(place.directory, 'select 1').then(
        () => true,
        () => false,
      )
    },
    START_TIMEOUT_MS,
  )
  return serverOf(child)
}

/** Starts mariadbd without waiting. It dies with its parent process. */
function spawnServer(place: ServerPlace, more: readonly string[]): ChildProcess {
  const log = openSync(join(place.directory, 'log'), 'a')
  // A change of user resets the death signal, so setting it comes last.
  const identity = [`--reuid=${SYSTEM_USER}`, `--regid=${SYSTEM_USER}`, '--init-groups']
  const command = [
    ...identity,
    '--pdeathsig',
    'KILL',
    'mariadbd',
    '--no-defaults',
    `--datadir=${join(place.directory, 'data')}`,
    // A starting server removes the temporary tables of all others in a shared directory.
    `--tmpdir=${join(place.directory, 'tmp')}`,
    `--socket=${socketOf(place.directory)}`,
    `--pid-file=${join(place.directory, 'pid')}`,
    `--bind-address=${place.address}`,
    `--port=${place.port}`,
    '--innodb-buffer-pool-size=32M',
    '--innodb-log-file-size=16M',
    '--skip-name-resolve',
    '--performance-schema=OFF',
    ...(place.options ?? []),
    ...more,
  ]
  const [program = 'setpriv', ...rest] = [...(place.within ?? []), 'setpriv']
  const child = spawn(program, [...rest, ...command], { stdio: ['ignore', log, log] })
  closeSync(log)
  return child
}

/** Runs mariadbd to its end with additional options. Returns its log. */
export async function runServerOnce(place: ServerPlace, more: readonly string[]): Promise<string> {
  const before = (await readLog(place.directory)).length
  const child = spawnServer(place, more)
  await once(child, 'exit')
  return (await readLog(place.directory)).slice(before)
}

function serverOf(child: ChildProcess): Server {
  const { pid } = child
  if (pid === undefined) throw new Error('mariadbd has no process id')
  const gone = once(child, 'exit')
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await gone
    clearTimeout(timer)
  }
  return {
    pid,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    signal: (name) => child.kill(name),
  }
}

async function readLog(directory: string): Promise<string> {
  return readFile(join(directory, 'log'), 'utf8').catch(() => '')
}

/** Socket paths have at most 107 bytes. */
function socketOf(directory: string): string {
  return join(directory, 'sock')
}

export interface Mariadb {
  /** `127.0.0.1:port`. */
  readonly node: string
  readonly directory: string
  readonly server: Server
  /** An empty database that nobody else uses. */
  freshDatabase(): Promise<string>
  dropDatabase(name: string): Promise<void>
  /** Stops the server and removes its data. */
  end(): Promise<void>
}

/**
 * A MariaDB without Galera on this machine's loopback. It is fast, because it may lose data in a
 * power failure.
 */
export async function startMariadb(options: readonly string[] = []): Promise<Mariadb> {
  const directory = await makeTestDirectory('atoll-mdb-')
  await initializeData(directory)
  const port = await freePort()
  const place = { directory, address: '127.0.0.1', port }
  const hasty = [
    '--innodb-flush-log-at-trx-commit=0',
    '--sync-frm=0',
    '--innodb-flush-method=nosync',
  ]
  const server = await startServer({ ...place, options: [...hasty, ...options] })
  return {
    node: `127.0.0.1:${port}`,
    directory,
    server,
    async freshDatabase() {
      const name = `a${randomBytes(6).toString('hex')}`
      await administer(directory, `create database ${name}`)
      return name
    },
    async dropDatabase(name) {
      await administer(directory, `drop database ${name}`)
    },
    async end() {
      await server.kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A new directory that the server's user may pass through. */
export async function makeTestDirectory(prefix: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), prefix))
  await chmod(directory, 0o711)
  return directory
}

/**
 * A free port on loopback. It is below those that the kernel gives to clients, so that nobody gets
 * it before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await promisify(probe.close.bind(probe))()
    return port
  }
}

/** Copies a data directory. */
export async function copyData(from: string, to: string): Promise<void> {
  await cp(join(from, 'data'), join(to, 'data'), { recursive: true })
  await mkdir(join(to, 'tmp'))
  await run('chown', ['-R', SYSTEM_USER, to])
}
