/**
 * Containers that are started before a launch asks for them, so that it needs no engine.
 *
 * Such a container is made as that of any instance, under the id that a launch will get, and waits
 * in its entry script for a NIC (`guest-kit.ts`). Only what follows from its addresses is missing
 * (`own-names.ts`), and its kit has no data yet. So nothing of the image has run in it.
 *
 * - If the daemon dies while it waits, the next one does not remember it, and removes it.
 * - If the daemon dies during `adopt`, it is still as above until the boot record is written. From
 *   then on it is a running container without a NIC, as after any start, and is plugged in.
 */
import { exists } from '../lib/files.ts'
import { unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { WARM_LABEL } from '../model/names.ts'
import type { InstanceWant } from '../model/want.ts'
import { kindOf, type WarmWant } from '../model/warm-instance.ts'
import type { Permit, WarmDriver } from '../workloads/driver.ts'
import { withoutAddresses } from './own-names.ts'
import { inspect } from './read.ts'
import type { Guest } from './spec.ts'
import { NEVER_STARTED } from './state.ts'
import {
  bootOfWant,
  createContainer,
  describeContainer,
  limitGuest,
  plugIn,
  removeContainer,
  type Stepper,
} from './steps.ts'
import { isUntouched } from './waiting.ts'

/** The driver's part. */
export function createWarmDriver(stepper: Stepper): WarmDriver {
  const { waiting } = stepper
  return {
    prepare: (...given) => prepare(stepper, ...given),
    adopt: (...given) => adopt(stepper, ...given),
    waiting: () => waiting.all(),
    discard: (instance) => void waiting.take(instance),
  }
}

async function prepare(
  stepper: Stepper,
  id: InstanceId,
  want: WarmWant,
  signal: AbortSignal,
): Promise<void> {
  const { docker, kit, files, cache, waiting } = stepper
  const guest = { id, hostname: id, type: want.type }
  // An earlier attempt may have left one.
  await removeContainer(stepper, id)
  await kit.prepareWaiting(files.path(id))
  const spec = await describeWaiting(stepper, guest, want.image.digest)
  const made = await createContainer(stepper, spec, want.image, signal)
  await docker.getContainer(made.id).start({ abortSignal: signal })
  cache.drop(made.id)
  const seen = await inspect(docker, made.id, signal)
  if (seen === null || seen.state.Status !== 'running')
    throw unavailable(`the container of ${id} ended before it was asked for`)
  // Where the engine's files are not visible, nobody could add its addresses.
  if (!(await exists(seen.names.hosts)) || !(await exists(seen.names.resolvConf)))
    throw unavailable(`${seen.names.hosts} of the engine cannot be read here`)
  await limitGuest(stepper, want.type, seen)
  waiting.add({
    what: { id, ...kindOf(want) },
    spec: JSON.stringify(spec),
    containerId: made.id,
    startedAt: seen.state.StartedAt,
  })
}

async function adopt(
  stepper: Stepper,
  want: InstanceWant,
  digest: string,
  signal: AbortSignal,
  permit?: Permit,
): Promise<void> {
  const { docker, kit, files, waiting } = stepper
  // Whatever happens from here on, it is nobody else's.
  const one = waiting.take(want.id)
  if (one === null) throw unavailable(`nothing waits for ${want.id}`)
  const spec = await describeWaiting(stepper, want, digest)
  if (one.spec !== JSON.stringify(spec))
    throw unavailable(`the container that waits for ${want.id} was made from something else`)
  const [seen] = await Promise.all([
    inspect(docker, one.containerId, signal),
    kit.complete(want, files.path(want.id)),
  ])
  if (seen === null || !isUntouched(one, seen))
    throw unavailable(`the container that waits for ${want.id} does not run any more`)
  // Before the boot record, with which a later pass would plug it in: it runs already.
  await permit?.(seen.id)
  const ready = files.writeBoot(want.id, bootOfWant(want, NEVER_STARTED, seen))
  await plugIn(stepper, want, seen, { isStart: true, ready })
}

/** How the engine is told of a guest before its addresses are known. */
async function describeWaiting(stepper: Stepper, guest: Omit<Guest, 'nics'>, digest: string) {
  const spec = await describeContainer(stepper, withoutAddresses(guest), digest)
  return { ...spec, Labels: { ...spec.Labels, [WARM_LABEL]: guest.id } }
}
