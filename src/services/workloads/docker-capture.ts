/**
 * Images of containers: committed by the engine under a tag that names the image, which is there when it is whole.
 *
 * Unless the caller forbade to interrupt it (NoReboot), the container is held still for as long as the engine takes. What we put before
 * the image's own command (`docker-spec.ts`) is taken out again.
 */
import type Dockerode from 'dockerode'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { refused, unavailable } from '../../model/errors.ts'
import { parseId } from '../../model/ids.ts'
import { GUEST_LABEL, IMAGE_REPOSITORY, INSTANCE_LABEL } from '../../model/names.ts'
import type { CaptureWant } from '../../model/want.ts'
import { dockerError, statusOf } from './docker-errors.ts'
import { findOne } from './docker-read.ts'
import { committedTag } from './docker-tags.ts'
import type { Capturer } from './driver.ts'
import { inspectImage, patiently } from './image-fetch.ts'

interface DockerCaptureTools {
  readonly docker: Dockerode
  readonly clock: Clock
  readonly log: Log
}

const NOT_FOUND = 404
/** An image that a container is made from keeps its tag. */
const CONFLICT = 409

/** Makes images with this engine. */
export function createDockerCapturer({ docker, clock, log }: DockerCaptureTools): Capturer {
  return {
    async capture(want, progress, signal) {
      const options = { signal, clock, log }
      const tag = committedTag(want.id)
      const find = () => inspectImage(docker, tag)
      const made = await patiently(options, tag, async () => {
        const there = await find()
        if (there !== null) return there
        progress('Copying the container')
        await commit(docker, want)
        return await find()
      })
      if (made === null) throw unavailable(`${tag} was made and is not there`)
      const { id: digest, architecture } = made
      return { digest, architecture, diskGiB: null }
    },

    async keep(wanted, busy) {
      for (const { image, tag } of await committed(docker)) {
        if (wanted.has(image) || busy.has(image)) continue
        try {
          await docker.getImage(tag).remove()
          log.info({ name: tag }, 'kept image removed')
        } catch (error) {
          const status = statusOf(error)
          if (status !== NOT_FOUND && status !== CONFLICT) throw dockerError(error, `remove ${tag}`)
        }
      }
    },
  }
}

async function commit(docker: Dockerode, want: CaptureWant): Promise<void> {
  const id = await findOne(docker, want.instance)
  if (id === null)
    throw refused(
      'IncorrectInstanceState',
      `${want.instance} was terminated before its image was made`,
    )
  const container = docker.getContainer(id)
  const { Image: origin } = await container.inspect()
  const { Entrypoint, Cmd } = (await docker.getImage(origin).inspect()).Config
  const changes = [
    `ENTRYPOINT ${JSON.stringify(listOf(Entrypoint))}`,
    `CMD ${JSON.stringify(listOf(Cmd))}`,
    `LABEL ${INSTANCE_LABEL}="" ${GUEST_LABEL}=""`,
  ]
  await container.commit({ repo: IMAGE_REPOSITORY, tag: want.id, pause: want.reboot, changes })
}

function listOf(value: string | readonly string[] | null | undefined): readonly string[] {
  if (value === null || value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** All that were made on this host. */
async function committed(docker: Dockerode) {
  const found = await docker.listImages({ filters: { reference: [IMAGE_REPOSITORY] } })
  return found
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .flatMap((tag) => {
      const image = parseId('ami', tag.slice(IMAGE_REPOSITORY.length + 1))
      return image !== undefined && tag === committedTag(image) ? [{ image, tag }] : []
    })
}
