/**
 * The ports that all drivers share: what runs instances, and what gets their images. One contract
 * suite holds every driver (`test/contract/workloads-contract.ts`).
 *
 * A driver knows how to list what runs on this host and how to do one step. It decides nothing:
 * `plan/workloads.ts` compares want and have and names the next step. Every step is safe to repeat
 * and may be cut off anywhere by SIGKILL; the next `list` shows what became of it.
 */
import type { Screen, Terminal } from '../lib/terminal.ts'
import type { DriverDeclaration } from '../model/driver.ts'
import { type AtollError, refused } from '../model/errors.ts'
import type { ImageId, InstanceId, VolumeId } from '../model/ids.ts'
import type { CaptureWant, ImageFindings, ImageWant, InstanceWant } from '../model/want.ts'
import type { ImageLook, WorkloadHave } from '../plan/workloads.ts'

/**
 * The steps of the plan (`WorkloadStep` says what each is for), each to its end, each safe to
 * repeat. Errors: `refused` when it can never work (say why), `unavailable` when trying again may
 * help.
 */
export interface WorkloadSteps {
  launch(instance: InstanceWant, digest: string, signal: AbortSignal): Promise<void>
  start(instance: InstanceWant, signal: AbortSignal): Promise<void>
  plug(instance: InstanceWant, signal: AbortSignal): Promise<void>
  stop(instance: InstanceId, signal: AbortSignal): Promise<void>
  /**
   * Removes everything of it. With `keep`, its disk is moved to the directory of that volume first.
   */
  remove(instance: InstanceId, keep: VolumeId | null): Promise<void>
}

/** Makes images of this host's instances, and keeps them. */
export interface Capturer {
  /**
   * Makes the image, or finds it made, however long that takes; the caller sees to it that the
   * instance is not started meanwhile. Safe to repeat, and may be cut off anywhere. `progress` is
   * told a short sentence as often as there is news. Rejects with the sentence that is to be shown
   * when the image cannot be made.
   */
  capture(
    want: CaptureWant,
    progress: (message: string) => void,
    signal: AbortSignal,
  ): Promise<ImageFindings>
  /**
   * Removes every image that was made here but `images`, and but what is being made of those in
   * `busy`.
   */
  keep(images: ReadonlySet<ImageId>, busy: ReadonlySet<ImageId>): Promise<void>
}

export interface WorkloadDriver extends WorkloadSteps {
  readonly name: string
  /** How long an instance that is asked to stop may take before it is killed. */
  readonly stopSeconds: number
  readonly capturer: Capturer
  /**
   * Everything on this machine that carries our mark, whoever made it. `fresh` reads it all anew,
   * past every cache. Errors: `unavailable` when the engine does not answer.
   */
  list(options: {
    readonly fresh: boolean
    readonly signal: AbortSignal
  }): Promise<readonly WorkloadHave[]>
  /**
   * Directories on whose file systems instances are kept, as far as is known: where they may fill
   * the disk.
   */
  storage(): Promise<readonly string[]>
  /**
   * The last console output, at most `limitBytes`; null when the instance is none of this driver's.
   * Errors: `unavailable`.
   */
  console(instance: InstanceId, limitBytes: number): Promise<Buffer | null>
  /** Whether anything of an instance is here, running or not. Errors: `unavailable`. */
  holds(instance: InstanceId): Promise<boolean>
  /**
   * Attaches to a terminal of an instance that runs: the serial line of a machine, which all who
   * attach share, or a root shell in a container, one for each. `screen` is null for whoever has a
   * pipe. Null when the instance is none of this driver's. Errors: `refused` when it does not run,
   * `unavailable`.
   */
  attach(instance: InstanceId, screen: Screen | null): Promise<Terminal | null>
  /**
   * Calls `changed` with the instance when something of ours started or ended, and with null when
   * the engine is back after an absence. Returns a function that ends it.
   */
  watch(changed: (instance: InstanceId | null) => void): () => void
  /**
   * What does not answer at this moment, a sentence each; the engine as a whole aside, of which
   * `list` tells.
   */
  hanging(): readonly string[]
  close(): Promise<void>
}

/** The images that this host has or is fetching. */
export interface Images {
  /**
   * What is known of this image now; starts looking, pulling or importing in the background when
   * nothing is. Never waits. The result of an ended look is kept for a while; a failed one is
   * looked at anew after some seconds.
   */
  look(image: ImageWant): ImageLook
  /** Calls `changed` when a look ended or its progress moved. Returns a function that ends it. */
  watch(changed: () => void): () => void
  /** Ends all work in progress. */
  close(): Promise<void>
}

/**
 * A driver at work on this host: what it says of itself, what runs its instances, and what gets
 * their images.
 */
export interface OpenDriver {
  readonly declaration: DriverDeclaration
  readonly driver: WorkloadDriver
  readonly images: Images
}

/**
 * How what a driver made is taken off a machine by `atoll teardown`, without a daemon and without
 * records; safe to repeat. `C` is the part of the configuration that it goes by.
 */
export interface DriverTeardown<C> {
  /**
   * Directories below the state directory in which it keeps instances and images. Removed once all
   * instances are.
   */
  readonly directories: readonly string[]
  /** The same below the runtime directory. */
  readonly runtimeDirectories: readonly string[]
  /**
   * Ends and removes every instance that carries our mark, and what else it made outside of its
   * directories. Resolves with a line for each thing done.
   */
  removeInstances(config: C): Promise<readonly string[]>
}

/** What whoever attaches to an instance that does not run is told. */
export function notRunning(instance: InstanceId): AtollError {
  const mend = `start it with: aws ec2 start-instances --instance-ids ${instance}`
  return refused('IncorrectInstanceState', `${instance} does not run; ${mend}`)
}
