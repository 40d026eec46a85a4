/** How the Docker Engine was told to run containers, as far as it matters to instances. */
import { readFile, stat } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import { systemClock } from '../lib/clock.ts'
import { withDeadline } from '../lib/deadline.ts'
import { below } from '../lib/paths.ts'
import { type DockerInfo, parseDockerInfo } from '../model/docker-info.ts'
import { unavailable } from '../model/errors.ts'
import { dockerError } from './errors.ts'

/** An engine that takes longer counts as away. */
const ANSWER_DEADLINE_MS = 10_000
const MS = 1000

/** What it says, and what can be seen of its process. */
interface EngineContext extends DockerInfo {
  /**
   * Open files that it can allow a process of a container: its own hard limit, which nobody raises
   * from within a user namespace (setrlimit(2)). Infinity where its process is not known.
   */
  readonly openFiles: number
}

export interface EngineWays {
  /** Asks the engine until it has said so once. Errors: `unavailable`. */
  read(): Promise<EngineContext>
  /**
   * Since when nothing but itself, a signal or its memory limit can have ended a container, in
   * milliseconds since the epoch: since the engine was started or, where containers go on without
   * it, since the machine was. Null when that cannot be told. Errors: `unavailable`.
   */
  lastUpheaval(): Promise<number | null>
  /** It may be another one now. */
  forget(): void
}

/** Nothing is known yet of the engine behind that socket. */
export function createEngineWays(docker: Dockerode, socketPath: string): EngineWays {
  let known: EngineContext | null = null
  async function read(): Promise<EngineContext> {
    known ??= { ...(await ask(docker)), openFiles: await openFilesOf(socketPath) }
    return known
  }
  return {
    read,
    async lastUpheaval() {
      const { hasLiveRestore, rootDirectory } = await read()
      return hasLiveRestore ? await machineStart() : await engineStart(rootDirectory)
    },
    forget() {
      known = null
    },
  }
}

/** Seconds since the epoch at which the kernel was started (proc(5), /proc/stat). */
const BOOT_TIME = /^btime (\d+)$/m

async function machineStart(): Promise<number | null> {
  const seconds = BOOT_TIME.exec(await readFile('/proc/stat', 'utf8'))?.[1]
  return seconds === undefined ? null : Number(seconds) * MS
}

/**
 * The engine does not say since when it runs, but makes one directory anew at each start (moby:
 * daemon/daemon.go, prepareTempDir). Without times of birth (statx(2)) nothing can be said.
 */
async function engineStart(rootDirectory: string): Promise<number | null> {
  const made = await stat(below(rootDirectory, 'tmp')).catch(() => null)
  return made === null || made.birthtimeMs === 0 ? null : made.birthtimeMs
}

async function ask(docker: Dockerode): Promise<DockerInfo> {
  // Its types know no signal for this question.
  const late = () => unavailable('the engine does not say how it runs containers')
  const deadline = { clock: systemClock, ms: ANSWER_DEADLINE_MS, late }
  const info: unknown = await withDeadline(deadline, () => docker.info()).catch(
    (error: unknown) => {
      throw dockerError(error, 'ask the engine how it runs containers')
    },
  )
  return parseDockerInfo(info, await readFile('/proc/self/mounts', 'utf8'))
}

/**
 * Docker, and whoever starts an engine for Atoll, puts the file with its process id beside the
 * socket.
 */
async function openFilesOf(socketPath: string): Promise<number> {
  try {
    const pid = (await readFile(socketPath.replace(/sock$/, 'pid'), 'utf8')).trim()
    if (!/^\d{1,10}$/.test(pid)) return Infinity
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
    const [, hard = ''] = /^Max open files +\S+ +(\d+)/m.exec(limits) ?? []
    return hard === '' ? Infinity : Number(hard)
  } catch {
    // It is on another machine, or was started in another way.
    return Infinity
  }
}
