/**
 * Network namespaces for tests.
 *
 * A test file that calls `enter` becomes the host that it tests: vitest runs each file in its own
 * process, and its main thread moves into the namespace, so that sockets and programs started later
 * are inside. The root namespace is not touched.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { loadLibc } from '../../src/host/libc.ts'
import { until } from '../lab/run.ts'

const POLL_MS = 20

/** How a program inside ended. */
export interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface Netns {
  readonly name: string
  /** A process that only keeps the namespace alive, like a container's init for the daemon. */
  readonly pid: number
  /** Runs a program inside to its end. It is killed after `timeoutMs` (default: 30 s). */
  run(
    argv: readonly string[],
    options?: { readonly timeoutMs?: number; readonly stdin?: string },
  ): Promise<Ran>
  /** Like `run`, but throws with the program's messages when it fails. */
  must(argv: readonly string[], options?: { readonly stdin?: string }): Promise<string>
  /**
   * Starts a program inside that runs until the namespace is destroyed. `heard` gets its stdout, in
   * whole lines; what follows the last line end comes when the program has closed it.
   */
  spawn(argv: readonly string[], heard?: (text: string) => void): ChildProcess
  /** Moves the calling thread inside. The returned function moves it back. */
  enter(): () => void
  /** Ends everything inside; the kernel then removes the links. May be repeated. */
  destroy(): Promise<void>
}

/** Far more than any of them takes, on a machine that runs several files of tests at a time. */
const DEFAULT_TIMEOUT_MS = 30_000
const DEADLINE_MS = 20_000
const HOLD = 'ip link set lo up && echo ready && exec sleep infinity'

/** Moves the calling thread into the namespace of `file`. The returned function moves it back. */
export function enterNamespace(file: string): () => void {
  const libc = loadLibc()
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const there = openSync(file, 'r')
  libc.enterNetworkNamespace(there)
  closeSync(there)
  return () => {
    libc.enterNetworkNamespace(home)
    closeSync(home)
  }
}

/**
 * A new namespace with its loopback up. `label` only helps to recognise it; the process id makes it
 * unique.
 */
export async function createNetns(label: string): Promise<Netns> {
  // If the test process is killed, the kernel ends this one, and with it the namespace.
  const hold = ['unshare', '--net', 'sh', '-c', HOLD]
  const holder = spawn('setpriv', ['--pdeathsig', 'KILL', ...hold], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const pid = holder.pid
  if (pid === undefined) throw new Error('unshare has no process id')
  const children: ChildProcess[] = []
  const inside = (argv: readonly string[]) => ['--net', `--target=${pid}`, '--', ...argv]

  const run: Netns['run'] = (argv, options = {}) =>
    new Promise((resolve) => {
      const settings = {
        timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        killSignal: 'SIGKILL' as const,
      }
      const child = execFile('nsenter', inside(argv), settings, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
        resolve({ exitCode, stdout, stderr })
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.stdin ?? '')
    })

  return {
    name: `${label}-${pid}`,
    pid,
    run,
    must: async (argv, options = {}) => {
      const { exitCode, stdout, stderr } = await run(argv, options)
      if (exitCode !== 0)
        throw new Error(`${label}: ${argv.join(' ')}: exit ${exitCode}: ${stderr}${stdout}`)
      return stdout
    },
    spawn: (argv, heard) => {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...inside(argv)], {
        stdio: ['ignore', heard === undefined ? 'ignore' : 'pipe', 'ignore'],
      })
      if (child.stdout !== null && heard !== undefined) inWholeLines(child.stdout, heard)
      children.push(child)
      return child
    },
    enter: () => enterNamespace(`/proc/${pid}/ns/net`),
    destroy: async () => {
      // What these have started may run as another user, and then does not end with them.
      const inside = await processesIn(pid)
      const ended = [holder, ...children].filter(
        (child) => child.exitCode === null && child.signalCode === null,
      )
      const exits = ended.map((child) => once(child, 'exit'))
      for (const child of ended) child.kill('SIGKILL')
      await Promise.all(exits)
      for (const each of inside) killIfThere(each)
    },
  }
}

/** Gives text on in whole lines: what a program has written at once may come in several pieces. */
function inWholeLines(from: Readable, heard: (text: string) => void): void {
  let rest = ''
  from.setEncoding('utf8')
  from.on('data', (text: string) => {
    const all = rest + text
    const end = all.lastIndexOf('\n') + 1
    rest = all.slice(end)
    if (end > 0) heard(all.slice(0, end))
  })
  from.on('end', () => {
    if (rest !== '') heard(rest)
  })
}

/** All processes in the network namespace of `holder`, but this one. None in that of process 1. */
async function processesIn(holder: number): Promise<readonly number[]> {
  const spaceOf = (pid: number | string) => readlink(`/proc/${pid}/ns/net`).catch(() => null)
  const space = await spaceOf(holder)
  if (space === null || space === (await spaceOf(1))) return []
  const found: number[] = []
  for (const name of await readdir('/proc'))
    if (/^\d+$/.test(name) && Number(name) !== process.pid && (await spaceOf(name)) === space)
      found.push(Number(name))
  return found
}

/** SIGKILLs a process, if it has not ended meanwhile. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/**
 * Resolves once `holds` returns true, checking every `everyMs`. Throws `what` after the
 * deadline.
 */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeoutMs = DEADLINE_MS,
  everyMs = POLL_MS,
): Promise<void> {
  await until(what, timeoutMs, async () => ((await holds()) ? true : null), everyMs)
}
