/** The steps of the plan on QEMU. Each is safe to repeat. */
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Host } from '../host/host.ts'
import { type MachineGroups, removeGroup } from '../host/processes/groups.ts'
import { awaitEnd, findProcesses, killProcess, startProcess } from '../host/processes/processes.ts'
import { baseOf, type MachineImage, type MachineImages } from '../images/machine-images.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { removeTree } from '../lib/paths.ts'
import type { Runner } from '../lib/runner.ts'
import { bug, unavailable } from '../model/errors.ts'
import type { InstanceId, VolumeId } from '../model/ids.ts'
import { machineBudget } from '../model/limits.ts'
import { machineUser } from '../model/names.ts'
import { nicLimitOf, type TypeNicLimit } from '../model/nic-limits.ts'
import { GIB } from '../model/sizes.ts'
import type { InstanceWant } from '../model/want.ts'
import type { Permit, WorkloadSteps } from '../workloads/driver.ts'
import type { RootDisks } from './disks/disks.ts'
import type { MachineBoot, MachineFilesystem } from './files.ts'
import { openMachine } from './handover.ts'
import { resume } from './live/receive.ts'
import { type Accelerator, renderMachine } from './machine.ts'
import type { Monitors } from './monitors.ts'
import type { MachineNics } from './nics.ts'
import { writeSeed } from './seed.ts'

export interface QemuSettings {
  /** Directories of instances are `<stateDir>/machines/<id>`. */
  readonly stateDir: string
  /** Sockets are `<runtimeDir>/vm/<id>/…`. */
  readonly runtimeDir: string
  /** How long a guest may take to power off before it is killed. */
  readonly stopSeconds: number
  /** MTU of the guests' NICs. */
  readonly mtuBytes: number
  /** The first user number of the processes. */
  readonly firstUser: number
  /** How many NICs machines may have, by instance type. */
  readonly nicLimits: readonly TypeNicLimit[]
}

/** How many NICs a machine of this type may get beside its first one. */
export function nicPorts(type: string, { nicLimits }: Pick<QemuSettings, 'nicLimits'>): number {
  return nicLimitOf(type, nicLimits).interfaces - 1
}

/** What the steps need. */
export interface QemuStepper {
  readonly images: MachineImages
  readonly host: Pick<Host, 'openTap' | 'listenUnix'>
  readonly files: MachineFilesystem
  readonly disks: RootDisks
  readonly monitors: Monitors
  readonly nics: MachineNics
  readonly groups: MachineGroups
  /** Starts in progress that were permitted. */
  readonly starts: Set<Promise<void>>
  readonly run: Runner
  /** How guests are run here, and the group that may use /dev/kvm if that is needed. */
  readonly accelerator: () => Promise<{ readonly kind: Accelerator; readonly group: number | null }>
  readonly settings: QemuSettings
  readonly clock: Clock
  readonly log: Log
}

/** Maximum length of QEMU's messages in an error. */
const MESSAGE_LENGTH = 500
/** A guest that is still booting ignores the power button, so it is pressed repeatedly. */
const BUTTON_EVERY_MS = 5_000
const MS = 1000
const KHZ_IN_MHZ = 1000
/** A process that closed its monitor has ended by then. */
const END_DEADLINE_MS = 5_000

/** The steps. */
export function createQemuSteps(stepper: QemuStepper): WorkloadSteps {
  return {
    launch: (...given) => launch(stepper, ...given),
    start: (instance, _signal, permit) => start(stepper, instance, permit),
    plug: (instance) => plug(stepper, instance),
    resume: (instance) => goOn(stepper, instance),
    stop: (instance, signal) => stop(stepper, instance, signal),
    remove: (instance, keep) => remove(stepper, instance, keep),
  }
}

async function launch(
  stepper: QemuStepper,
  want: InstanceWant,
  digest: string,
  signal: AbortSignal,
  permit?: Permit,
): Promise<void> {
  const { images, files, disks, run } = stepper
  const image = await images.details(digest, want.image.location)
  await files.make(want.id, { digest, location: want.image.location })
  if (image.options.seed === 'nocloud')
    await writeSeed(files.paths(want.id).seed, want, { run, signal })
  const disk = disks.of(want)
  // Of one that ran on another host, what it has written is on a storage.
  if (want.ran) await disk.find()
  else await disk.make(baseOf(image), sizeOfDisk(want, image))
  await bootIfPermitted(stepper, want, image, permit)
}

async function start(stepper: QemuStepper, want: InstanceWant, permit?: Permit): Promise<void> {
  const { images, files, disks, monitors } = stepper
  if ((await monitors.list(true)).has(want.id)) return
  const origin = await files.origin(want.id)
  if (origin === null) throw bug(`the image of ${want.id} is not known here`)
  // The image may have been deregistered since, but the machine was made from it.
  const location = want.image.location || origin.location
  const image = await images.details(origin.digest, location)
  await disks.of(want).find()
  await bootIfPermitted(stepper, want, image, permit)
}

/** A start is known before it may begin, so that nobody misses one (`stored.ts`). */
async function bootIfPermitted(
  stepper: QemuStepper,
  want: InstanceWant,
  image: MachineImage,
  permit: Permit | undefined,
): Promise<void> {
  const { starts } = stepper
  const begin = async () => {
    await permit?.(null)
    await boot(stepper, want, image)
  }
  const started = begin()
  starts.add(started)
  await started.finally(() => starts.delete(started))
}

