/**
 * Plans the workload of one instance: from its want and its have to the next step or to facts. The
 * same for all drivers. Pure.
 *
 * - Each pass plans at most one step per instance. After the step the host is read again, so no
 *   step relies on the memory of an earlier one.
 * - Nothing is started while the instance is to be stopped or terminated.
 * - A disk is removed only if its instance is to be terminated or has no record.
 * - An instance that has lost its disk is not created again. It would come up empty, under its old
 *   name and address.
 * - An instance is first started only after this host has claimed it in the records, so that two
 *   hosts never both start it. Records that have lost the claim get it again.
 */
import type { Ipv4 } from '../model/addr.ts'
import { assertNever } from '../model/errors.ts'
import type { InstanceId, VolumeId } from '../model/ids.ts'
import { SELF_SHUTDOWN } from '../model/lifecycle.ts'
import type { ReservedTag } from '../model/reserved-tags.ts'
import {
  addressesOf,
  type Fact,
  type ImageFindings,
  type ImageWant,
  type InstanceWant,
  type NicWant,
  plugName,
} from '../model/want.ts'
import type { WarmWant } from '../model/warm-instance.ts'
import { isNothingOf } from './warm.ts'

/**
 * The exit code of our entry script in a guest when the image has no program that can be run. It
 * differs from the shell's own codes (126, 127), from "unknown" (255), and from 128 + any signal.
 */
export const UNRUNNABLE_EXIT_CODE = 251

/**
 * Who ended a workload. `itself`: its program exited or powered off. `memory`: the kernel killed it
 * at its memory limit. `reboot`: it asked for a reboot from inside. `outside`: a signal or a
 * command from outside that was not ours. `unknown`: the engine or the machine went down with it.
 */
export type EndedBy = 'itself' | 'memory' | 'reboot' | 'outside' | 'unknown'

export type WorkloadState =
  /** There is only its directory: its container or machine was not created yet. */
  | { readonly kind: 'remains' }
  /** It was on another host, and is to be made from a copy, or from its disk on a storage. */
  | { readonly kind: 'arrived' }
  /** It was created here, and its disk is gone. */
  | { readonly kind: 'lost' }
  /** It has a disk and was never started. */
  | { readonly kind: 'created' }
  /**
   * `plugged`: every NIC that it was started with is attached. `nics`: those that it has now;
   * absent: the driver does not attach NICs later.
   */
  | {
      readonly kind: 'running'
      readonly plugged: boolean
      readonly nics?: readonly PluggedNic[]
    }
  | { readonly kind: 'ended'; readonly by: EndedBy; readonly exitCode: number }
  /** It stands still between two hosts, until the records give it to one of them. */
  | { readonly kind: 'suspended' }
  /** The engine is working on it: read it again later. */
  | { readonly kind: 'busy' }

/** What operators read of an instance that a driver lists as busy because it cannot be read. */
export function unreadInstance(instance: InstanceId, why: string): string {
  return `the state of ${instance} cannot be read: ${why}; it is left as it is`
}

/** A NIC that a running workload has. */
export interface PluggedNic {
  /** As `plugName`. */
  readonly name: string
  /** The addresses that the host gave it, the primary one first. Absent: the guest does that. */
  readonly ips?: readonly Ipv4[]
}

/** What a driver found on this host. */
export interface WorkloadHave {
  readonly instance: InstanceId
  readonly state: WorkloadState
  /** The boot count of its last start, or null when its boot record is gone. */
  readonly bootCount: number | null
  /** Tags that say how it is isolated; none while it does not run. */
  readonly marks?: readonly ReservedTag[]
  /** For people: how much disk it uses beyond its limit. Absent if it is within the limit. */
  readonly excess?: string
  /** It must be stopped and started again, for a consistent copy of its disk. */
  readonly rebootDue?: boolean
  /** The engine's id of its container. Absent: it is none. */
  readonly container?: string
  /** Started before a launch asked for it, and not known to be taken. `ready`: it only waits. */
  readonly warm?: 'ready' | 'spoilt'
  /** The launch that has taken such a one, by its reservation. Absent: it is not known. */
  readonly takenBy?: string
}

