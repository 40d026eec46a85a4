/**
 * Pauses containers while something is read from them. A marker in the instance's directory tells
 * the next daemon that one may have been left paused.
 */
import { rm, writeFile } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import { exists } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import type { InstanceId } from '../model/ids.ts'
import type { InstanceFiles } from './boot-record.ts'
import { dockerError, statusOf } from './errors.ts'

export interface Pauses {
  /**
   * Runs the work while the container is paused. Errors: those of the work; `unavailable` when it
   * cannot be paused.
   */
  during<T>(instance: InstanceId, container: string, work: () => Promise<T>): Promise<T>
  /** Runs the work, for which the engine itself pauses the container. */
  byEngine<T>(instance: InstanceId, work: () => Promise<T>): Promise<T>
  /** Whether one of these runs. */
  isHeld(instance: InstanceId): boolean
  /**
   * Unpauses a container that an earlier daemon may have left paused. Does nothing for others. Logs
   * a failure.
   */
  endLeft(instance: InstanceId, container: string): Promise<void>
}

const MARKER = 'paused'
const NOT_FOUND = 404
/**
 * The container is already in the wanted state. Versions of the engine use different codes for it.
 */
const AS_WANTED: readonly (number | undefined)[] = [409, 500]

/** Nothing is paused at first. */
export function createPauses({
  docker,
  files,
  log,
}: {
  readonly docker: Dockerode
  readonly files: InstanceFiles
  readonly log: Log
}): Pauses {
  const held = new Set<InstanceId>()
  const markerOf = (instance: InstanceId) => below(files.path(instance), MARKER)

  async function isPaused(container: string): Promise<boolean> {
    return (await docker.getContainer(container).inspect()).State.Paused
  }

  async function end(instance: InstanceId, container: string): Promise<void> {
    try {
      await docker.getContainer(container).unpause()
    } catch (error) {
      const isOver = AS_WANTED.includes(statusOf(error)) && !(await isPaused(container))
      if (!isOver && statusOf(error) !== NOT_FOUND) throw dockerError(error, `unpause ${instance}`)
    }
    await rm(markerOf(instance), { force: true })
  }

  return {
    async during(instance, container, work) {
      held.add(instance)
      try {
        // Written first, so that the next daemon knows if this one dies.
        await writeFile(markerOf(instance), '')
        await docker
          .getContainer(container)
          .pause()
          .catch(async (error: unknown) => {
            if (!(await isPaused(container))) throw dockerError(error, `pause ${instance}`)
          })
        return await work()
      } finally {
        await end(instance, container)
          .catch((error: unknown) => log.error({ instance, error }, 'a container was left paused'))
          .finally(() => held.delete(instance))
      }
    },
    async byEngine(instance, work) {
      held.add(instance)
      try {
        return await work()
      } finally {
        held.delete(instance)
      }
    },
    isHeld: (instance) => held.has(instance),
    async endLeft(instance, container) {
      if (held.has(instance) || !(await exists(markerOf(instance)))) return
      await end(instance, container).then(
        () => log.info({ instance }, 'resumed a container that was left paused'),
        (error: unknown) => log.error({ instance, error }, 'a container stays paused'),
      )
    },
  }
}