/** The boot record before a start. */
function newBoot({ bootCount }: InstanceWant): MachineBoot {
  return { bootCount, poweredOff: false, rebootDue: false }
}

/** Writes a lost boot record, for the machine goes on. Attaches and detaches NICs. */
async function plug({ files, monitors, nics }: QemuStepper, want: InstanceWant): Promise<void> {
  if ((await files.readBoot(want.id)) === null) await files.writeBoot(want.id, newBoot(want))
  const machine = (await monitors.list(false)).get(want.id)
  // The NICs of a machine that does not answer are compared once it does.
  if (machine !== undefined && machine.qmp !== null && !machine.isOff)
    await nics.ensure(want, machine.pid, machine.qmp)
}

/** What is known of it suffices, because the guest stands still until this has happened. */
async function goOn({ monitors, clock }: QemuStepper, instance: InstanceId): Promise<void> {
  const machine = (await monitors.list(false)).get(instance)
  if (machine === undefined || machine.isOff) return
  if (machine.qmp === null) throw unavailable('the machine does not answer')
  await resume(machine.qmp, clock)
}

/** The size of a new disk. */
function sizeOfDisk(want: InstanceWant, image: MachineImage): number {
  const sizeGiB = want.disk?.sizeGiB ?? want.type.diskGiB
  return Math.max(baseOf(image)?.virtualBytes ?? 0, sizeGiB * GIB)
}

/** Starts the process. `isIncoming`: it waits for a machine that runs on another host. */
export async function boot(
  stepper: QemuStepper,
  want: InstanceWant,
  image: MachineImage,
  isIncoming = false,
): Promise<void> {
  const { files, monitors, clock } = stepper
  const { home, log } = files.paths(want.id)
  await files.writeBoot(want.id, newBoot(want))
  const pid = await handOver(stepper, want, image, isIncoming)
  try {
    await monitors.adopt(want.id, pid)
  } catch (error) {
    if (!(await awaitEnd(pid, home, { clock, timeoutMs: END_DEADLINE_MS }))) throw error
    throw unavailable(`QEMU ended at once: ${await lastLine(log)}`, error)
  }
}

/**
 * Starts the process with everything it needs, and closes our copies: only then can we see that the
 * process closes its own.
 */
async function handOver(
  stepper: QemuStepper,
  want: InstanceWant,
  image: MachineImage,
  isIncoming: boolean,
): Promise<number> {
  const { files, groups, settings, accelerator } = stepper
  const { kind, group } = await accelerator()
  const user = machineUser(settings.firstUser, want.id)
  await using handed = await openMachine(stepper, want, image)
  const args = renderMachine(want, files.paths(want.id).home, handed.files, {
    accelerator: kind,
    mtuBytes: settings.mtuBytes,
    nicPorts: nicPorts(want.type.name, settings),
    options: image.options,
    tscKhz: tscKhz(await readFile('/proc/cpuinfo', 'utf8')),
    isIncoming,
  })
  const { numbers, log } = handed
  const budget = machineBudget(want.type)
  return await startProcess({
    ...{ disk: handed.disk, args, files: numbers, log, user, group: group ?? user },
    before: (pid) => groups.enter(want.id, pid, budget),
  })
}

/** The frequency of the first processor in /proc/cpuinfo. */
function tscKhz(text: string): number | null {
  const found = /^cpu MHz\s*: ([0-9.]+)$/m.exec(text)?.[1]
  return found === undefined ? null : Math.round(Number(found) * KHZ_IN_MHZ)
}

async function lastLine(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trim().split('\n').at(-1)?.slice(0, MESSAGE_LENGTH) ?? ''
}

/** Presses the power button until the guest is off. Kills it when the time is up. */
async function stop(
  { monitors, files, settings, clock, log }: QemuStepper,
  instance: InstanceId,
  signal: AbortSignal,
): Promise<void> {
  const machine = (await monitors.list(true)).get(instance)
  if (machine === undefined) return
  const { home } = files.paths(instance)
  // It must run to be able to power off.
  if (machine.isSuspended && machine.qmp !== null)
    await resume(machine.qmp, clock).catch((error: unknown) =>
      log.warn({ instance, error }, 'the machine could not be resumed to be stopped'),
    )
  const giveUpMs = clock.monotonic() + settings.stopSeconds * MS
  for (let leftMs = settings.stopSeconds * MS; leftMs > 0; leftMs = giveUpMs - clock.monotonic()) {
    // A process that does not answer is killed below. One that is about to end may not answer.
    if (!machine.isOff) await machine.qmp?.execute('system_powerdown').catch(() => undefined)
    const timeoutMs = Math.min(leftMs, machine.qmp === null ? 0 : BUTTON_EVERY_MS)
    if (await awaitEnd(machine.pid, home, { clock, timeoutMs, signal })) return
    if (signal.aborted) return
    if (machine.qmp === null) break
  }
  log.warn({ instance }, 'the guest did not power off in time and is killed')
  await killProcess(machine.pid, home, clock)
}

async function remove(
  stepper: QemuStepper,
  instance: InstanceId,
  keep: VolumeId | null,
): Promise<void> {
  const { files, monitors, settings, clock } = stepper
  const { home } = files.paths(instance)
  const found = await findProcesses(new Map([[instance, home]]), settings.firstUser)
  const pid = found.get(instance)
  if (pid !== undefined) await killProcess(pid, home, clock)
  await removeGroup(instance, clock)
  await removeTree(dirname(monitors.sockets(instance).dir), instance)
  if (keep !== null) await files.keepDisk(instance, keep)
  await files.remove(instance)
}