/** One step for a driver. Each is safe to repeat. */
export type WorkloadStep =
  /** Create it from its image (pinned by `digest`), start it, and attach its NICs. */
  | { readonly kind: 'launch'; readonly instance: InstanceWant; readonly digest: string }
  /** Make the one that waits under its id this instance, and attach its NICs. */
  | { readonly kind: 'adopt'; readonly instance: InstanceWant; readonly digest: string }
  /** Start one that waits under this id. */
  | { readonly kind: 'prepare'; readonly instance: InstanceId; readonly want: WarmWant }
  /** Start the existing one for this boot, and attach its NICs. */
  | { readonly kind: 'start'; readonly instance: InstanceWant }
  /** Attach and detach NICs. Write the boot record if it is gone. */
  | { readonly kind: 'plug'; readonly instance: InstanceWant }
  /** Let it run: it stands still after it was moved here, or not moved away. */
  | { readonly kind: 'resume'; readonly instance: InstanceId }
  /** Ask it to shut down, and kill it after the deadline. Disk and address stay. */
  | { readonly kind: 'stop'; readonly instance: InstanceId }
  /** Kill it and remove everything, except a disk that is to be kept as a volume. */
  | {
      readonly kind: 'remove'
      readonly instance: InstanceId
      readonly keep: VolumeId | null
    }

/** What is known of an image on this host. */
export type ImageStatus =
  | ({ readonly kind: 'ready' } & ImageFindings)
  /** Being inspected, pulled or imported. */
  | { readonly kind: 'working'; readonly message: string }
  /** It is unavailable; `message` names the location and the reason. */
  | ({ readonly kind: 'failed' } & WorkloadProblem)

/** Why the last steps for this boot failed, or why there is no image. */
export interface WorkloadProblem {
  readonly message: string
  /**
   * True if the image or the request is at fault, so that retries cannot help. False if a launch
   * has been retried often enough, or if something else failed.
   */
  readonly permanent: boolean
}

export interface WorkloadPlan {
  readonly step: WorkloadStep | null
  readonly facts: readonly Fact[]
}

/**
 * The next step and the facts for one instance.
 *
 * @param want what it should be; undefined when it has no record (only after a complete read)
 * @param have what the driver found; undefined when there is nothing
 * @param look asks for an image; called only when the instance must be created from it
 * @param problem why it must not be tried any longer, if so
 */
export function planWorkload(
  want: InstanceWant | undefined,
  have: WorkloadHave | undefined,
  look: (image: ImageWant) => ImageStatus,
  problem?: WorkloadProblem,
): WorkloadPlan {
  if (have?.state.kind === 'busy') return nothing
  if (want === undefined)
    return have === undefined
      ? nothing
      : step({ kind: 'remove', instance: have.instance, keep: null })
  if (have !== undefined && isNothingOf(want, have))
    return step({ kind: 'remove', instance: want.id, keep: null })
  switch (want.run) {
    case 'terminate':
      return have === undefined
        ? facts({ kind: 'gone', instance: want.id })
        : step({ kind: 'remove', instance: want.id, keep: keptVolume(want) })
    case 'stop':
      return have?.state.kind === 'running' || have?.state.kind === 'suspended'
        ? step({ kind: 'stop', instance: want.id })
        : facts(stopped(want, 'Client.UserInitiatedShutdown', 'User initiated shutdown'))
    case 'run':
      return planRun(want, have, look, problem)
    default:
      return assertNever(want.run)
  }
}

function keptVolume({ disk }: InstanceWant): VolumeId | null {
  return disk?.keep === true ? disk.volume : null
}

const nothing: WorkloadPlan = { step: null, facts: [] }

function step(next: WorkloadStep): WorkloadPlan {
  return { step: next, facts: [] }
}

