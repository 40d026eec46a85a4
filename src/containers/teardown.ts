/** Removes what the Docker driver created: containers, images, and their files. */
import Docker from 'dockerode'
import { messageOf } from '../model/errors.ts'
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
  readonly docker: { readonly socket: string }
}

/** Connects to the engine even if it has no containers of ours. */
export const CONTAINERS_TEARDOWN: DriverTeardown<ContainersConfig> = {
  directories: [CONTAINERS_DIRECTORY, GUEST_KIT_DIRECTORY, LAYERS_DIRECTORY],
  runtimeDirectories: [],
  async removeInstances({ docker }) {
    return [...(await removeContainers(docker.socket)), ...(await removeImages(docker.socket))]
  },
}

async function removeContainers(socketPath: string): Promise<readonly string[]> {
  const docker = new Docker({ socketPath })
  try {
    const labelled = await docker.listContainers({
      all: true,
      filters: { label: [INSTANCE_LABEL] },
    })
    const ours = labelled.flatMap(({ Labels, Names }) => instanceOfContainer(Labels, Names) ?? [])
    const names = ours.map(containerName)
    await Promise.all(
      names.map((name) => docker.getContainer(name).remove({ force: true, v: true })),
    )
    return names.map((name) => `removed container ${name}`)
  } catch (error) {
    return [`no containers removed: ${messageOf(error)}`]
  }
}

/**
 * By name and not by label, because an image that somebody built on one of ours has the label as
 * well.
 */
async function removeImages(socketPath: string): Promise<readonly string[]> {
  const docker = new Docker({ socketPath })
  try {
    const images = await docker.listImages({ filters: { reference: [IMAGE_REPOSITORY] } })
    const tags = images
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .filter((tag) => tag.startsWith(`${IMAGE_REPOSITORY}:`))
    await Promise.all(tags.map((tag) => docker.getImage(tag).remove()))
    return tags.map((tag) => `removed image ${tag}`)
  } catch (error) {
    return [`no images removed: ${messageOf(error)}`]
  }
}
