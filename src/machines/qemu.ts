/**
 * Virtual machines: the workload driver on QEMU.
 *
 * - Its part of the want: each `InstanceWant` with this driver. `plan/workloads.ts` decides, and
 *   `machine.ts` describes a machine to QEMU (both pure).
 * - A new daemon recognises machines by their directories `<stateDir>/machines/<id>`, and by
 *   processes with the name of such a directory and the user of the instance
 *   (`host/processes/processes.ts`).
 * - If the daemon dies here, machines go on: they are not its children. After an interrupted start
 *   there is a process or none. There are never two, because the process locks the disk and a tap
 *   can be opened only once.
 * - `list` with `fresh` reads /proc and asks every machine.
 */

import { readlink } from 'node:fs/promises'
import { createSerialLines } from '../consoles/serial-lines.ts'
import type { Host } from '../host/host.ts'
import { createConsoleTrimmer } from '../host/processes/console-trimmer.ts'
import { createMachineGroups } from '../host/processes/groups.ts'
import { isHalted } from '../host/processes/halted.ts'
import type { SharedStorage } from '../host/shared-storage.ts'
import type { MachineImages } from '../images/machine-images.ts'
import type { Clock } from '../lib/clock.ts'
import { watchForHangingPrograms } from '../lib/hanging-programs.ts'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import { explain, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { type Isolation, reservedTags } from '../model/reserved-tags.ts'
import {
  type PluggedNic,
  unreadInstance,
  type WorkloadHave,
  type WorkloadState,
} from '../plan/workloads.ts'
import type { WorkloadDriver } from '../workloads/driver.ts'
import { createFreezer, type Freezer } from './agent.ts'
import { createAnswerChecks } from './answer-checks.ts'
import { createMachineCapturer, type MachineCaptureTools } from './capture.ts'
import type { KeptImages } from './created-images.ts'
import { createRootDisks } from './disks/disks.ts'
import {
  CONSOLE_BYTES,
  createMachineFiles,
  type MachineBoot,
  type MachineFilesystem,
} from './files.ts'
import { createLiveMover } from './live/live-mover.ts'
import { createMonitors, type Machine, type Monitors } from './monitors.ts'
import { createMachineMover } from './mover.ts'
import { createMachineNics, type MachineNics } from './nics.ts'
import type { Qmp } from './qmp.ts'
import { createQemuSteps, nicPorts, type QemuSettings, type QemuStepper } from './steps.ts'
import { endStored } from './stored.ts'

export interface QemuDriverOptions {
  readonly images: MachineImages
  readonly kept: KeptImages
  readonly host: Pick<
    Host,
    'openTap' | 'reattachTap' | 'listenUnix' | 'pairedUnix' | 'sendDescriptor'
  >
  /** How guests are run on this machine. Called at each start. */
  readonly accelerator: QemuStepper['accelerator']
  readonly run: Runner
  /** Null: no disk of this host's instances is on a storage. */
  readonly shared: SharedStorage | null
  readonly settings: QemuSettings & Pick<MachineCaptureTools['settings'], 'maxBytes'>
  readonly clock: Clock
  readonly log: Log
}

/** The driver. It reads nothing before its first call. */
export function createQemuDriver(options: QemuDriverOptions): WorkloadDriver {
  const { settings, clock, log } = options
  const programs = watchForHangingPrograms(options.run, clock)
  const { run } = programs
  const files = createMachineFiles(settings.stateDir)
  const groups = createMachineGroups({ run, log })
  const monitors = monitorsFor(files, options)
  const [lines, trimmer] = [createSerialLines(), trimmerFor(options)]
  const answers = createAnswerChecks(clock)
  const nics = nicsFor(options)
  const reads = createReads(files, nics)
  const disks = createRootDisks(files, run, options.shared)
  const own = { files, disks, groups, monitors, nics, starts: new Set<Promise<void>>() }
  const stepper: QemuStepper = { ...options, run, ...own }
  const freezer = createFreezer({
    socketOf: (instance) => monitors.sockets(instance).agent,
    monitorOf: (instance) => qmpOf(monitors, instance),
    homeOf: (instance) => files.paths(instance).home,
    ...{ clock, log },
  })

  /** Not waited for, because the guest may be slow. */
  function thawLeft(machines: ReadonlyMap<InstanceId, Machine>): void {
    for (const instance of machines.keys())
      freezer
        .thawLeft(instance)
        .catch((error: unknown) => log.error({ instance, error }, 'a guest was left frozen'))
  }

  return {
    name: 'qemu',
    stopSeconds: settings.stopSeconds,
    capturer: createMachineCapturer({ ...options, files, monitors, freezer: freezer.open }),
    ...moversFor(stepper, options),

    async list({ fresh }) {
      const instances = [...(await files.homes()).keys()]
      const machines = instances.length === 0 ? new Map() : await monitors.list(fresh)
      answers.check(machines)
      if (machines.size > 0) trimmer.ensure()
      if (fresh) thawLeft(machines)
      return reads.all(instances, machines, fresh)
    },

    ...createQemuSteps(stepper),

    async replug(instance, taps) {
      const machine = (await monitors.list(false)).get(instance)
      if (machine === undefined || machine.isOff) return []
      if (machine.qmp === null) throw unavailable('the machine does not answer')
      return await nics.replug(machine.pid, machine.qmp, taps)
    },

    storage: async () => [settings.stateDir],

    console: async (instance, limitBytes) =>
      (await files.has(instance)) ? files.readConsole(instance, limitBytes) : null,

    pulse: pulses({ files, monitors, freezer }),
    holds: files.has,
    attach: async (instance) =>
      (await files.has(instance))
        ? lines.attach(instance, monitors.sockets(instance).serial)
        : null,

    watch(changed) {
      // There is no engine that could be away.
      queueMicrotask(() => changed(null))
      return monitors.watch(changed)
    },

    hanging: () => [...answers.hanging(), ...programs.hanging(), ...reads.failed()],

    async close() {
      lines.close()
      monitors.close()
    },
  }
}

/** The connection to a machine that answers. Only one that is not known needs a look. */
async function qmpOf(monitors: Monitors, instance: InstanceId): Promise<Qmp | null> {
  const machine = monitors.known(instance) ?? (await monitors.list(false)).get(instance)
  return machine?.qmp ?? null
}

function pulses({
  files,
  monitors,
  freezer,
}: {
  readonly files: MachineFilesystem
  readonly monitors: Monitors
  readonly freezer: Freezer
}): NonNullable<WorkloadDriver['pulse']> {
  return async (instance, bootCount) => {
    const machine = monitors.known(instance)
    if (machine === undefined || machine.isOff || machine.isSuspended) return 'absent'
    const boot = await files.readBoot(instance)
    if (boot !== null && boot.bootCount !== bootCount) return 'absent'
    const isStill = (await isHalted(machine.pid)) || (await freezer.isSilent(instance))
    return isStill ? 'halted' : 'runs'
  }
}

function moversFor(stepper: QemuStepper, { host }: QemuDriverOptions) {
  const { files, monitors } = stepper
  return {
    mover: createMachineMover(files, monitors),
    liveMover: createLiveMover(stepper, host),
    endStored: (storage: string) => endStored(stepper, storage),
  }
}

function monitorsFor(
  files: MachineFilesystem,
  { host: { sendDescriptor: sendFile }, settings, clock, log }: QemuDriverOptions,
): Monitors {
  return createMonitors({ ...settings, files, sendFile, clock, log })
}

function trimmerFor({ settings: { stateDir }, clock, log }: QemuDriverOptions) {
  return createConsoleTrimmer({ stateDir, keptBytes: CONSOLE_BYTES, clock, log })
}

function nicsFor({ host, settings, clock, log }: QemuDriverOptions): MachineNics {
  const portsOf = (type: string) => nicPorts(type, settings)
  return createMachineNics({ host, mtuBytes: settings.mtuBytes, portsOf, clock, log })
}

/** Reads of machines. One that cannot be read is left alone, and the others go on. */
function createReads(files: MachineFilesystem, nics: MachineNics) {
  const unread = new Map<InstanceId, string>()
  async function read(
    instance: InstanceId,
    machine: Machine | undefined,
    fresh: boolean,
  ): Promise<WorkloadHave> {
    try {
      const plugged = machine && (await nics.list(instance, machine, fresh))
      return await readHave(files, instance, machine, plugged)
    } catch (error) {
      unread.set(instance, explain(error))
      return { instance, bootCount: null, state: { kind: 'busy' } }
    }
  }
  return {
    all(
      instances: readonly InstanceId[],
      machines: ReadonlyMap<InstanceId, Machine>,
      fresh: boolean,
    ): Promise<readonly WorkloadHave[]> {
      unread.clear()
      return Promise.all(instances.map((one) => read(one, machines.get(one), fresh)))
    },
    /** A sentence for each machine whose last reading failed. */
    failed: () => [...unread].map(([instance, why]) => unreadInstance(instance, why)),
  }
}

async function readHave(
  files: MachineFilesystem,
  instance: InstanceId,
  machine: Machine | undefined,
  nics: readonly PluggedNic[] | undefined,
): Promise<WorkloadHave> {
  const boot = await files.readBoot(instance)
  const rebootDue = boot?.rebootDue ?? false
  const known = { instance, bootCount: boot?.bootCount ?? null, ...(rebootDue && { rebootDue }) }
  if (machine !== undefined) {
    await files.trimConsole(instance)
    const marks = reservedTags(await isolationOf(machine.pid), 'own')
    return { ...known, state: runningState(machine, nics), marks }
  }
  const isThere = await files.hasDisk(instance)
  return { ...known, state: isThere ? stoppedState(boot) : goneState(boot) }
}

/** Processes that an older version started are in the daemon's network namespace. */
async function isolationOf(pid: number): Promise<Isolation> {
  const networkOf = (who: number | 'self') => readlink(`/proc/${who}/ns/net`).catch(() => '')
  return (await networkOf(pid)) === (await networkOf('self')) ? 'machine-in-host' : 'machine'
}

/** The disk is missing. It existed when the boot record was written. */
function goneState(boot: MachineBoot | null): WorkloadState {
  return { kind: boot === null ? 'remains' : 'lost' }
}

/** Taps are handed over at the start, so a running machine has those NICs. */
function runningState(machine: Machine, nics: readonly PluggedNic[] | undefined): WorkloadState {
  if (machine.isOff) return { kind: 'busy' }
  if (machine.isSuspended) return { kind: 'suspended' }
  return { kind: 'running', plugged: true, ...(nics === undefined ? {} : { nics }) }
}

function stoppedState(boot: MachineBoot | null): WorkloadState {
  if (boot === null) return { kind: 'created' }
  return { kind: 'ended', by: boot.poweredOff ? 'itself' : 'unknown', exitCode: 0 }
}