function facts(...found: readonly Fact[]): WorkloadPlan {
  return { step: null, facts: found }
}

function ready({ id }: InstanceWant): Fact {
  return { kind: 'ready', instance: id }
}

function stopped(want: InstanceWant, code: string, message: string): Fact {
  return { kind: 'stopped', instance: want.id, bootCount: want.bootCount, code, message }
}

function planRun(
  want: InstanceWant,
  have: WorkloadHave | undefined,
  look: (image: ImageWant) => ImageStatus,
  problem: WorkloadProblem | undefined,
): WorkloadPlan {
  const isWarm = have?.warm === 'ready' && !want.ran
  const found = isWarm ? REMAINS : (have?.state ?? REMAINS)
  const state = found.kind === 'remains' && want.ran ? elsewhere(want) : found
  const end = problem === undefined ? null : unworkable(want, state, problem)
  if (end !== null) return end
  switch (state.kind) {
    case 'lost':
      return facts(stopped(want, 'Server.InternalError', LOSS))
    case 'remains':
      return planLaunch(want, look(want.image), isWarm ? 'adopt' : 'launch')
    case 'arrived':
      return planArrived(want, look(want.image))
    case 'created':
      return want.claimed ? step({ kind: 'start', instance: want }) : facts(ready(want))
    case 'running': {
      const plan =
        have?.excess === undefined
          ? planRunning(want, have, state.plugged && hasNics(want, state.nics))
          : // This fact makes the record say `stop`, and the next pass stops it.
            facts(stopped(want, 'Client.VolumeLimitExceeded', have.excess))
      return want.claimed ? plan : { ...plan, facts: [ready(want), ...plan.facts] }
    }
    case 'suspended':
      return step({ kind: 'resume', instance: want.id })
    case 'ended':
      return want.claimed ? planEnded(want, have, state) : facts(ready(want))
    case 'busy':
      return nothing
    default:
      return assertNever(state)
  }
}

/** Of a process that SIGKILL ended (signal(7)), as `fence` does. */
const KILLED_EXIT_CODE = 137

const LOST: WorkloadState = { kind: 'lost' }
/** Nothing of the instance has run, which is also true of what waits for it. */
const REMAINS: WorkloadState = { kind: 'remains' }

/** It ran, and nothing of it is here: its disk is on a storage, or lost. */
function elsewhere({ disk }: InstanceWant): WorkloadState {
  return disk?.storage === undefined ? LOST : { kind: 'arrived' }
}

/**
 * The reason when an instance's disk is lost, whatever its driver. EC2 has no code for it: such an
 * instance is `stopped` until somebody terminates it.
 */
const LOSS =
  'The root disk is lost: it was removed from its host, and not by Atoll. Terminate the instance and launch another one'

/**
 * The outcome when retries are over. An instance that never ran has failed. One that has run is
 * reported as stopped, and only if the problem is permanent.
 */
function unworkable(
  want: InstanceWant,
  state: WorkloadState,
  problem: WorkloadProblem,
): WorkloadPlan | null {
  if (state.kind === 'running' || state.kind === 'suspended' || state.kind === 'lost') return null
  if (state.kind !== 'ended' && state.kind !== 'arrived') return facts(failed(want, problem))
  const { message, permanent } = problem
  return permanent ? facts(stopped(want, 'Server.InternalError', message)) : null
}

/** It never ran. */
function failed({ id }: InstanceWant, { message, permanent }: WorkloadProblem): Fact {
  const code = permanent ? 'Client.InvalidImage' : 'Server.InternalError'
  return { kind: 'failed', instance: id, code, message }
}

function planLaunch(
  want: InstanceWant,
  image: ImageStatus,
  kind: 'launch' | 'adopt',
): WorkloadPlan {
  switch (image.kind) {
    case 'ready': {
      const pinned: readonly Fact[] =
        want.image.digest === null ? [imageAvailable(want, image)] : []
      if (!want.claimed) return facts(ready(want), ...pinned)
      return { step: { kind, instance: want, digest: image.digest }, facts: pinned }
    }
    case 'working':
      return nothing
    case 'failed':
      return facts(failed(want, image))
    default:
      return assertNever(image)
  }
}

