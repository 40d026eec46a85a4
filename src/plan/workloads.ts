/**
 * One instance's workload: from what should be and what is to the next step, or to what there is to
 * report. Pure.
 *
 * Containers and virtual machines share it. Each pass plans at most one step per instance; after
 * the step the host is read anew and planned again, so no step relies on the memory of an earlier
 * one. Nothing is ever started while a stop or an end is wanted, and a disk is removed only for an
 * instance that is to be terminated or that no record knows. What has lost its disk is never made
 * anew: it would come up empty under its old name and address. What was never started here is
 * started only once this host has claimed it in the records: of two hosts that both think it
 * theirs, one gets it.
 */
import { assertNever } from '../model/errors.ts'
import type { InstanceId, VolumeId } from '../model/ids.ts'
import { SELF_SHUTDOWN } from '../model/lifecycle.ts'
import type { Mark } from '../model/reserved-tags.ts'
import type { Fact, ImageFindings, ImageWant, InstanceWant } from '../model/want.ts'

/**
 * The exit code with which our entry script in a guest says that the image has nothing that can be
 * run. Above the shell's own (126, 127) and below "unknown" (255); no signal number leads to it.
 */
export const UNRUNNABLE_EXIT_CODE = 251

/**
 * Who ended a workload. `itself`: its program exited or powered off. `memory`: the kernel killed it
 * at its memory limit. `reboot`: it asked for a reboot from inside. `outside`: a signal or a
 * command from outside that was not ours. `unknown`: the engine or the machine went down with it.
 */
export type EndedBy = 'itself' | 'memory' | 'reboot' | 'outside' | 'unknown'

export type WorkloadState =
  /** There is only its directory: nothing was made of it yet. */
  | { readonly kind: 'remains' }
  /** It was made here once, and its disk is gone. */
  | { readonly kind: 'lost' }
  /** It has a disk and was never started. */
  | { readonly kind: 'created' }
  /** `plugged`: every NIC is where it should be. */
  | { readonly kind: 'running'; readonly plugged: boolean }
  | { readonly kind: 'ended'; readonly by: EndedBy; readonly exitCode: number }
  /** The engine is at work on it: look again. */
  | { readonly kind: 'busy' }

/** What a driver found on this host. */
export interface WorkloadHave {
  readonly instance: InstanceId
  readonly state: WorkloadState
  /** The boot that its last start was for, or null when no record of it is left. */
  readonly bootCount: number | null
  /** What is to be told of how it is held; nothing while it does not run. */
  readonly marks?: readonly Mark[]
  /** What of its host's disk it has used up beyond its limit, in words. */
  readonly excess?: string
  /**
   * It is to be stopped and started again although its boot is the wanted one (a consistent copy of
   * its disk).
   */
  readonly rebootDue?: boolean
}

/** One thing for a driver to do; each may be repeated. */
export type WorkloadStep =
  /** Make it from its image (content pinned by `digest`), start it, plug its NICs in. */
  | { readonly kind: 'launch'; readonly instance: InstanceWant; readonly digest: string }
  /** Start what is there, for this boot, and plug its NICs in. */
  | { readonly kind: 'start'; readonly instance: InstanceWant }
  /** Plug its NICs in; record the boot when no record is left. */
  | { readonly kind: 'plug'; readonly instance: InstanceWant }
  /** Ask it to end, and kill it after the deadline. Disk and address stay. */
  | { readonly kind: 'stop'; readonly instance: InstanceId }
  /** Kill it and remove everything of it, but the disk if it is to be kept as a volume. */
  | {
      readonly kind: 'remove'
      readonly instance: InstanceId
      readonly keep: VolumeId | null
    }

/** What is known of an image on this host. */
export type ImageLook =
  | ({ readonly kind: 'ready' } & ImageFindings)
  /** Being looked at, pulled or imported. */
  | { readonly kind: 'working'; readonly message: string }
  /** It cannot be had; `message` says of which location, and why. */
  | { readonly kind: 'failed'; readonly message: string }

