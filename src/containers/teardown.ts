/** Removes what the Docker driver created: containers, images, and their files. */
import { readdir } from 'node:fs/promises'
import Docker from 'dockerode'
import { hasCode } from '../lib/errno.ts'
import { below } from '../lib/paths.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import {
  CONTAINERS_DIRECTORY,
  containerName,
  GUEST_KIT_DIRECTORY,
  IMAGE_REPOSITORY,
  INSTANCE_LABEL,
  instanceOfContainer,
  LAYERS_DIRECTORY,
} from '../model/names.ts'
import type { DriverTeardown } from '../workloads/driver.ts'

interface ContainersConfig {
  readonly stateDir: string
  readonly docker: { readonly socket: string }
}

/** An engine that works answers a ping in milliseconds. */
const PING_MS = 10_000
/** The engine gives a container ten seconds to end, and then removes its files. */
const REMOVAL_MS = 120_000

/** Connects to the engine even if it has no containers of ours. */
export const CONTAINERS_TEARDOWN: DriverTeardown<ContainersConfig> = {
  directories: [CONTAINERS_DIRECTORY, GUEST_KIT_DIRECTORY, LAYERS_DIRECTORY],
  runtimeDirectories: [],
  async removeInstances(config) {
    const { socket } = config.docker
    if (!(await isThere(config))) return [`no Docker engine runs at ${socket}`]
    const docker = new Docker({ socketPath: socket, timeout: REMOVAL_MS })
    return [...(await removeContainers(docker)), ...(await removeImages(docker))]
  },
}

/**
 * Whether the engine answers. False when there is none, and no instance of which a container could
 * be left. Errors: `unavailable` when containers may be left that nobody can end now.
 */
async function isThere({ stateDir, docker }: ContainersConfig): Promise<boolean> {
  const socketPath = docker.socket
  try {
    await new Docker({ socketPath, timeout: PING_MS }).ping()
    return true
  } catch (error) {
    const directory = below(stateDir, CONTAINERS_DIRECTORY)
    const left = await readdir(directory).catch(() => [])
    const isAway = hasCode(error, 'ENOENT') || hasCode(error, 'ECONNREFUSED')
    if (isAway && left.length === 0) return false
    throw unavailable(
      `no Docker engine answers at ${socketPath} (${messageOf(error)}), so the containers of ${left.length} instances may run on. Start the engine, and run this again. If it is gone for good: rm -r ${directory}`,
      error,
    )
  }
}

async function removeContainers(docker: Docker): Promise<readonly string[]> {
  const labelled = await docker.listContainers({
    all: true,
    filters: { label: [INSTANCE_LABEL] },
  })
  const ours = labelled.flatMap(({ Labels, Names }) => instanceOfContainer(Labels, Names) ?? [])
  const names = ours.map(containerName)
  await Promise.all(names.map((name) => docker.getContainer(name).remove({ force: true, v: true })))
  return names.map((name) => `removed container ${name}`)
}

/**
 * By name and not by label, because an image that somebody built on one of ours has the label as
 * well.
 */
async function removeImages(docker: Docker): Promise<readonly string[]> {
  const images = await docker.listImages({ filters: { reference: [IMAGE_REPOSITORY] } })
  const tags = images
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((tag) => tag.startsWith(`${IMAGE_REPOSITORY}:`))
  await Promise.all(tags.map((tag) => docker.getImage(tag).remove()))
  return tags.map((tag) => `removed image ${tag}`)
}
