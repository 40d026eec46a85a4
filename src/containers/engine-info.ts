/** The configuration and state of the Docker Engine that matter to instances. */
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

/** The engine's own description, and what its process shows. */
interface EngineContext extends DockerInfo {
  /**
   * The number of open files that it can allow a container's process: its own hard limit, which
   * cannot be raised within a user namespace (setrlimit(2)). Infinity when its process is unknown.
   */
  readonly openFiles: number
}

export interface EngineInfo {
  /** The description of the engine, which is asked for only once. Errors: `unavailable`. */
  read(): Promise<EngineContext>
  /**
   * The time of the last restart, in milliseconds since the epoch. Since then only the container
   * itself, a signal or its memory limit can have ended it. It is the start of the engine or, where
   * containers run on without it, of the machine. Null when unknown. Errors: `unavailable`.
   */
  lastRestart(): Promise<number | null>
  /** Forgets the description, because the engine may be another one now. */
  forget(): void
}

/** Nothing is known at first of the engine behind the socket. */
export function createEngineInfo(docker: Dockerode, socketPath: string): EngineInfo {
  let known: EngineContext | null = null
  async function read(): Promise<EngineContext> {
    known ??= { ...(await ask(docker)), openFiles: await openFilesOf(socketPath) }
    return known
  }
  return {
    read,
    async lastRestart() {
      const { hasLiveRestore, rootDirectory } = await read()
      return hasLiveRestore ? await machineStart() : await engineStart(rootDirectory)
    },
    forget() {
      known = null
    },
  }
}

/** Time of the kernel's start in seconds since the epoch (proc(5), /proc/stat). */
const BOOT_TIME = /^btime (\d+)$/m

async function machineStart(): Promise<number | null> {
  const seconds = BOOT_TIME.exec(await readFile('/proc/stat', 'utf8'))?.[1]
  return seconds === undefined ? null : Number(seconds) * MS
}

/**
 * The engine does not report its start time, but it creates one directory again at each start
 * (moby: daemon/daemon.go, prepareTempDir). Without birth times (statx(2)) the start is unknown.
 */
async function engineStart(rootDirectory: string): Promise<number | null> {
  const made = await stat(below(rootDirectory, 'tmp')).catch(() => null)
  return made === null || made.birthtimeMs === 0 ? null : made.birthtimeMs
}

async function ask(docker: Dockerode): Promise<DockerInfo> {
  // This request has no signal in dockerode's types.
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
    // It runs on another machine, or was started in another way.
    return Infinity
  }
}
