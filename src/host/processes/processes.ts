/**
 * Processes of virtual machines: starts them detached from the daemon, finds them again after a
 * restart, and kills them.
 *
 * Each has its own session, control group (`groups.ts`) and unprivileged user: a guest that breaks
 * out of QEMU reaches neither files of the host nor of another guest. A process belongs to an
 * instance when its command line names the instance's directory *and* it runs as the instance's
 * user: anybody could use the name alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import type { Clock } from '../../lib/clock.ts'
import { below } from '../../lib/paths.ts'
import { beExpendable } from '../../lib/runner.ts'
import { bug, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import {
  instanceFromMark,
  MACHINES_DIRECTORY,
  machineName,
  machineUser,
} from '../../model/names.ts'
import { type CellDisk, cellCommand } from './cell.ts'
import { statFields } from './stat.ts'

const KILL_DEADLINE_MS = 10_000
/** After a restart of the daemon the process is not its child, so there is no event to wait for. */
const LOOK_EVERY_MS = 10

export interface ProcessRequest {
  /** What it opens itself, in place of its first descriptor, number 3. Null: nothing. */
  readonly disk: CellDisk | null
  readonly args: readonly string[]
  /** Descriptors to inherit. The first becomes number 3. */
  readonly files: readonly number[]
  /** Gets its stdout and stderr. */
  readonly log: number
  readonly user: number
  readonly group: number
  /** Called before the process does anything. */
  readonly before: (pid: number) => Promise<void>
}

/**
 * Starts QEMU, detached, and returns its process id. Errors: `unavailable` when it cannot be
 * started.
 */
export async function startProcess(request: ProcessRequest): Promise<number> {
  const { files, log, user, group, before } = request
  const { program, args } = cellCommand(user, group, request.args, request.disk)
  const child = spawn(program, args, {
    stdio: ['pipe', log, log, ...files],
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  // The daemon is protected from the OOM killer; a guest must not be.
  if (child.pid !== undefined) beExpendable(child.pid)
  child.unref()
  const [error] = await Promise.race([
    once(child, 'spawn').then(() => []),
    once(child, 'error').catch((cause: unknown) => [cause]),
  ])
  if (error !== undefined || child.pid === undefined)
    throw unavailable(`${program} cannot be started (Debian: apt-get install util-linux)`, error)
  const { stdin } = child
  if (stdin === null) throw bug('a process without its stdin')
  // It may have ended. Its monitor, which does not answer, will show that.
  stdin.on('error', () => undefined)
  try {
    await before(child.pid)
    stdin.end('go\n')
  } catch (error) {
    stdin.destroy()
    throw error
  }
  return child.pid
}

/** The directory of each virtual machine below `stateDir`. */
export async function machineHomes(stateDir: string): Promise<ReadonlyMap<InstanceId, string>> {
  const root = below(stateDir, MACHINES_DIRECTORY)
  const names = await readdir(root).catch(() => [])
  const instances = names.flatMap((name) => instanceFromMark(name) ?? [])
  return new Map(instances.map((instance) => [instance, below(root, instance)]))
}

/**
 * The instances of these that have a process, by their directories. Reads /proc once for all.
 * `isBegun`: also a process that is being started, and is root still.
 */
export async function findProcesses(
  homes: ReadonlyMap<InstanceId, string>,
  firstUser: number,
  isBegun = false,
): Promise<ReadonlyMap<InstanceId, number>> {
  const names = new Map([...homes].map(([instance, home]) => [machineName(home), instance]))
  const found = new Map<InstanceId, number>()
  if (names.size === 0) return found
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const instance = names.get((await nameOf(pid)) ?? '')
    if (instance === undefined) continue
    const user = await userOf(pid)
    if (user === machineUser(firstUser, instance) || (isBegun && user === 0))
      found.set(instance, pid)
  }
  return found
}

/**
 * Waits until the process has ended, the time is up, or `signal` aborts. Returns whether it has
 * ended.
 */
export async function awaitEnd(
  pid: number,
  home: string,
  wait: { readonly clock: Clock; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const { clock, timeoutMs, signal } = wait
  const name = machineName(home)
  const giveUpMs = clock.monotonic() + timeoutMs
  while (!(await isGone(pid, name))) {
    if (clock.monotonic() > giveUpMs || signal?.aborted === true) return false
    await clock.sleep(LOOK_EVERY_MS)
  }
  return true
}

/** Kills a process, and waits for its end. Errors: `unavailable` when it does not end. */
export async function killProcess(pid: number, home: string, clock: Clock): Promise<void> {
  if ((await nameOf(pid)) !== machineName(home)) return
  process.kill(pid, 'SIGKILL')
  if (!(await awaitEnd(pid, home, { clock, timeoutMs: KILL_DEADLINE_MS })))
    throw unavailable(`process ${pid} of ${home} does not end`)
}

/**
 * Whether the process has ended and released everything. An ending process loses its command line
 * first, then its files and its group. Only then it becomes a zombie (kernel/exit.c, do_exit),
 * which has nothing left but its exit code.
 */
async function isGone(pid: number, name: string): Promise<boolean> {
  const line = await commandLineOf(pid)
  if (line !== '') return nameIn(line) !== name
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat === null || /^[ZX]/.test(statFields(stat)[0] ?? '')
}

/**
 * The value of `-name` on a process's command line. Null when there is none, or the process has
 * ended.
 */
async function nameOf(pid: number): Promise<string | null> {
  return nameIn(await commandLineOf(pid))
}

function commandLineOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
}

function nameIn(line: string): string | null {
  const words = line.split('\0')
  const at = words.indexOf('-name')
  return at === -1 ? null : (words[at + 1] ?? null)
}

function userOf(pid: number): Promise<number | null> {
  return stat(`/proc/${pid}`).then(
    ({ uid }) => uid,
    () => null,
  )
}
