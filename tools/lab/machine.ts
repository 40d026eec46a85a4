/**
 * One machine of a lab: switching it on and off, running programs in it, and its services.
 *
 * A machine is a set of namespaces around a first process. When that process is killed, everything
 * in it ends at once (pid_namespaces(7)), like a power failure. The machine runs on without the
 * process that started it; its pid file identifies it.
 */
import { spawn } from 'node:child_process'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { statFields } from '../../src/host/processes/stat.ts'
import { type RunResult, systemRunner } from '../../src/lib/runner.ts'
import { enterNamespace } from '../kit/netns.ts'
import type { MachineLayout } from './layout.ts'
import { checked, until } from './run.ts'

const BOOT = join(import.meta.dirname, 'boot.sh')
const ROOT = join(import.meta.dirname, '../..')
const BOOT_MS = 10_000
const STOP_MS = 30_000
const EXEC_PATH = `${ROOT}/bin:${ROOT}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`

interface Execution {
  readonly timeoutMs?: number
  readonly stdin?: string
  readonly signal?: AbortSignal
}

/** What the machine's supervisor can do with a service. */
interface LabService {
  /** SIGKILL. The supervisor starts it again, like systemd. */
  crash(): Promise<void>
  /** SIGKILL. It stays down until `start`. */
  kill(): Promise<void>
  /** Stops it regularly and waits for that. It stays down until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  /** The process id inside the machine. Null while it does not run. */
  pid(): Promise<number | null>
  /** Its log since the machine was created. */
  log(): Promise<string>
}

export interface Machine {
  readonly name: string
  /** Moves the calling thread into the machine's network. The returned function moves it back. */
  enter(): () => void
  isOn(): Promise<boolean>
  /** The command line that runs `argv` inside. Throws while the machine is off. */
  command(argv: readonly string[]): Promise<readonly string[]>
  /**
   * Runs a program inside to its end. On a machine that is off it ends at once, without exit code.
   */
  exec(argv: readonly string[], options?: Execution): Promise<RunResult>
  /** Like `exec`, but throws with the program's messages when it fails. */
  must(argv: readonly string[], options?: Execution): Promise<string>
  service(name: string): LabService
  serviceNames(): Promise<readonly string[]>
}

/** The machine of a layout, on or off. */
export function machineOf(layout: MachineLayout): Machine {
  const inside = async (argv: readonly string[]): Promise<readonly string[] | null> => {
    const pid = await firstProcess(layout)
    if (pid === null) return null
    return [
      ...['nsenter', `--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--wd=/'],
      ...['--', 'env', '-i', `PATH=${EXEC_PATH}`, 'HOME=/root', 'LANG=C.UTF-8', 'TERM=xterm'],
      ...argv,
    ]
  }
  const command: Machine['command'] = async (argv) => {
    const full = await inside(argv)
    if (full === null) throw new Error(`${layout.name} is off: scripts/lab start ${layout.name}`)
    return full
  }
  const exec: Machine['exec'] = async (argv, options = {}) => {
    const full = await inside(argv)
    if (full === null) return { exitCode: null, stoppedBy: null, stdout: '', stderr: 'it is off' }
    const [program = '', ...args] = full
    return systemRunner(program, args, options)
  }
  const mustExec: Machine['must'] = async (argv, options) =>
    checked([`${layout.name}:`, ...argv], await exec(argv, options))
  return {
    name: layout.name,
    enter: () => enterNamespace(`/run/netns/${layout.netns}`),
    isOn: async () => (await firstProcess(layout)) !== null,
    command,
    exec,
    must: mustExec,
    service: (name) => serviceOf(layout, mustExec, name),
    serviceNames: async () =>
      (await mustExec(['ls', '/run/service'])).split('\n').filter((name) => name !== ''),
  }
}

function serviceOf(layout: MachineLayout, must: Machine['must'], name: string): LabService {
  const directory = `/run/service/${name}`
  const control = async (...args: readonly string[]) => {
    await must(['s6-svc', ...args, directory], { timeoutMs: STOP_MS + 1000 })
  }
  return {
    crash: () => control('-k'),
    kill: () => control('-O', '-k'),
    stop: () => control('-wD', '-T', String(STOP_MS), '-d'),
    async start() {
      // The supervisor of a machine that was just switched on starts a moment later.
      await until(`${layout.name}: the supervisor of ${name}`, STOP_MS, () =>
        must(['s6-svok', directory]).then(
          () => true,
          () => null,
        ),
      )
      await control('-u')
    },
    pid: async () => {
      const pid = Number(await must(['s6-svstat', '-o', 'pid', directory]))
      return pid > 0 ? pid : null
    },
    log: () => readFile(join(layout.disk, 'log', `${name}.log`), 'utf8'),
  }
}

/** Length of the output of a machine that does not boot, for the error. */
const SAID_CHARACTERS = 500

/** Starts the first process of a machine that is off. Its network exists already. */
export async function powerOn(layout: MachineLayout, cacheDir: string): Promise<void> {
  const { name, disk, pidFile } = layout
  await rm(pidFile, { force: true })
  const log = await open(join(disk, 'boot.log'), 'a')
  const spaces = ['unshare', '--mount', '--pid', '--uts', '--ipc', '--fork', '--']
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${layout.netns}`, '--', ...spaces, BOOT, name, disk, pidFile, cacheDir],
    { stdio: ['ignore', log.fd, log.fd], detached: true },
  )
  await log.close()
  child.unref()
  const ready = async () => {
    if (child.exitCode !== null) {
      const said = await readFile(join(disk, 'boot.log'), 'utf8')
      throw new Error(`${name} does not boot: ${said.slice(-SAID_CHARACTERS)}`)
    }
    return (await supervises(layout)) ? true : null
  }
  await until(`${name} boots; see ${disk}/boot.log`, BOOT_MS, ready)
}

/** The supervisor runs once the first process is no longer the shell that sets up the machine. */
async function supervises(layout: MachineLayout): Promise<boolean> {
  const pid = await firstProcess(layout)
  if (pid === null) return false
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
  return name.trim() === 's6-svscan'
}

/** Kills everything in the machine at once, and waits for that. Does nothing when it is off. */
export async function powerOff(layout: MachineLayout): Promise<void> {
  const pid = await firstProcess(layout)
  if (pid !== null) {
    // On a file system that a drill has frozen, no process would end.
    await systemRunner('fsfreeze', ['--unfreeze', `/proc/${pid}/root/var/lib`])
    process.kill(pid, 'SIGKILL')
    const ended = async () => ((await firstProcess(layout)) === null ? true : null)
    await until(`the processes of ${layout.name} end`, BOOT_MS, ended)
  }
  await rm(layout.pidFile, { force: true })
}

/**
 * The process id of the machine's first process, checked by its start time. Null when the machine
 * is off.
 */
async function firstProcess({ pidFile }: MachineLayout): Promise<number | null> {
  const [pid = '', start = ''] = (await readFile(pidFile, 'utf8').catch(() => '')).trim().split(' ')
  if (!/^\d+$/.test(pid)) return null
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = statFields(stat)
  // Field 3 is the state, field 22 the start time (proc(5)).
  return fields[0] !== 'Z' && fields[19] === start ? Number(pid) : null
}
