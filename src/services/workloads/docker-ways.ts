/** How the Docker Engine was told to run containers, as far as it matters to instances. */
import { readFile, stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type Dockerode from 'dockerode'
import { readWays, type Ways } from '../../lib/engine-ways.ts'
import { below } from '../../lib/paths.ts'
import { unavailable } from '../../model/errors.ts'
import { dockerError } from './docker-errors.ts'

/** An engine that takes longer counts as away. */
const ANSWER_DEADLINE_MS = 10_000
const MS = 1000

export interface EngineWays {
  /** Asks the engine until it has said so once. Errors: `unavailable`. */
  read(): Promise<Ways>
  /**
   * Since when nothing but itself, a signal or its memory limit can have ended a container, in milliseconds since the epoch: since the
   * engine was started or, where containers go on without it, since the machine was. Null when that cannot be told. Errors: `unavailable`.
   */
  lastUpheaval(): Promise<number | null>
  /** It may be another one now. */
  forget(): void
}

/** Nothing is known of the engine yet. */
export function createEngineWays(docker: Dockerode): EngineWays {
  let known: Ways | null = null
  return {
    async read() {
      known ??= await ask(docker)
      return known
    },
    async lastUpheaval() {
      known ??= await ask(docker)
      return known.hasLiveRestore ? await machineStart() : await engineStart(known.rootDirectory)
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
 * The engine does not say since when it runs, but makes one directory anew at each start (moby: daemon/daemon.go, prepareTempDir). Without
 * times of birth (statx(2)) nothing can be said.
 */
async function engineStart(rootDirectory: string): Promise<number | null> {
  const made = await stat(below(rootDirectory, 'tmp')).catch(() => null)
  return made === null || made.birthtimeMs === 0 ? null : made.birthtimeMs
}

async function ask(docker: Dockerode): Promise<Ways> {
  // Its types know no signal for this question.
  const late = setTimeout(ANSWER_DEADLINE_MS, undefined, { ref: false }).then(() => {
    throw unavailable('the engine does not say how it runs containers')
  })
  const info: unknown = await Promise.race([docker.info(), late]).catch((error: unknown) => {
    throw dockerError(error, 'ask the engine how it runs containers')
  })
  return readWays(info, await readFile('/proc/self/mounts', 'utf8'))
}
