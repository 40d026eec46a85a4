/** How the Docker Engine was told to run containers, as far as it matters to instances. */
import type Dockerode from 'dockerode'
import { z } from 'zod'
import { dockerError } from './docker-errors.ts'

/** What `docker info` says (https://docs.docker.com/reference/api/engine/version/v1.41/, SystemInfo). */
const infoSchema = z.object({
  DockerRootDir: z.string().max(4096),
  SecurityOptions: z.array(z.string().max(256)).max(64).nullish(),
})

/** Of one start of an engine. */
interface Ways {
  /** Where it keeps everything. */
  readonly rootDirectory: string
  /**
   * Whether the root of a container is an ordinary user of the host (`userns-remap`,
   * https://docs.docker.com/engine/security/userns-remap/).
   */
  readonly hasUserNamespace: boolean
}

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
  const info = await docker.info().catch((error: unknown) => {
    throw dockerError(error, 'ask the engine how it runs containers')
  })
  const { DockerRootDir, SecurityOptions } = infoSchema.parse(info)
  return {
    rootDirectory: DockerRootDir,
    hasUserNamespace: isRemapped(SecurityOptions ?? []),
  }
}

/** Each option is `name=…`, with further fields behind a comma. */
function isRemapped(options: readonly string[]): boolean {
  return options.some((option) => option.split(',').includes('name=userns'))
}