/** What it has written is here, so it is not given up. */
function planArrived(want: InstanceWant, image: ImageStatus): WorkloadPlan {
  switch (image.kind) {
    case 'ready':
      return step({ kind: 'launch', instance: want, digest: image.digest })
    case 'working':
      return nothing
    case 'failed':
      return facts(stopped(want, 'Server.InternalError', image.message))
    default:
      return assertNever(image)
  }
}

function imageAvailable(want: InstanceWant, found: ImageFindings): Fact {
  const { digest, repositoryDigest = null, architecture, diskGiB } = found
  const content = { digest, repositoryDigest, architecture, diskGiB }
  return { kind: 'image-available', image: want.image.id, ...content }
}

function planRunning(
  want: InstanceWant,
  have: WorkloadHave | undefined,
  plugged: boolean,
): WorkloadPlan {
  const { bootCount = null, rebootDue = false, marks = [] } = have ?? {}
  // Without a boot record, keep the running instance and write a new record.
  if (bootCount === null) return step({ kind: 'plug', instance: want })
  if (rebootDue || bootCount < want.bootCount) return step({ kind: 'stop', instance: want.id })
  if (!plugged) return step({ kind: 'plug', instance: want })
  const running: Fact = { kind: 'running', instance: want.id, bootCount: want.bootCount }
  const attached = (want.attaching ?? []).map(
    ({ id: nic, attachment }): Fact => ({ kind: 'attached', nic, attachment, to: want.id }),
  )
  return facts(running, ...newMarks(want, marks), ...attached)
}

/** Whether it has the wanted NICs, with their addresses, and no others. */
function hasNics({ nics }: InstanceWant, have: readonly PluggedNic[] | undefined): boolean {
  if (have === undefined) return true
  const isThere = (nic: NicWant) =>
    have.some(
      ({ name, ips }) =>
        name === plugName(nic) && (ips === undefined || ips.join() === addressesOf(nic).join()),
    )
  return have.length === nics.length && nics.every(isThere)
}

/** The tags that the records do not have yet. */
function newMarks({ id, tags }: InstanceWant, marks: readonly ReservedTag[]): readonly Fact[] {
  return marks
    .filter((mark) => !tags.some(({ key, value }) => key === mark.key && value === mark.value))
    .map((mark): Fact => ({ kind: 'marked', marked: id, mark }))
}

function planEnded(
  want: InstanceWant,
  have: WorkloadHave | undefined,
  end: Extract<WorkloadState, { readonly kind: 'ended' }>,
): WorkloadPlan {
  const { bootCount = null, rebootDue = false } = have ?? {}
  const again = step({ kind: 'start', instance: want })
  if (rebootDue || bootCount === null || bootCount < want.bootCount) return again
  switch (end.by) {
    case 'itself':
      if (want.recover !== undefined && end.exitCode === KILLED_EXIT_CODE) return again
      return end.exitCode === UNRUNNABLE_EXIT_CODE && want.bootCount === 1
        ? facts(unrunnable(want))
        : facts(
            stopped(want, SELF_SHUTDOWN, `Instance initiated shutdown (exit code ${end.exitCode})`),
          )
    case 'memory':
      return facts(
        stopped(
          want,
          'Server.OutOfMemory',
          `Ended by the kernel at its memory limit of ${want.type.memoryMiB} MiB (${want.type.name})`,
        ),
      )
    case 'reboot':
    case 'outside':
    case 'unknown':
      return again
    default:
      return assertNever(end.by)
  }
}

function unrunnable(want: InstanceWant): Fact {
  const message =
    `${want.image.location} cannot be started: the command that the image names (or /sbin/init, /init, /linuxrc when it ` +
    'names none) does not exist in it or is not executable'
  return { kind: 'failed', instance: want.id, code: 'Client.InvalidImage', message }
}
