/** Live migration of virtual machines: the driver's part of a move of a running instance. */
import { readdir, rm } from 'node:fs/promises'
import type { Host } from '../../host/host.ts'
import { findProcesses, killProcess } from '../../host/processes/processes.ts'
import { baseOf } from '../../images/machine-images.ts'
import { below } from '../../lib/paths.ts'
import { refused, unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import type { LiveMover } from '../../workloads/driver.ts'
import { localDisk } from '../disks/local.ts'
import { COMPANIONS } from '../mover.ts'
import type { Qmp } from '../qmp.ts'
import { boot, type QemuStepper } from '../steps.ts'
import { kindHere, runningKind } from './kind.ts'
import { diskBytes, isSuspended, runState } from './qmp-live.ts'
import { loaded, receive } from './receive.ts'
import { send } from './send.ts'

/** The mover. */
export function createLiveMover(
  stepper: QemuStepper,
  host: Pick<Host, 'listenUnix' | 'pairedUnix'>,
): LiveMover {
  const { files, monitors, images, settings, clock, run } = stepper
  const { mtuBytes } = settings

  async function monitorOf(instance: InstanceId): Promise<Qmp> {
    const { qmp = null, isOff = true } = (await monitors.list(true)).get(instance) ?? {}
    if (qmp === null || isOff) throw unavailable(`${instance} does not run, or does not answer`)
    return qmp
  }

  /** Of an earlier attempt. */
  async function removeProcess(instance: InstanceId): Promise<void> {
    const { home, disk } = files.paths(instance)
    const found = await findProcesses(new Map([[instance, home]]), settings.firstUser)
    const pid = found.get(instance)
    if (pid !== undefined) await killProcess(pid, home, clock)
    await rm(disk, { force: true })
  }

  return {
    async describe(instance) {
      if ((await files.placeOf(instance)) !== null)
        throw refused(
          'UnsupportedOperation',
          `the disk of ${instance} is on a storage that both hosts reach: stop it to move it, which copies nothing`,
        )
      const qmp = await monitorOf(instance)
      if (isSuspended(await runState(qmp)))
        throw refused(
          'IncorrectInstanceState',
          `${instance} stands still, because an earlier attempt to move it has not ended`,
        )
      return { kind: await runningKind(qmp, mtuBytes), diskBytes: await diskBytes(qmp) }
    },
    async kindFor(want, digest) {
      const { kind: accelerator } = await stepper.accelerator()
      const { options } = await images.details(digest, want.image.location)
      const type = options.machine === 'microvm' ? 'microvm' : 'q35'
      return await kindHere(run, type, { accelerator, mtuBytes })
    },
    async files(instance) {
      const { home } = files.paths(instance)
      const there = await readdir(home)
      return COMPANIONS.filter((name) => there.includes(name)).map((name) => ({
        name,
        path: below(home, name),
      }))
    },
    async send(instance, streams, wait) {
      await send(await monitorOf(instance), { host, clock }, streams, wait)
    },
    async receive(want, digest, bytes) {
      const origin = await files.origin(want.id)
      if (origin === null)
        throw refused(
          'UnsupportedOperation',
          `the other host did not say what ${want.id} is made from`,
        )
      if (origin.digest !== digest)
        throw refused('UnsupportedOperation', `${want.id} was made from another image`)
      await removeProcess(want.id)
      const image = await images.details(digest, want.image.location)
      await localDisk(files.paths(want.id).disk, run).make(baseOf(image), bytes)
      await boot(stepper, want, image, true)
      const socketsDir = monitors.sockets(want.id).dir
      return await receive(await monitorOf(want.id), { host, socketsDir, clock })
    },
    async received(instance, signal) {
      await loaded(await monitorOf(instance), clock, signal)
    },
  }
}
