/**
 * Starts the parts of the daemon that are processes of their own, and keeps them running. For
 * machines without a service manager.
 *
 * - A part is `atolld --config FILE --part NAME` with this process's own program, in a process
 *   group of its own. There may be several of one, each with its number (`--worker N`). It
 *   outlives this process if that is killed, and the next one finds it.
 * - It is recognised by its file in the runtime directory, which has its process id and its start
 *   time: no other process has both.
 * - One that ends is started again at once. One that keeps ending is started at a limited rate.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { statFields } from '../host/processes/stat.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'
import { unavailable } from '../model/errors.ts'

/** The parts that are processes of their own, besides the agent, which starts them. */
const CHILD_PARTS = ['services', 'api', 'fence'] as const
export type ChildPart = (typeof CHILD_PARTS)[number]

/** Starts of one part: some at once, more at this rate. */
const START_LIMITS = { burst: 8, perSecond: 0.5 }
/** How often a process is looked at that is not our child. */
const LOOK_MS = 250
/** After this time one that was asked to end is killed. */
const END_MS = 10_000
const END_LOOK_MS = 20

/** How a part is started. */
export interface ChildSpec {
  readonly part: ChildPart
  /** Which of several of this part it is, from 1 on; absent: the first. */
  readonly worker?: number
  /**
   * Opens what it inherits as descriptors 3 and following, before each start. They are closed here
   * afterwards.
   */
  readonly inherit?: () => { readonly files: readonly number[]; close(): void }
  /**
   * How much it stands back for others who want the processor (nice(2)); 0 if absent. One that may
   * not go before others is like them.
   */
  readonly niceness?: number
  /** Where it runs; absent: in the root directory. */
  readonly directory?: string
  /** Programs that start it in turn, with their arguments, such as setpriv(1). */
  readonly through?: readonly string[]
}

/** A part that is kept running. */
export interface Child {
  /** Its process id; null: it does not run. */
  pid(): number | null
  /** Whether it was started here, and not by an earlier daemon. */
  isNew(): boolean
  /** Looks at once whether it has ended. For who notices first. */
  look(): void
  /** Starts another one at once. The one before ends by itself. */
  succeed(): void
  /**
   * Ends it: SIGTERM, and after a time SIGKILL. It is not started again. The waits of `clock` have
   * to keep this process alive: nothing else may.
   */
  end(clock: Clock): Promise<void>
}

export interface ChildrenParts {
  readonly runtimeDir: string
  /** The configuration file, as an absolute path. */
  readonly configFile: string
  /** The program and its arguments that are this daemon; absent: as this process was started. */
  readonly command?: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

/** A process that cannot be taken for another. */
interface Known {
  readonly pid: number
  readonly startTime: string
}

/** Keeps a part running: adopts the process of an earlier daemon, or starts one. */
export function keepChild(parts: ChildrenParts, spec: ChildSpec): Child {
  const child = new KeptChild(parts, spec)
  child.begin()
  return child
}

/**
 * Ends the parts (all unless some are named) that a daemon of this runtime directory has left
 * behind. Returns the names of those that ran. May be repeated. The waits of `clock` have to keep
 * this process alive.
 */
export async function endChildren(
  runtimeDir: string,
  clock: Clock,
  parts: readonly ChildPart[] = CHILD_PARTS,
): Promise<readonly ChildPart[]> {
  const ended = new Set<ChildPart>()
  for (const part of parts)
    for (const worker of workersOf(runtimeDir, part)) {
      const known = readKnown(runtimeDir, { part, worker })
      if (known !== null && isAlive(known)) {
        await endProcess(known, clock)
        ended.add(part)
      }
      await rm(fileOf(runtimeDir, { part, worker }), { force: true })
    }
  return [...ended]
}

/** The processes of a part that a daemon of this runtime directory has left and that still run. */
export function runningChildren(runtimeDir: string, part: ChildPart): readonly number[] {
  return workersOf(runtimeDir, part).flatMap((worker) => {
    const known = readKnown(runtimeDir, { part, worker })
    return known !== null && isAlive(known) ? [known.pid] : []
  })
}

/** Ends these processes: SIGTERM, and after a time SIGKILL. Errors: as of `Child.end`. */
export async function endProcesses(pids: readonly number[], clock: Clock): Promise<void> {
  const known = pids.flatMap((pid) => {
    const startTime = startTimeOf(pid)
    return startTime === null ? [] : [{ pid, startTime }]
  })
  await Promise.all(known.map((one) => endProcess(one, clock)))
}

class KeptChild implements Child {
  readonly #parts: ChildrenParts
  readonly #spec: ChildSpec
  readonly #starts
  #known: Known | null = null
  #isEnding = false
  #isNew = false
  #stopLooking = () => {}

  constructor(parts: ChildrenParts, spec: ChildSpec) {
    this.#parts = parts
    this.#spec = spec
    this.#starts = createTokenBucket(START_LIMITS, parts.clock.monotonic())
  }

