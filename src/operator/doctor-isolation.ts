/** Check of `atoll doctor`: how containers are isolated from the host. Changes nothing. */
import { readFile } from 'node:fs/promises'
import Docker from 'dockerode'
import { parseDockerInfo } from '../model/docker-info.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

const COMMAND_TIMEOUT_MS = 5_000

/** Reads how the engine runs containers. */
export async function checkIsolation(socketPath: string): Promise<CheckResult> {
  const docker = new Docker({ socketPath, timeout: COMMAND_TIMEOUT_MS })
  const info = await docker.info().catch(() => null)
  if (info === null) return ok('not known: no Docker Engine answers')
  const { hasUserNamespace, hasQuota } = parseDockerInfo(
    info,
    await readFile('/proc/self/mounts', 'utf8'),
  )
  const disk = hasQuota
    ? 'the file system enforces disk sizes'
    : 'disk use is checked every few seconds; a container that exceeds its type is stopped'
  if (hasUserNamespace) return ok(`containers have a user namespace; ${disk}`)
  return warn(
    `no user namespace: root in a container is root on this host, with fewer capabilities; ${disk}`,
    'put {"userns-remap": "default"} into /etc/docker/daemon.json and: systemctl restart docker; the engine then no longer finds the containers that exist now',
  )
}