/** Why the last steps for this boot came to nothing. */
export interface WorkloadProblem {
  readonly message: string
  /**
   * It is the image's or the request's fault, and no later try will do better. Otherwise: tried
   * often enough for a launch.
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
 * @param want what it should be; undefined when no record of this host knows it (only after a
 *   complete read)
 * @param have what the driver found; undefined when there is nothing
 * @param look asks for an image; called only when the instance must be made from it
 * @param problem why it should not be tried any longer, if so
 */
export function planWorkload(
  want: InstanceWant | undefined,
  have: WorkloadHave | undefined,
  look: (image: ImageWant) => ImageLook,
  problem?: WorkloadProblem,
): WorkloadPlan {
  if (have?.state.kind === 'busy') return nothing
  if (want === undefined)
    return have === undefined
      ? nothing
      : step({ kind: 'remove', instance: have.instance, keep: null })
  switch (want.run) {
    case 'terminate':
      return have === undefined
        ? facts({ kind: 'gone', instance: want.id })
        : step({ kind: 'remove', instance: want.id, keep: keptVolume(want) })
    case 'stop':
      return have?.state.kind === 'running'
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

function stopped(want: InstanceWant, code: string, message: string): Fact {
  return { kind: 'stopped', instance: want.id, bootCount: want.bootCount, code, message }
}

function planRun(
  want: InstanceWant,
  have: WorkloadHave | undefined,
  look: (image: ImageWant) => ImageLook,
  problem: WorkloadProblem | undefined,
): WorkloadPlan {
  const found = have?.state ?? { kind: 'remains' }
  const state = found.kind === 'remains' && want.ran ? LOST : found
  const end = problem === undefined ? null : unworkable(want, state, problem)
  if (end !== null) return end
  switch (state.kind) {
    case 'lost':
      return facts(stopped(want, 'Server.InternalError', lossOf(want)))
    case 'remains':
      return planLaunch(want, look(want.image))
    case 'created':
      return want.claimed
        ? step({ kind: 'start', instance: want })
        : facts({ kind: 'ready', instance: want.id })
    case 'running':
      return have?.excess === undefined
        ? planRunning(want, have, state.plugged)
        : // The record then says that it is to be stopped, so it is.
          facts(stopped(want, 'Client.VolumeLimitExceeded', have.excess))
    case 'ended':
      return planEnded(want, have, state)
    case 'busy':
      return nothing
    default:
      return assertNever(state)
  }
}

const LOST: WorkloadState = { kind: 'lost' }

/**
 * EC2 has no code of its own for it: an instance whose disk is gone is stopped, until somebody
 * terminates it.
 */
function lossOf({ disk }: InstanceWant): string {
  const what =
    disk === null ? 'the container that held its disk was' : 'the file that holds its disk was'
  return `The root disk is lost: ${what} removed from its host, and not by Atoll. Terminate the instance and launch another one`
}

/**
 * Never ran: given up. Has a disk of its own: reported as stopped, and only when no later try can
 * do better.
 */
function unworkable(
  want: InstanceWant,
  state: WorkloadState,
  { message, permanent }: WorkloadProblem,
): WorkloadPlan | null {
  if (state.kind === 'running' || state.kind === 'lost') return null
  if (state.kind === 'ended')
    return permanent ? facts(stopped(want, 'Server.InternalError', message)) : null
  const code = permanent ? 'Client.InvalidImage' : 'Server.InternalError'
  return facts({ kind: 'failed', instance: want.id, code, message })
}

function planLaunch(want: InstanceWant, image: ImageLook): WorkloadPlan {
  switch (image.kind) {
    case 'ready': {
      const pinned: readonly Fact[] =
        want.image.digest === null ? [imageAvailable(want, image)] : []
      if (!want.claimed) return facts({ kind: 'ready', instance: want.id }, ...pinned)
      return { step: { kind: 'launch', instance: want, digest: image.digest }, facts: pinned }
    }
    case 'working':
      return nothing
    case 'failed':
      return facts({
        kind: 'failed',
        instance: want.id,
        code: 'Client.InvalidImage',
        message: image.message,
      })
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
  // A lost boot record is no reason to take a running instance down: adopt it as it is.
  if (bootCount === null) return step({ kind: 'plug', instance: want })
  if (rebootDue || bootCount < want.bootCount) return step({ kind: 'stop', instance: want.id })
  if (!plugged) return step({ kind: 'plug', instance: want })
  const running: Fact = { kind: 'running', instance: want.id, bootCount: want.bootCount }
  return facts(running, ...newMarks(want, marks))
}

/** Those that the records do not have yet. */
function newMarks({ id, tags }: InstanceWant, marks: readonly Mark[]): readonly Fact[] {
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
