/**
 * Images of containers. The engine commits a container under a tag with the image's id; the tag
 * exists when the image is complete. The contents of the container's volumes are added as a layer
 * (`layer.ts`).
 *
 * Unless the caller forbade it (NoReboot), the container is paused while the engine copies. The
 * command that we put before the image's own (`spec.ts`) is removed again.
 */
import { mkdir, readdir } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { below, removeTree } from '../lib/paths.ts'
import type { Runner } from '../lib/runner.ts'
import type { DockerInfo } from '../model/docker-info.ts'
import { refused, unavailable } from '../model/errors.ts'
import { parseId } from '../model/ids.ts'
import { GUEST_LABEL, IMAGE_REPOSITORY, INSTANCE_LABEL, LAYERS_DIRECTORY } from '../model/names.ts'
import type { CaptureWant } from '../model/want.ts'
import type { Capturer } from '../workloads/driver.ts'
import { type Directories, directoriesOf, volumesOf } from './directories.ts'
import type { EngineInfo } from './engine-info.ts'
import { dockerError, statusOf } from './errors.ts'
import { GUEST_KIT_MOUNT } from './guest-kit.ts'
import { inspectImage, patiently } from './image-fetch.ts'
import { type IdBase, loadOnTop, packVolumes } from './layer.ts'
import type { Pauses } from './pause.ts'
import { findOne } from './read.ts'
import { committedTag, partOf, partTag } from './tags.ts'

interface DockerCaptureTools {
  readonly docker: Dockerode
  readonly run: Runner
  readonly clock: Clock
  readonly log: Log
  readonly engine: EngineInfo
  readonly pauses: Pauses
  readonly settings: { readonly stateDir: string }
}

const NOT_FOUND = 404
/** An image that a container uses keeps its tag. */
const CONFLICT = 409

/** Makes images with this engine. */
export function createDockerCapturer(tools: DockerCaptureTools): Capturer {
  const { docker, clock, log, settings } = tools
  const layers = below(settings.stateDir, LAYERS_DIRECTORY)
  return {
    async capture(want, progress, signal) {
      const options = { signal, clock, log }
      const tag = committedTag(want.id)
      const find = () => inspectImage(docker, tag)
      const made = await patiently(options, tag, async () => {
        const there = await find()
        if (there !== null) return there
        await removeTree(layers, want.id)
        await mkdir(below(layers, want.id), { recursive: true, mode: 0o700 })
        try {
          await make(tools, { want, dir: below(layers, want.id), progress, signal })
        } finally {
          await removeTree(layers, want.id)
        }
        return await find()
      })
      if (made === null) throw unavailable(`${tag} was made and is not there`)
      const { id: digest, architecture } = made
      return { digest, architecture, diskGiB: null }
    },

    async keep(wanted, busy) {
      for (const { image, isPart, tag } of await committed(docker)) {
        if ((wanted.has(image) && !isPart) || busy.has(image)) continue
        await removeTag(docker, tag)
        if (!isPart) log.info({ name: tag }, 'kept image removed')
      }
      for (const name of await readdir(layers).catch(() => [])) {
        const image = parseId('ami', name)
        if (image === undefined || !busy.has(image)) await removeTree(layers, name)
      }
    },
  }
}

/** One image that is being made. */
interface CaptureJob {
  readonly want: CaptureWant
  /** An empty directory for this image only. */
  readonly dir: string
  readonly progress: (message: string) => void
  readonly signal: AbortSignal
}

async function make(tools: DockerCaptureTools, job: CaptureJob): Promise<void> {
  const { docker, pauses, engine } = tools
  const { want, dir, progress, signal } = job
  const id = await findOne(docker, want.instance)
  if (id === null)
    throw refused(
      'IncorrectInstanceState',
      `${want.instance} has no container to make an image from: it was terminated, or has never run`,
    )
  const container = docker.getContainer(id)
  const inspected = await container.inspect()
  const directories = directoriesOf(inspected)
  refuseForeign(directories)
  progress('Copying the container')
  if (volumesOf(directories).length === 0) {
    const whole = () => commit(tools, container, committedTag(want.id), want.reboot)
    await pauses.byEngine(want.instance, whole)
    return
  }
  const base = idBaseOf(await engine.read())
  const copy = async () => {
    await commit(tools, container, partTag(want.id), false)
    progress('Copying the volumes')
    await packVolumes(container, directories, base, dir, { ...tools, signal })
  }
  // Both at the same moment. The engine's own pause would only cover the first.
  if (want.reboot && inspected.State.Running) await pauses.during(want.instance, id, copy)
  else await copy()
  const part = await docker.getImage(partTag(want.id)).inspect()
  await loadOnTop(docker, part, { dir, tag: committedTag(want.id), signal })
  await removeTag(docker, partTag(want.id))
}

/**
 * Data outside the root disk and the container's own volumes would be missing from the image, so it
 * is refused.
 */
function refuseForeign({ mounts }: Directories): void {
  const foreign = mounts.find(
    ({ type, destination }) => type !== 'volume' && destination !== GUEST_KIT_MOUNT,
  )
  if (foreign !== undefined)
    throw refused(
      'InvalidParameterValue',
      `${foreign.destination} is not on the disk of the instance (${foreign.type}), so an image cannot contain it`,
    )
}

/**
 * Where containers have users of their own, the last part of the engine's directory has the first
 * user numbers (dockerd(8), --userns-remap).
 */
function idBaseOf({ hasUserNamespace, rootDirectory }: DockerInfo): IdBase {
  if (!hasUserNamespace) return null
  const groups = /\/(?<user>\d+)\.(?<group>\d+)$/.exec(rootDirectory)?.groups
  if (groups === undefined)
    throw unavailable(`${rootDirectory} does not say which users its containers have`)
  return { user: Number(groups['user']), group: Number(groups['group']) }
}

async function commit(
  { docker }: DockerCaptureTools,
  container: Dockerode.Container,
  name: string,
  pause: boolean,
): Promise<void> {
  const { Image: origin } = await container.inspect()
  const { Entrypoint, Cmd } = (await docker.getImage(origin).inspect()).Config
  const changes = [
    `ENTRYPOINT ${JSON.stringify(listOf(Entrypoint))}`,
    `CMD ${JSON.stringify(listOf(Cmd))}`,
    `LABEL ${INSTANCE_LABEL}="" ${GUEST_LABEL}=""`,
  ]
  const [repo, tag] = name.split(':')
  await container.commit({ repo, tag, pause, changes })
}

async function removeTag(docker: Dockerode, tag: string): Promise<void> {
  try {
    await docker.getImage(tag).remove()
  } catch (error) {
    const status = statusOf(error)
    if (status !== NOT_FOUND && status !== CONFLICT) throw dockerError(error, `remove ${tag}`)
  }
}

function listOf(value: string | readonly string[] | null | undefined): readonly string[] {
  if (value === null || value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** All images that were made on this host. */
async function committed(docker: Dockerode) {
  const found = await docker.listImages({ filters: { reference: [IMAGE_REPOSITORY] } })
  return found
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .flatMap((tag) => {
      const part = partOf(tag)
      const image = parseId('ami', part ?? tag.slice(IMAGE_REPOSITORY.length + 1))
      return image === undefined ? [] : [{ image, isPart: part !== undefined, tag }]
    })
}
