/**
 * `atoll teardown`: takes everything that carries a mark of ours off this machine. Works without a daemon, without records, and
 * again after it was cut off.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import Docker from 'dockerode'
import type { Config } from '../config.ts'
import { removeAllOfOurs } from '../host/cleanup.ts'
import { messageOf } from '../model/errors.ts'
import { INSTANCE_LABEL } from '../model/names.ts'

/** Removes containers, then links, routes and rules, then instance files. Returns a line for each thing done. */
export async function teardown(config: Config): Promise<readonly string[]> {
  const containers = await removeContainers(config.docker.socket)
  const kernel = await removeAllOfOurs()
  await rm(join(config.stateDir, 'instances'), { recursive: true, force: true })
  return [...containers, ...kernel]
}

async function removeContainers(socketPath: string): Promise<readonly string[]> {
  const docker = new Docker({ socketPath })
  try {
    const ours = await docker.listContainers({ all: true, filters: { label: [INSTANCE_LABEL] } })
    await Promise.all(
      ours.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })),
    )
    return ours.map(({ Names }) => `removed container ${Names[0]?.slice(1)}`)
  } catch (error) {
    return [`no containers removed: ${messageOf(error)}`]
  }
}
