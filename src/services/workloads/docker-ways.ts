/** How the Docker Engine was told to run containers, as far as it matters to instances. */
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type Dockerode from 'dockerode'
import { readWays, type Ways } from '../../lib/engine-ways.ts'
import { unavailable } from '../../model/errors.ts'
import { dockerError } from './docker-errors.ts'

/** An engine that takes longer counts as away. */
const ANSWER_DEADLINE_MS = 10_000

export interface EngineWays {
  /** Asks the engine until it has said so once. Errors: `unavailable`. */
  read(): Promise<Ways>
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
    forget() {
      known = null
    },
  }
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
