/**
 * The interfaces of drivers: what runs instances, and what provides their images. One contract
 * suite tests every driver (`test/contract/workloads-contract.ts`).
 *
 * A driver lists what runs on this host, and does single steps. It decides nothing:
 * `plan/workloads.ts` compares want and have, and names the next step. Every step is safe to
 * repeat, and may be interrupted anywhere by SIGKILL. The next `list` shows the result.
 */
import type { Duplex } from 'node:stream'
import type { Screen, Terminal } from '../lib/terminal.ts'
import type { DriverDeclaration } from '../model/driver.ts'
import { type AtollError, refused } from '../model/errors.ts'
import type { ImageId, InstanceId, VolumeId } from '../model/ids.ts'
import type { CaptureWant, ImageFindings, ImageWant, InstanceWant, NicWant } from '../model/want.ts'
import type { WarmInstance, WarmWant } from '../model/warm-instance.ts'
import type { ImageStatus, WorkloadHave } from '../plan/workloads.ts'

/**
 * Called right before a start, with the engine's id of the container if it is one. Rejects with
 * `unavailable` when the instance may not be started now.
 */
export type Permit = (container: string | null) => Promise<void>

/** Says when instances that other hosts may start again may be started here. */
export interface StartGate {
  /** Whether it may be started now. Otherwise nothing of it is reported, either. */
  mayStart(instance: InstanceWant): boolean
  /** Is told of the container of an instance. */
  found(instance: InstanceId, container: string): void
  /** See `Permit`. */
  permit(instance: InstanceWant, container: string | null): Promise<void>
}

/**
 * The steps of the plan (see `WorkloadStep`). Each is safe to repeat. Errors: `refused` when it can
 * never succeed (with the reason), `unavailable` when a retry may help.
 */
export interface WorkloadSteps {
  launch(
    instance: InstanceWant,
    digest: string,
    signal: AbortSignal,
    permit?: Permit,
  ): Promise<void>
  start(instance: InstanceWant, signal: AbortSignal, permit?: Permit): Promise<void>
  plug(instance: InstanceWant, signal: AbortSignal): Promise<void>
  /** Lets one run that stands still between two hosts. Absent: none ever does. */
  resume?(instance: InstanceId): Promise<void>
  stop(instance: InstanceId, signal: AbortSignal): Promise<void>
  /**
   * Removes everything of it. With `keep`, its disk is first moved to the directory of that volume.
   */
  remove(instance: InstanceId, keep: VolumeId | null): Promise<void>
}

/**
 * Instances that are started before anybody asks for them, and wait without a NIC. Only the run of
 * the daemon that has started one may give it to a launch, and only once; a later run removes it.
 */
export interface WarmDriver {
  /**
   * Starts one, from the image with this digest, which waits from then on. Safe to repeat. Errors:
   * `refused`, `unavailable`.
   */
  prepare(instance: InstanceId, want: WarmWant, signal: AbortSignal): Promise<void>
  /**
   * Makes the one with the instance's id this instance, and attaches its NICs. Whatever happens, it
   * does not wait any more. Errors: `unavailable` when it cannot become this instance; the next
   * `list` says so, and it can be launched when that one is removed.
   */
  adopt(instance: InstanceWant, digest: string, signal: AbortSignal, permit?: Permit): Promise<void>
  /** Those that wait, as far as is known. */
  waiting(): readonly WarmInstance[]
  /** Gives one to nobody any more. */
  discard(instance: InstanceId): void
}

/** Makes and stores images of this host's instances. */
export interface Capturer {
  /**
   * Makes the image, unless it exists. May take long. The caller prevents a start of the instance
   * meanwhile. Safe to repeat, and may be interrupted anywhere. `progress` gets a short sentence
   * whenever there is news. Rejects with the sentence to show when the image cannot be made.
   */
  capture(
    want: CaptureWant,
    progress: (message: string) => void,
    signal: AbortSignal,
  ): Promise<ImageFindings>
  /**
   * Removes every image that was made here except `images`, and except attempts for images in
   * `busy`.
   */
  keep(images: ReadonlySet<ImageId>, busy: ReadonlySet<ImageId>): Promise<void>
}

