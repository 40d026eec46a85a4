/** What the doctor says of how instances are kept from the host and from each other. */
import { readFile } from 'node:fs/promises'
import Docker from 'dockerode'
import { readWays } from '../model/docker-info.ts'
import { ok, type Verdict, warn } from './verdict.ts'

const COMMAND_TIMEOUT_MS = 5_000

/** Reads how the engine runs containers. Errors: the client's own. */
export async function checkIsolation(socketPath: string): Promise<Verdict> {
  const docker = new Docker({ socketPath, timeout: COMMAND_TIMEOUT_MS })
  const { hasUserNamespace, hasQuota } = readWays(
    await docker.info(),
    await readFile('/proc/self/mounts', 'utf8'),
  )
  const disk = hasQuota
    ? 'the file system enforces disk sizes'
    : 'disk use is checked every few seconds; a container that exceeds its type is stopped'
  if (hasUserNamespace) return ok(`containers have a user namespace; ${disk}`)
  return warn(
    `root of a container is root of this host, with fewer rights and no NET_ADMIN; ${disk}`,
    'let the engine map users: {"userns-remap": "default"} in /etc/docker/daemon.json and restart it; containers from before are then not found any more',
  )
}