  begin(): void {
    const { runtimeDir, log } = this.#parts
    const { part } = this.#spec
    const known = readKnown(runtimeDir, this.#spec)
    if (known !== null && isAlive(known)) {
      this.#known = known
      log.info({ part, pid: known.pid }, 'a part of the daemon that runs already is used')
      this.#lookLater()
      return
    }
    this.#start()
  }

  pid(): number | null {
    return this.#known?.pid ?? null
  }

  isNew(): boolean {
    return this.#isNew
  }

  look(): void {
    if (this.#isEnding || (this.#known !== null && isAlive(this.#known))) return
    this.#ended()
  }

  succeed(): void {
    if (this.#isEnding) return
    this.#known = null
    this.#start()
  }

  async end(clock: Clock): Promise<void> {
    this.#isEnding = true
    this.#stopLooking()
    const { runtimeDir } = this.#parts
    if (this.#known !== null) await endProcess(this.#known, clock)
    this.#known = null
    await rm(fileOf(runtimeDir, this.#spec), { force: true })
  }

  #start(): void {
    const { clock, log } = this.#parts
    const { part } = this.#spec
    this.#stopLooking()
    if (!this.#starts.take(clock.monotonic())) {
      this.#stopLooking = clock.after(LOOK_MS, () => this.#start())
      return
    }
    const child = this.#spawn()
    child.on('error', (error) => log.error({ part, error }, 'a part of the daemon cannot start'))
    const { pid } = child
    if (pid !== undefined) this.#standBack(pid)
    const startTime = pid === undefined ? null : startTimeOf(pid)
    if (pid === undefined || startTime === null) {
      this.#stopLooking = clock.after(LOOK_MS, () => this.#start())
      return
    }
    const known = { pid, startTime }
    this.#known = known
    this.#isNew = true
    child.unref()
    child.once('exit', (code, by) => {
      if (this.#known !== known) return
      log.warn({ part, pid, code, signal: by }, 'a part of the daemon has ended')
      this.#ended()
    })
    log.info({ part, pid }, 'a part of the daemon was started')
    this.#write(known)
  }

  #spawn(): ChildProcess {
    const { command = ownCommand(), configFile } = this.#parts
    const { part, worker = 1, through = [], inherit, directory = '/' } = this.#spec
    const number = worker === 1 ? [] : ['--worker', `${worker}`]
    const words = [...through, ...command, '--config', configFile, '--part', part, ...number]
    const [program = '', ...args] = words
    const opened = inherit?.()
    try {
      return spawn(program, args, {
        // Its lines go where ours go.
        stdio: ['ignore', 2, 2, ...(opened?.files ?? [])],
        detached: true,
        cwd: directory,
      })
    } finally {
      opened?.close()
    }
  }

  /** At once: threads that it has later inherit it. */
  #standBack(pid: number): void {
    const { part, niceness = 0 } = this.#spec
    if (niceness === 0) return
    try {
      setPriority(pid, niceness)
    } catch (error) {
      this.#parts.log.debug({ part, error }, 'a part of the daemon keeps its priority')
    }
  }

  /** At once: a daemon that dies before it is written leaves a process that nobody finds. */
  #write({ pid, startTime }: Known): void {
    const { runtimeDir, log } = this.#parts
    const { part } = this.#spec
    try {
      writeFileSync(fileOf(runtimeDir, this.#spec), `${pid} ${startTime}\n`)
    } catch (error) {
      log.error({ part, error }, 'the next daemon will not find this part of it')
    }
  }

  #ended(): void {
    this.#known = null
    if (!this.#isEnding) this.#start()
  }

  #lookLater(): void {
    this.#stopLooking = this.#parts.clock.after(LOOK_MS, () => {
      this.look()
      if (this.#known !== null && !this.#isEnding) this.#lookLater()
    })
  }
}

/** Whether a process is this part of a daemon, by its command line. */
export function isPartProcess(pid: number, part: ChildPart): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words.some((word, index) => word === '--part' && words[index + 1] === part)
  } catch {
    return false
  }
}

/** How this process was started, with Node's own options. */
function ownCommand(): readonly string[] {
  const [program = '', main = ''] = process.argv
  return [program, ...process.execArgv, main]
}

type Which = Pick<ChildSpec, 'part' | 'worker'>

function fileOf(runtimeDir: string, { part, worker = 1 }: Which): string {
  return below(runtimeDir, worker === 1 ? `${part}.pid` : `${part}-${worker}.pid`)
}

/** The numbers of the processes of a part that have a file. */
function workersOf(runtimeDir: string, part: ChildPart): readonly number[] {
  const numbers = namesIn(runtimeDir).flatMap((name) => {
    const [, prefix, number = '1'] = /^([a-z]+)(?:-(\d{1,4}))?\.pid$/.exec(name) ?? []
    return prefix === part && Number(number) > 0 ? [Number(number)] : []
  })
  return [...new Set(numbers)].toSorted((a, b) => a - b)
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readKnown(runtimeDir: string, which: Which): Known | null {
  try {
    const text = readFileSync(fileOf(runtimeDir, which), 'utf8')
    const [, pid = '', startTime = ''] = /^(\d{1,10}) (\d{1,20})\n$/.exec(text) ?? []
    return Number(pid) > 1 ? { pid: Number(pid), startTime } : null
  } catch {
    return null
  }
}

/** In clock ticks since boot (proc_pid_stat(5), field 22). Null: there is no such process. */
function startTimeOf(pid: number): string | null {
  try {
    const fields = statFields(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return /^[ZX]/.test(fields[0] ?? '') ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}

function isAlive({ pid, startTime }: Known): boolean {
  return startTimeOf(pid) === startTime
}

function signal(known: Known, name: 'SIGTERM' | 'SIGKILL'): void {
  if (!isAlive(known)) return
  try {
    process.kill(known.pid, name)
  } catch {
    // It has ended.
  }
}

/** Errors: `unavailable` when it does not even end by SIGKILL. */
async function endProcess(known: Known, clock: Clock): Promise<void> {
  signal(known, 'SIGTERM')
  if (await hasEnded(known, clock)) return
  signal(known, 'SIGKILL')
  if (!(await hasEnded(known, clock))) throw unavailable(`process ${known.pid} does not end`)
}

async function hasEnded(known: Known, clock: Clock): Promise<boolean> {
  const giveUpMs = clock.monotonic() + END_MS
  while (isAlive(known)) {
    if (clock.monotonic() > giveUpMs) return false
    await clock.sleep(END_LOOK_MS)
  }
  return true
}
