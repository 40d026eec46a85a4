/**
 * Runs another program, with limits on time and output. Arguments are a list and never pass through
 * a shell.
 *
 * It is for the few jobs that cannot be done through a kernel socket (`nft`, `iptables`).
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { MIB } from '../model/sizes.ts'
import { bytesMoved } from './process-io.ts'

interface Run {
  readonly stdin?: string
  /** Kill the program when it takes longer. */
  readonly timeoutMs?: number
  /**
   * Kill the program when neither it nor its descendants have read or written a byte for this long.
   * Time in which this process does not run does not count.
   */
  readonly idleMs?: number
  /** Kill the program when its stdout or stderr is longer. */
  readonly outputLimitBytes?: number
  readonly signal?: AbortSignal
  /**
   * Whether the program has a process group of its own, which is killed as a whole at a limit. Then
   * it has ended when it exits, although what it left behind may keep its output open.
   */
  readonly group?: boolean
  /**
   * Whether the program is killed when this process ends, even if that is killed itself
   * (PR_SET_PDEATHSIG, prctl(2)). What the program has started is not. It takes a millisecond, for
   * setpriv(1).
   */
  readonly endsWithUs?: boolean
  /**
   * What the program inherits as descriptors 3 and following: a descriptor, or bytes to read from a
   * pipe.
   */
  readonly inherit?: readonly (number | Buffer)[]
}

/**
 * How a program ended. `exitCode` is null when a signal or a limit ended it. `stoppedBy` names the
 * limit.
 */
export interface RunResult {
  readonly exitCode: number | null
  readonly stoppedBy: 'timeout' | 'idle' | 'output limit' | 'abort' | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Starts `program`, and resolves when it has ended in any way. Rejects only when it cannot be
 * started, with Node's error (`code: 'ENOENT'`).
 */
export type Runner = (program: string, args: readonly string[], run?: Run) => Promise<RunResult>

/** Why a program failed, in words. */
export function failureOf({ exitCode, stoppedBy, stderr }: RunResult): string {
  if (stoppedBy === 'timeout') return 'it did not finish in time and was killed'
  if (stoppedBy === 'idle') return 'it stopped reading and writing, and was killed'
  if (stoppedBy !== null) return `it was killed (${stoppedBy})`
  const said = stderr.trim()
  return said === '' ? `exit code ${exitCode}` : said
}

const FIRST_INHERITED = 3
const DEFAULT_TIMEOUT_MS = 10_000
/** Consecutive checks without I/O until a program counts as idle. */
const IDLE_LOOKS = 10
/**
 * How long to wait for a killed program to end. One that is stuck in the kernel does not end, and
 * is no longer waited for.
 */
const KILLED_MS = 1_000
const DEFAULT_OUTPUT_LIMIT_BYTES = 16 * MIB
/** Starts the program that follows so that it is killed when its parent ends. */
const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'KILL', '--'] as const
const NOT_STARTED = 127

/** Runs the machine's programs. */
export const systemRunner: Runner = (program, args, run = {}) =>
  new Promise((resolve, reject) => {
    const { group = false, endsWithUs = false } = run
    const [first, ...rest] = endsWithUs ? [...ENDS_WITH_US, program, ...args] : [program, ...args]
    const child = startWith(first ?? program, rest, 'pipe', run.inherit ?? [], group)
    let stoppedBy: RunResult['stoppedBy'] = null
    let held: NodeJS.Timeout | undefined
    const stop = (why: NonNullable<RunResult['stoppedBy']>) => {
      stoppedBy ??= why
      // Later its number may be another's.
      if (group && child.exitCode === null && child.signalCode === null) killGroup(child.pid)
      child.kill('SIGKILL')
      held ??= setTimeout(() => end(null), KILLED_MS)
    }
    const timer = setTimeout(() => stop('timeout'), run.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const stopWatching = whenIdle(child.pid, run.idleMs, () => stop('idle'))
    const onAbort = () => stop('abort')
    run.signal?.addEventListener('abort', onAbort, { once: true })
    if (run.signal?.aborted === true) onAbort()

    const limitBytes = run.outputLimitBytes ?? DEFAULT_OUTPUT_LIMIT_BYTES
    const collect = (stream: NodeJS.ReadableStream | null) => {
      const chunks: Buffer[] = []
      let sizeBytes = 0
      stream?.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
        if (sizeBytes > limitBytes) stop('output limit')
        else chunks.push(chunk)
      })
      return () => Buffer.concat(chunks).toString('utf8')
    }
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    // A program that ends without reading its input closes the pipe. Its exit code says why.
    child.stdin?.on('error', () => {})
    child.stdin?.end(run.stdin ?? '')

    const settle = () => {
      clearTimeout(timer)
      clearTimeout(held)
      stopWatching()
      run.signal?.removeEventListener('abort', onAbort)
    }
    child.on('error', (error) => {
      settle()
      reject(error)
    })
    const end = (exitCode: number | null) => {
      settle()
      // Somebody may have inherited the other ends.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
      const result = { exitCode, stoppedBy, stdout: stdout(), stderr: stderr() }
      if (endsWithUs && exitCode === NOT_STARTED && result.stderr.startsWith('setpriv: '))
        reject(Object.assign(new Error(result.stderr.trim()), { code: 'ENOENT' }))
      else resolve(result)
    }
    child.on('close', end)
    if (group)
      child.on('exit', (exitCode) => {
        clearTimeout(timer)
        held ??= setTimeout(() => end(exitCode), KILLED_MS)
      })
  })

/** Kills a process and those that it has started, unless they have groups of their own. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // They have ended.
  }
}

/**
 * Calls `stop` once the process has been idle for `idleMs`. The returned function ends the watch.
 */
function whenIdle(
  pid: number | undefined,
  idleMs: number | undefined,
  stop: () => void,
): () => void {
  if (pid === undefined || idleMs === undefined) return () => undefined
  let last: number | null = null
  let looks = 0
  const look = async () => {
    const bytes = await bytesMoved(pid)
    looks = bytes === last && bytes !== null ? looks + 1 : 0
    last = bytes
    if (looks >= IDLE_LOOKS) stop()
  }
  const timer = setInterval(look, idleMs / IDLE_LOOKS)
  return () => clearInterval(timer)
}

/**
 * Removes the daemon's protection from the OOM killer from a child process, which inherits it
 * (proc_pid_oom_score_adj(5)). It must be called at once, before the child has children. Does
 * nothing if the child has ended.
 */
export function beExpendable(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '0')
  } catch {
    // It has ended.
  }
}

/**
 * Starts a program with `stdin` and further inherited descriptors. Its stdout and stderr are pipes
 * to us. `group`: it has a process group of its own.
 */
export function startWith(
  program: string,
  args: readonly string[],
  stdin: 'pipe' | number,
  inherit: readonly (number | Buffer)[],
  group = false,
) {
  const more = inherit.map((one) => (typeof one === 'number' ? one : 'pipe'))
  const child = spawn(program, args, { stdio: [stdin, 'pipe', 'pipe', ...more], detached: group })
  if (child.pid !== undefined) beExpendable(child.pid)
  for (const [index, one] of inherit.entries()) {
    const pipe = child.stdio[FIRST_INHERITED + index]
    if (typeof one === 'number' || !(pipe instanceof Writable)) continue
    // A program that ends without reading the pipe says why by its exit code.
    pipe.on('error', () => {})
    pipe.end(one)
  }
  return child
}
