/**
 * Images of virtual machines: a machine's disk as a file that needs no other file.
 *
 * The disk of a stopped machine is copied as it is. Of a running machine, QEMU copies the disk as
 * it is at one moment, while the guest goes on (`backup.ts`). If the guest has an agent, it flushes
 * and freezes its file systems for that moment. Otherwise the guest is shut down, copied and
 * started again, as on EC2. If the caller forbade that (NoReboot), the image is what a power
 * failure would have left.
 *
 * The guest wrote the disk, and a guest that escaped could have written its header. So a disk is
 * read with the base image that we know, and with no other file.
 */
import { copyFile, open, rm } from 'node:fs/promises'
import { needSpace } from '../host/files/space.ts'
import {
  baseOf,
  findingsOf,
  type MachineImage,
  type MachineImages,
} from '../images/machine-images.ts'
import { parseOverlay, QCOW2_HEAD_BYTES } from '../images/qcow2.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import type { Runner } from '../lib/runner.ts'
import { ec2Architecture } from '../model/architecture.ts'
import { type AtollError, refused, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { CaptureWant } from '../model/want.ts'
import type { Capturer } from '../workloads/driver.ts'
import { backUp, type FreezeGuest } from './backup.ts'
import { convert } from './convert.ts'
import { KEPT_FILES, type KeptImages, type Making } from './created-images.ts'
import type { MachineFilesystem } from './files.ts'
import type { Machine, Monitors } from './monitors.ts'

/** What copies of machines need. */
export interface MachineCaptureTools {
  readonly images: MachineImages
  readonly kept: KeptImages
  readonly files: MachineFilesystem
  readonly monitors: Monitors
  readonly run: Runner
  /** A function that freezes a guest for a moment. Null when the guest has no agent. */
  readonly freezer: (instance: InstanceId, signal: AbortSignal) => Promise<FreezeGuest | null>
  readonly settings: {
    readonly stopSeconds: number
    readonly firstUser: number
    /** Largest image file. */
    readonly maxBytes: number
  }
  readonly clock: Clock
  readonly log: Log
}

/** A copy is repeated if the machine was started or stopped meanwhile. */
const ATTEMPTS = 3
const LOOK_EVERY_MS = 200
/** Added to the guest's time for shutdown: for the step to begin, and for the process to end. */
const STOP_MARGIN_MS = 60_000
const MS = 1000

/** One image that is being made. */
interface CaptureJob {
  readonly want: CaptureWant
  readonly image: MachineImage
  readonly making: Making
  readonly progress: (message: string) => void
  readonly signal: AbortSignal
}

/** Makes images with these. */
export function createMachineCapturer(tools: MachineCaptureTools): Capturer {
  const { kept, images, files, log } = tools
  return {
    async capture(want, progress, signal) {
      const made = await kept.find(want.id)
      if (made !== null) return findingsOf(made)
      const origin = await files.origin(want.instance)
      if (origin === null) throw gone(want)
      const image = await images.details(origin.digest, origin.location || want.origin)
      const making = await kept.begin(want.id)
      try {
        await copyMachine(tools, { want, image, making, progress, signal })
        return findingsOf(await install(image, making, signal))
      } catch (error) {
        await kept.discard(want.id)
        throw (await files.hasDisk(want.instance)) ? error : gone(want)
      }
    },
    async keep(wanted, busy) {
      // A volume may still use an image that no instance uses.
      const inUse = await files.origins()
      for (const name of await kept.keep(wanted, busy, inUse))
        log.info({ name }, 'kept image removed')
    },
  }
}

function gone({ instance }: CaptureWant): AtollError {
  return refused(
    'IncorrectInstanceState',
    `${instance} has no disk to make an image from: it was terminated, or has never run`,
  )
}

/** Copies the contents of the machine's disk, in the way that its state allows. */
async function copyMachine(tools: MachineCaptureTools, job: CaptureJob): Promise<void> {
  const { monitors, log } = tools
  const { want, signal } = job
  for (let attempt = 1; ; attempt += 1) {
    const machine = (await monitors.list(true)).get(want.instance)
    try {
      if (machine === undefined) await copyStopped(tools, job)
      else await copyRunning(tools, job, machine)
      return
    } catch (error) {
      signal.throwIfAborted()
      const now = (await monitors.list(true)).get(want.instance)
      if (attempt === ATTEMPTS || now?.pid === machine?.pid) throw error
      log.info(
        { image: want.id, error },
        'the instance was started or stopped meanwhile; trying again',
      )
    }
  }
}

async function copyRunning(
  tools: MachineCaptureTools,
  job: CaptureJob,
  machine: Machine,
): Promise<void> {
  const { freezer, files, settings, clock } = tools
  const { want, progress, signal, making } = job
  const { qmp, isOff, pid } = machine
  if (isOff) return await whenOff(tools, job)
  if (qmp === null) throw unavailable(`the virtual machine of ${want.instance} does not answer`)
  const freeze = await freezer(want.instance, signal)
  if (freeze === null && want.reboot) {
    await askForReboot(tools, want.instance)
    return await whenOff(tools, job)
  }
  const raw = below(making.dir, 'raw')
  const { home } = files.paths(want.instance)
  const { virtualBytes } = await headerOf(files.paths(want.instance).disk)
  const room = () => needSpace(making.dir, 0)
  const { firstUser } = settings
  const order = { instance: want.instance, home, firstUser, virtualBytes, freeze, room }
  await backUp({ qmp, pid }, order, raw, { clock, progress, signal })
  await convert(tools, job, [{ format: 'raw', path: raw }])
  await rm(raw)
}

/**
 * Notes in the machine's boot record that a reboot is due. Whichever daemon runs then stops the
 * machine, and starts it again once its disk is copied.
 */
async function askForReboot({ files }: MachineCaptureTools, instance: InstanceId): Promise<void> {
  const boot = await files.readBoot(instance)
  if (boot !== null) await files.writeBoot(instance, { ...boot, rebootDue: true })
}

async function whenOff(tools: MachineCaptureTools, job: CaptureJob): Promise<void> {
  const { monitors, settings, clock } = tools
  const { want, progress, signal } = job
  const giveUpMs = clock.monotonic() + settings.stopSeconds * MS + STOP_MARGIN_MS
  progress('Shutting the instance down')
  while ((await monitors.list(false)).has(want.instance)) {
    if (clock.monotonic() > giveUpMs)
      throw unavailable(`${want.instance} could not be shut down for its image`)
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
  await copyStopped(tools, job)
}

async function copyStopped(tools: MachineCaptureTools, job: CaptureJob): Promise<void> {
  const { disk } = tools.files.paths(job.want.instance)
  await headerOf(disk)
  const base = baseOf(job.image)
  const below = base === null ? [] : [{ format: base.format, path: base.path }]
  await convert(tools, job, [{ format: 'qcow2', path: disk }, ...below])
}

/** The header of an instance's own disk. Errors: `refused` when it names an unexpected file. */
async function headerOf(disk: string) {
  await using file = await open(disk)
  const { size } = await file.stat()
  const head = Buffer.alloc(Math.min(size, QCOW2_HEAD_BYTES))
  await file.read(head, 0, head.length, 0)
  return parseOverlay(head, size)
}

async function install(
  image: MachineImage,
  making: Making,
  signal: AbortSignal,
): Promise<MachineImage> {
  const { firmware, machine, seed } = image.options
  if (image.kind === 'kernel') {
    await copyFile(image.kernelPath, below(making.dir, KEPT_FILES.kernel))
    await copyFile(image.initrdPath, below(making.dir, KEPT_FILES.initrd))
  }
  const { virtualBytes } = await headerOf(below(making.dir, KEPT_FILES.disk))
  const architecture = ec2Architecture(process.arch)
  const facts = { kind: image.kind, architecture, virtualBytes, firmware, machine, seed }
  return await making.install(facts, signal)
}
