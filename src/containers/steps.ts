/**
 * The steps of the plan on the Docker Engine. Each is safe to repeat.
 *
 * A launch makes only three requests (create, start, inspect), so its time is the engine's.
 */
import type { ContainerCreateOptions } from 'dockerode'
import type { Host } from '../host/host.ts'
import { exists } from '../lib/files.ts'
import type { Runner } from '../lib/runner.ts'
import { refused, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { instanceLimits, type MachineTables } from '../model/limits.ts'
import type { InstanceWant } from '../model/want.ts'
import type { Permit, WorkloadSteps } from '../workloads/driver.ts'
import type { BootRecord } from './boot-record.ts'
import { volumesOf } from './directories.ts'
import { dockerError, statusOf } from './errors.ts'
import type { GuestKit } from './guest-kit.ts'
import type { DockerImages } from './images.ts'
import { forgetArrived, unpackArrived } from './mover.ts'
import { addAddresses } from './own-names.ts'
import { findOne, inspect, type Reader, type Seen } from './read.ts'
import { type Guest, guestNetworkOf, renderContainer } from './spec.ts'
import { hasProcesses, NEVER_STARTED } from './state.ts'
import { isMadeToWait } from './waiting.ts'

/** What the steps need. */
export interface Stepper extends Reader {
  /** Runs `tar`. */
  readonly run: Runner
  readonly images: DockerImages
  readonly kit: GuestKit
  readonly host: Pick<Host, 'limitUserNamespace'>
  readonly settings: {
    readonly zone: string
    readonly stopSeconds: number
    readonly tables: MachineTables
  }
}

const NOT_MODIFIED = 304
const NOT_FOUND = 404

/** The steps. */
export function createDockerSteps(stepper: Stepper): WorkloadSteps {
  return {
    launch: (...given) => launch(stepper, ...given),
    start: (...given) => start(stepper, ...given),
    plug: (instance, signal) => plugAgain(stepper, instance, signal),
    stop: (instance, signal) => stop(stepper, instance, signal),
    remove: (instance) => remove(stepper, instance),
  }
}

async function launch(
  stepper: Stepper,
  want: InstanceWant,
  digest: string,
  signal: AbortSignal,
  permit?: Permit,
): Promise<void> {
  const { kit, files } = stepper
  const isCopy = await files.hasArrived(want.id)
  // An earlier attempt may have unpacked a part.
  if (isCopy) await removeContainer(stepper, want.id)
  await kit.prepare(want, files.path(want.id), true)
  const spec = await describeContainer(stepper, want, digest)
  const container = await createContainer(stepper, spec, { ...want.image, digest }, signal)
  if (isCopy) await putCopy(stepper, want.id, container.id, signal)
  // Only after the container exists: a record without a container means that somebody removed the
  // container.
  await files.writeBoot(want.id, { bootCount: want.bootCount, startedBefore: NEVER_STARTED })
  await startAndPlug(stepper, want, { id: container.id, permit }, signal)
}

/** How the engine is told of a guest's container, from the image with this digest. */
export async function describeContainer(
  { images, kit, files, settings, engine }: Stepper,
  guest: Guest,
  digest: string,
): Promise<ContainerCreateOptions> {
  const image = await images.details(digest)
  const { hasUserNamespace, hasQuota, openFiles } = await engine.read()
  const limits = instanceLimits(guest.type.memoryMiB, settings.tables)
  return renderContainer(guest, image, {
    kitDir: kit.path(files.path(guest.id)),
    zone: settings.zone,
    hasUserNamespace,
    hasQuota,
    limits: { ...limits, openFiles: Math.min(limits.openFiles, openFiles) },
  })
}

/** Creates it. Errors: as those of a step. */
export async function createContainer(
  { docker, images }: Stepper,
  spec: ContainerCreateOptions,
  { location, digest }: { readonly location: string; readonly digest: string },
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  try {
    return await docker.createContainer({ ...spec, abortSignal: signal })
  } catch (error) {
    // Somebody removed the image: look up its location again before the next attempt.
    if (statusOf(error) === NOT_FOUND) images.forget(digest)
    throw dockerError(error, `create a container from ${location}`)
  }
}

/** The record of the boot that the instance is to be started for, in this container. */
export function bootOfWant(
  { bootCount, reservation }: InstanceWant,
  startedBefore: string,
  seen: Pick<Seen, 'labels'>,
): BootRecord {
  return { bootCount, startedBefore, ...(isMadeToWait(seen) ? { reservation } : {}) }
}

async function start(
  stepper: Stepper,
  want: InstanceWant,
  signal: AbortSignal,
  permit?: Permit,
): Promise<void> {
  const { kit, files } = stepper
  const seen = await read(stepper, want.id, signal)
  // Somebody else has started it. A record written now would confuse that start with an earlier
  // one.
  if (seen === null || hasProcesses(seen.state)) return
  await assertWhole(stepper, seen)
  const startedBefore = seen.state.StartedAt
  await kit.prepare(want, files.path(want.id), startedBefore === NEVER_STARTED)
  await files.writeBoot(want.id, bootOfWant(want, startedBefore, seen))
  await startAndPlug(stepper, want, { id: seen.id, permit }, signal)
}

/**
 * Errors: `refused` when directories of the container's disk are gone. The engine's own errors look
 * temporary.
 */
async function assertWhole({ engine }: Stepper, { directories, state }: Seen): Promise<void> {
  // If the engine's files are not visible from here, missing directories prove nothing.
  if (state.StartedAt === NEVER_STARTED || !(await exists((await engine.read()).rootDirectory)))
    return
  const { upper, lower } = directories
  const volumes = volumesOf(directories).map(({ source }) => source)
  for (const place of [...(upper === null ? [] : [upper]), ...lower, ...volumes])
    if (!(await exists(place)))
      throw refused('IncorrectInstanceState', `The root disk is lost: ${place} is gone`)
}

async function startAndPlug(
  stepper: Stepper,
  want: InstanceWant,
  { id, permit }: { readonly id: string; readonly permit: Permit | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { docker, cache } = stepper
  await permit?.(id)
  try {
    await docker.getContainer(id).start({ abortSignal: signal })
  } catch (error) {
    if (statusOf(error) !== NOT_MODIFIED) throw dockerError(error, `start ${want.image.location}`)
  } finally {
    // The engine's event will say so as well, but perhaps only after the next reading.
    cache.drop(id)
  }
  const seen = await inspect(docker, id, signal)
  if (seen === null) return
  await plugIn(stepper, want, seen, { isStart: true, ready: limitGuest(stepper, want.type, seen) })
}

/** Sets the limits of a guest that runs, where root in it is no root of the host. */
export async function limitGuest(
  { engine, host, settings }: Stepper,
  { memoryMiB }: InstanceWant['type'],
  { pid }: Seen,
): Promise<void> {
  const { hasUserNamespace } = await engine.read()
  const limits = instanceLimits(memoryMiB, settings.tables)
  if (hasUserNamespace && pid !== 0) await host.limitUserNamespace(pid, limits, settings.zone)
}

/**
 * Gives a container that runs its NICs, and before that the names it lacks. The guest's own
 * programs wait for the NIC, so none of them runs before `ready` has resolved.
 */
export async function plugIn(
  stepper: Stepper,
  want: InstanceWant,
  seen: Seen,
  { isStart, ready }: { readonly isStart: boolean; readonly ready: Promise<void> },
): Promise<void> {
  const { id, pid, state, labels } = seen
  // It may have ended already. The next reading will say why.
  if (pid === 0) return await ready
  const known = isMadeToWait(seen) ? makeKnown(stepper, want, seen) : undefined
  const limited = Promise.all([ready, known]).then(() => undefined)
  const life = { containerId: id, startedAt: state.StartedAt, pid }
  const guest = { network: guestNetworkOf(labels), isStart, limited }
  const works = [limited, ready, known, stepper.plug.plugIn(want, life, guest)]
  // All of them end here: what a failed step still wrote would be in the way of the next one.
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  await stepper.kit.plugged(stepper.files.path(want.id))
}

/** Adds what a container lacks that was made to wait, and lets it wait for its NIC. */
async function makeKnown({ kit, files, settings }: Stepper, want: InstanceWant, { names }: Seen) {
  await addAddresses(names, want, settings.zone)
  await kit.release(files.path(want.id))
}

async function plugAgain(stepper: Stepper, want: InstanceWant, signal: AbortSignal) {
  const { files } = stepper
  const seen = await read(stepper, want.id, signal)
  if (seen === null) return
  await plugIn(stepper, want, seen, { isStart: false, ready: limitGuest(stepper, want.type, seen) })
  if ((await files.readBoot(want.id)) === null)
    await files.writeBoot(want.id, bootOfWant(want, '', seen))
}

async function stop(
  { docker, settings, cache }: Stepper,
  instance: InstanceId,
  signal: AbortSignal,
): Promise<void> {
  const id = await findOne(docker, instance)
  if (id === null) return
  try {
    await docker.getContainer(id).stop({ t: settings.stopSeconds, abortSignal: signal })
  } catch (error) {
    const status = statusOf(error)
    if (status !== NOT_MODIFIED && status !== NOT_FOUND)
      throw dockerError(error, `stop ${instance}`)
  } finally {
    cache.drop(id)
  }
}

/** Puts what the instance has written on another host into its new container. */
async function putCopy(
  stepper: Stepper,
  instance: InstanceId,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const seen = await inspect(stepper.docker, id, signal)
  if (seen === null) throw unavailable(`the container of ${instance} is gone`)
  await unpackArrived(stepper, instance, seen, signal)
  await forgetArrived(stepper.files, instance)
}

async function remove(stepper: Stepper, instance: InstanceId): Promise<void> {
  await removeContainer(stepper, instance)
  stepper.plug.forget(instance)
  stepper.waiting.take(instance)
  await stepper.files.remove(instance)
}

/** Removes the container of an instance, if there is one. */
export async function removeContainer({ docker }: Stepper, instance: InstanceId): Promise<void> {
  const id = await findOne(docker, instance)
  if (id !== null)
    await docker
      .getContainer(id)
      .remove({ force: true, v: true })
      .catch((error: unknown) => {
        if (statusOf(error) !== NOT_FOUND) throw dockerError(error, `remove ${instance}`)
      })
}

async function read(
  { docker }: Stepper,
  instance: InstanceId,
  signal: AbortSignal,
): Promise<Seen | null> {
  const id = await findOne(docker, instance)
  return id === null ? null : inspect(docker, id, signal)
}