/** A file of a stopped instance, to be copied to another host. */
export interface PackedFile {
  /** Of ASCII letters, digits, hyphens and dots. */
  readonly name: string
  readonly path: string
}

/** Moves what stopped instances have written from host to host. Every call is safe to repeat. */
export interface Mover {
  /** The directory of an instance, which `list` reports of. */
  home(instance: InstanceId): string
  /**
   * The files of an instance of this host that is stopped for the boot. Errors: `refused`, with the
   * reason, when it cannot be copied; `unavailable`.
   */
  pack(instance: InstanceId, bootCount: number, signal: AbortSignal): Promise<readonly PackedFile[]>
  /** Removes what `pack` made for all other instances. */
  unpackOthers(instances: ReadonlySet<InstanceId>): Promise<void>
  /**
   * Makes the files of that directory below the home, which `pack` named on another host, the
   * instance's. It can then be started here. Errors: `refused`, with the reason.
   */
  install(instance: InstanceId, directory: string): Promise<void>
}

/**
 * - `runs`: nothing else is known.
 * - `halted`: it is stopped as a whole, or what should answer inside does not.
 * - `absent`: that boot does not run here, as far as is known.
 */
export type Pulse = 'runs' | 'halted' | 'absent'

/**
 * How a machine runs: what two hosts must have in common to pass it on while it runs. For people,
 * and to be compared.
 */
export interface LiveKind {
  readonly qemu: string
  /** The type of machine with its version. */
  readonly machine: string
  readonly processor: string
  /** Of its NICs. */
  readonly mtu: string
}

/** What the new host has to know of a running machine. */
interface LiveMachine {
  readonly kind: LiveKind
  /** The size of its disk. */
  readonly diskBytes: number
}

/** The connections over which a machine is passed on. */
export interface LiveStreams {
  readonly disk: Duplex
  readonly memory: Duplex
}

/**
 * Moves running instances from host to host. Nobody lets an instance run that stands still between
 * them but the step `resume`, on the host to which the records give it.
 */
export interface LiveMover {
  /**
   * How it runs here. Errors: `unavailable` when it does not; `refused` when it stands still
   * between two hosts.
   */
  describe(instance: InstanceId): Promise<LiveMachine>
  /** How this host would run it, from the image with this digest. */
  kindFor(want: InstanceWant, digest: string): Promise<LiveKind>
  /** The files that the new host gets before, beside the disk. */
  files(instance: InstanceId): Promise<readonly PackedFile[]>
  /**
   * Sends it over these, which it closes. Resolves when the other host has everything; it stands
   * still here from then on. Errors: `unavailable`; then it goes on here.
   */
  send(
    instance: InstanceId,
    streams: LiveStreams,
    wait: {
      readonly progress: (message: string) => void
      /** Is called once, when it stands still, which may be over again after a failure. */
      readonly still: () => void
      readonly signal: AbortSignal
    },
  ): Promise<void>
  /**
   * Begins to take it over, with the files of the other host that are in the home already. What an
   * earlier attempt has left is removed. Errors: `unavailable`, `refused`.
   */
  receive(want: InstanceWant, digest: string, diskBytes: number): Promise<LiveStreams>
  /** Resolves when everything is here; it stands still. Errors: `unavailable`. */
  received(instance: InstanceId, signal: AbortSignal): Promise<void>
}

