/**
 * `atoll teardown`: takes everything that carries a mark of ours off this machine. Works without a
 * daemon, without records, and again after it was cut off.
 */
import { readdir, rmdir } from 'node:fs/promises'
import Docker from 'dockerode'
import type { Config } from '../config.ts'
import { removeAllOfOurs } from '../host/cleanup.ts'
import { removeGroup } from '../host/processes/groups.ts'
import { findProcesses, killProcess, machineHomes } from '../host/processes/processes.ts'
import { systemClock } from '../lib/clock.ts'
import { below, removeTree } from '../lib/paths.ts'
import { messageOf } from '../model/errors.ts'
import {
  containerName,
  FORWARDING_FILE,
  IMAGE_REPOSITORY,
  INSTANCE_DIRECTORIES,
  INSTANCE_LABEL,
  instanceOfContainer,
  MACHINE_SOCKETS_DIRECTORY,
} from '../model/names.ts'

/**
 * Removes containers, virtual machines, volumes and images, then links, routes and rules, then
 * instance files. Returns a line for each thing done.
 */
export async function teardown(config: Config): Promise<readonly string[]> {
  const containers = await removeContainers(config.docker.socket)
  const images = await removeImages(config.docker.socket)
  const machines = await removeMachines(config)
  const kernel = await removeAllOfOurs(below(config.stateDir, FORWARDING_FILE))
  const kept = await removeFiles(config)
  return [...containers, ...images, ...machines, ...kernel, ...kept]
}

/**
 * One thing that cannot be removed, as where something is mounted, keeps nothing else. Returns a
 * line for each.
 */
async function removeFiles({ stateDir, runtimeDir }: Config): Promise<readonly string[]> {
  const kept: string[] = []
  const attempt = (...path: Parameters<typeof removeTree>) =>
    removeTree(...path).catch((error: unknown) => kept.push(`not removed: ${messageOf(error)}`))
  for (const dir of INSTANCE_DIRECTORIES) {
    for (const name of await readdir(below(stateDir, dir)).catch(() => []))
      await attempt(stateDir, dir, name)
    // A file system of its own stays, empty.
    await rmdir(below(stateDir, dir)).catch(() => undefined)
  }
  await attempt(runtimeDir, MACHINE_SOCKETS_DIRECTORY)
  return kept
}

async function removeMachines(config: Config): Promise<readonly string[]> {
  const { stateDir, qemu } = config
  const homes = await machineHomes(stateDir)
  const running = await findProcesses(homes, qemu.firstUser)
  for (const [instance, home] of homes) {
    const pid = running.get(instance)
    if (pid !== undefined) await killProcess(pid, home, systemClock)
    await removeGroup(instance, systemClock)
  }
  return [...homes.keys()].map((instance) => `removed virtual machine ${instance}`)
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

/** By name and not by label: what somebody built on one of ours has the label too. */
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