export interface WorkloadDriver extends WorkloadSteps {
  readonly name: string
  /** How long an instance may take to stop before it is killed. */
  readonly stopSeconds: number
  readonly capturer: Capturer
  /** Absent: its instances stay on their hosts. */
  readonly mover?: Mover
  /** Absent: its instances are stopped to be moved. */
  readonly liveMover?: LiveMover
  /** Absent: all its instances are started when they are asked for. */
  readonly warm?: WarmDriver
  /**
   * Everything on this machine with our mark, whoever created it. `fresh` reads everything again,
   * without caches. Those in `busy` have a step in progress: an engine that locks them meanwhile
   * need not be asked, as nobody uses what it would say. Errors: `unavailable` when the engine does
   * not answer.
   */
  list(options: {
    readonly fresh: boolean
    readonly busy?: ReadonlySet<InstanceId>
    readonly signal: AbortSignal
  }): Promise<readonly WorkloadHave[]>
  /**
   * Plugs in what a running instance has lost of these NICs, and returns what was repaired. Leaves
   * NICs alone that it does not have yet, and instances that do not run. Asks no engine, which may
   * hang. Errors: `unavailable`.
   */
  replug(instance: InstanceId, nics: readonly NicWant[]): Promise<readonly string[]>
  /** Directories of instances, as far as known: those whose file systems they may fill. */
  storage(): Promise<readonly string[]>
  /**
   * The last console output, at most `limitBytes`. Null when the driver does not have the instance.
   * Errors: `unavailable`.
   */
  console(instance: InstanceId, limitBytes: number): Promise<Buffer | null>
  /**
   * How a boot of an instance is, beside what its NIC answers. Asks no engine, which may hang.
   * Absent: nobody can tell. Errors: `unavailable`.
   */
  pulse?(instance: InstanceId, bootCount: number): Promise<Pulse>
  /**
   * Ends, by force, what runs here with a disk on this storage. Absent: nothing ever has one.
   * Errors: `unavailable` when something does not end.
   */
  endStored?(storage: string): Promise<void>
  /**
   * Whether the driver has anything of the instance here, running or not. Errors: `unavailable`.
   */
  holds(instance: InstanceId): Promise<boolean>
  /**
   * Attaches to a terminal of a running instance: the serial line of a machine, which all clients
   * share, or a root shell in a container, one for each client. `screen` is null for a client
   * without one. Null when the driver does not have the instance. Errors: `refused` when it does
   * not run, `unavailable`.
   */
  attach(instance: InstanceId, screen: Screen | null): Promise<Terminal | null>
  /**
   * Calls `changed` with the instance when something of ours started or ended, and with null when
   * the engine is back after an absence. The returned function ends it.
   */
  watch(changed: (instance: InstanceId | null) => void): () => void
  /** A sentence for each part that does not answer now. `list` reports an engine that is away. */
  hanging(): readonly string[]
  close(): Promise<void>
}

/** The images that this host has or is fetching. */
export interface Images {
  /**
   * The state of this image. Starts inspecting, pulling or importing in the background if nothing
   * is known. Never waits. A result is kept for a while. A failure is tried again after some
   * seconds.
   */
  look(image: ImageWant): ImageStatus
  /** Calls `changed` when a result or progress is new. The returned function ends it. */
  watch(changed: () => void): () => void
  /** Ends all work in progress. */
  close(): Promise<void>
}

/**
 * A driver on this host: its declaration, what runs its instances, and what provides their images.
 */
export interface OpenDriver {
  readonly declaration: DriverDeclaration
  readonly driver: WorkloadDriver
  readonly images: Images
}

/**
 * How `atoll teardown` removes what a driver created, without a daemon and without records. Safe to
 * repeat. `C` is the part of the configuration that it needs.
 */
export interface DriverTeardown<C> {
  /**
   * Its directories of instances and images, below the state directory. They are removed after all
   * instances.
   */
  readonly directories: readonly string[]
  /** The same below the runtime directory. */
  readonly runtimeDirectories: readonly string[]
  /**
   * Ends and removes every instance with our mark, and what else it created outside its
   * directories. Resolves with a line for each thing that was done.
   */
  removeInstances(config: C): Promise<readonly string[]>
}

/** The error for attaching to an instance that does not run. */
export function notRunning(instance: InstanceId): AtollError {
  const mend = `start it with: aws ec2 start-instances --instance-ids ${instance}`
  return refused('IncorrectInstanceState', `${instance} does not run; ${mend}`)
}
